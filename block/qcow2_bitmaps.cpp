#include "block/qcow2_bitmaps.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/byte_order.h"
#include "block/qcow2_entry.h"
#include "block/qcow2_refcounts.h"

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
    bitmap.type = directory[at + 16];
    bitmap.granularity_bits = directory[at + 17];
    bitmap.extra_data = load_be<u32>(directory, at + 20) != 0;
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

namespace {

constexpr u64 kAllSet = 1;  // a table's entry

Result<> write_flags(ImageFile& file, const Qcow2Bitmap& bitmap, u32 flags) {
  std::array<u8, 4> bytes{};
  store_be(std::span(bytes), 0, flags);
  return file.write(bitmap.flags_at, bytes);
}

u64 bit_count(const Qcow2Header& header, const Qcow2Bitmap& bitmap) {
  const u64 unit = u64{1} << bitmap.granularity_bits;
  return header.size / unit + (header.size % unit != 0 ? 1 : 0);
}

// A kind that is understood, of the size that the disk has.
bool can_be_kept(const Qcow2Header& header, const Qcow2Bitmap& bitmap) {
  constexpr u8 kDirtyTracking = 1, kFinest = 9, kCoarsest = 31;
  constexpr u64 kMostBits = u64{1} << 30;
  if (bitmap.in_use() || bitmap.type != kDirtyTracking || bitmap.granularity_bits < kFinest ||
      bitmap.granularity_bits > kCoarsest || (bitmap.extra_data && (bitmap.flags & Qcow2Bitmap::kExtraCompatible) == 0))
    return false;
  const u64 bits = bit_count(header, bitmap), bits_per_entry = header.cluster_size() * 8;
  return bits <= kMostBits && bitmap.table_entries == (bits + bits_per_entry - 1) / bits_per_entry;
}

}  // namespace

Result<Qcow2LiveBitmaps::Live> Qcow2LiveBitmaps::load(ImageFile& file, const Qcow2Header& header,
                                                      const Qcow2Bitmap& bitmap) {
  Live live;
  live.about = bitmap;
  std::vector<u8> bytes(std::size_t{bitmap.table_entries} * 8);
  if (auto read = file.read(bitmap.table_offset, bytes); !read) return read.error();
  for (std::size_t i = 0; i < bitmap.table_entries; i++) live.table.push_back(load_be<u64>(bytes, i * 8));
  live.written.resize(live.table.size() * static_cast<std::size_t>(header.cluster_size()));
  return live;
}

Result<> Qcow2LiveBitmaps::begin(ImageFile& file, const Qcow2Header& header) {
  live_.clear();
  const auto bitmaps = read_qcow2_bitmaps(file, header);
  if (!bitmaps) return bitmaps.error();
  for (const Qcow2Bitmap& bitmap : bitmaps.value()) {
    if (!bitmap.follows_writes()) continue;
    if (can_be_kept(header, bitmap)) {
      auto loaded = load(file, header, bitmap);
      if (!loaded) return loaded.error();
      live_.push_back(std::move(loaded).value());
    }
    if (auto marked = write_flags(file, bitmap, bitmap.flags | Qcow2Bitmap::kInUse); !marked) return marked;
  }
  return file.flush();
}

void Qcow2LiveBitmaps::note(u64 offset, u64 length) {
  if (length == 0) return;
  for (Live& each : live_) {
    const u64 last = (offset + length - 1) >> each.about.granularity_bits;
    for (u64 bit = offset >> each.about.granularity_bits; bit <= last; bit++)
      each.written[static_cast<std::size_t>(bit / 8)] |= static_cast<u8>(1u << bit % 8);
  }
}

// Adds bits to those of one of the table's entries.
Result<> Qcow2LiveBitmaps::store_part(ImageFile& file, Qcow2Refcounts& refcounts, u64& entry, std::span<const u8> bits,
                                      std::size_t cluster) {
  std::vector<u8> content(cluster);
  u64 host = entry & kQcow2OffsetMask;
  if (host != 0) {
    if (host % cluster != 0 || host >= file.size_bytes() || refcounts.is_protected(host))
      return Error{fmt::format("{}: is damaged: a dirty bitmap says that it is at {:#x}", file.path(), host)};
    if (auto read = read_padded(file, host, content); !read) return read;
  } else {
    const auto allocated = refcounts.allocate();
    if (!allocated) return allocated.error();
    host = allocated.value();
  }
  std::transform(content.begin(), content.end(), bits.begin(), content.begin(),
                 [](u8 there, u8 more) { return static_cast<u8>(there | more); });
  if (auto written = file.write(host, content); !written) return written;
  entry = host;
  return {};
}

Result<> Qcow2LiveBitmaps::store(ImageFile& file, const Qcow2Header& header, Qcow2Refcounts& refcounts) {
  const auto cluster = static_cast<std::size_t>(header.cluster_size());
  for (Live& each : live_) {
    if (each.about.table_offset % cluster != 0 || each.about.table_offset == 0 ||
        refcounts.is_protected(each.about.table_offset))
      return Error{
          fmt::format("{}: is damaged: the table of a dirty bitmap is at {:#x}", file.path(), each.about.table_offset)};
    for (std::size_t i = 0; i < each.table.size(); i++) {
      const std::span<const u8> bits = std::span(each.written).subspan(i * cluster, cluster);
      u64& entry = each.table[i];
      if (entry == kAllSet || std::all_of(bits.begin(), bits.end(), [](u8 byte) { return byte == 0; })) continue;
      const u64 before = entry;
      if (auto stored = store_part(file, refcounts, entry, bits, cluster); !stored) return stored;
      each.table_changed = each.table_changed || entry != before;
    }
  }
  return {};
}

Result<> Qcow2LiveBitmaps::publish(ImageFile& file) {
  if (live_.empty()) return {};
  for (const Live& each : live_) {
    if (!each.table_changed) continue;
    std::vector<u8> bytes(each.table.size() * 8);
    for (std::size_t i = 0; i < each.table.size(); i++) store_be(std::span(bytes), i * 8, each.table[i]);
    if (auto written = file.write(each.about.table_offset, bytes); !written) return written;
  }
  if (auto flushed = file.flush(); !flushed) return flushed;
  for (const Live& each : live_) {
    if (auto written = write_flags(file, each.about, each.about.flags); !written) return written;
  }
  return file.flush();
}

}  // namespace relic86
