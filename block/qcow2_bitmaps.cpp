#include "block/qcow2_bitmaps.h"

#include <fmt/format.h>

#include <array>

#include "base/byte_order.h"

namespace relic86 {

Result<std::vector<Qcow2Bitmap>> read_qcow2_bitmaps(ImageFile& file, const Qcow2Header& header) {
  constexpr u64 kFixedPart = 24, kMostDirectory = u64{64} << 20;
  const Error damaged{fmt::format(
      "{}: is a damaged qcow2 image: its directory of dirty bitmaps is not sound; 'qemu-img check' tells more",
      file.path())};
  if (header.bitmap_directory_size > kMostDirectory) return damaged;
  std::vector<u8> directory(static_cast<std::size_t>(header.bitmap_directory_size));
  if (auto read = file.read(header.bitmap_directory_offset, directory); !read) return read.error();
  std::vector<Qcow2Bitmap> bitmaps;
  std::size_t at = 0;
  for (u32 i = 0; i < header.bitmap_count; i++) {
    if (directory.size() - at < kFixedPart) return damaged;
    Qcow2Bitmap bitmap;
    bitmap.table_offset = load_be<u64>(directory, at);
    bitmap.table_entries = load_be<u32>(directory, at + 8);
    bitmap.flags_at = header.bitmap_directory_offset + at + 12;
    bitmap.flags = load_be<u32>(directory, at + 12);
    const u64 size = file.size_bytes(), table_bytes = u64{bitmap.table_entries} * 8;
    if (bitmap.table_offset > size || table_bytes > size - bitmap.table_offset) return damaged;
    const std::size_t rest = std::size_t{load_be<u16>(directory, at + 18)} + load_be<u32>(directory, at + 20);
    at += kFixedPart;
    if (rest > directory.size() - at) return damaged;
    at = std::min((at + rest + 7) / 8 * 8, directory.size());
    bitmaps.push_back(bitmap);
  }
  return bitmaps;
}

Result<> mark_qcow2_bitmaps_in_use(ImageFile& file, const Qcow2Header& header) {
  const auto bitmaps = read_qcow2_bitmaps(file, header);
  if (!bitmaps) return bitmaps.error();
  for (const Qcow2Bitmap& bitmap : bitmaps.value()) {
    if ((bitmap.flags & Qcow2Bitmap::kAuto) == 0 || (bitmap.flags & Qcow2Bitmap::kInUse) != 0) continue;
    std::array<u8, 4> flags{};
    store_be(std::span(flags), 0, bitmap.flags | Qcow2Bitmap::kInUse);
    if (auto written = file.write(bitmap.flags_at, flags); !written) return written;
  }
  return file.flush();
}

}  // namespace relic86
