#include "block/qcow2_new.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/byte_order.h"

namespace relic86 {

namespace {

constexpr u32 kMagic = 0x514649FB;  // "QFI", FBh
constexpr u32 kHeader2 = 72, kHeader3 = 104;
constexpr u32 kBackingFormat = 0xE2792ACA;  // a header extension
constexpr std::size_t kLongestName = 1023;
constexpr u64 kSector = 512;
constexpr u32 kRefcountOrder = 4;  // 16 bits

void append_be32(std::vector<u8>& bytes, u32 number) {
  bytes.resize(bytes.size() + 4);
  store_be(std::span(bytes), bytes.size() - 4, number);
}

void append_extension(std::vector<u8>& bytes, u32 type, std::span<const u8> content) {
  append_be32(bytes, type);
  append_be32(bytes, static_cast<u32>(content.size()));
  bytes.insert(bytes.end(), content.begin(), content.end());
  bytes.resize((bytes.size() + 7) / 8 * 8);
}

std::span<const u8> bytes_of(const std::string& text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

// The end of the extensions, and the backing file's name behind it.
Result<> end_header(std::vector<u8>& bytes, u64 room, const std::string& path, const std::string& name,
                    const std::string& format) {
  if (!name.empty() && !format.empty()) append_extension(bytes, kBackingFormat, bytes_of(format));
  append_be32(bytes, 0);
  append_be32(bytes, 0);
  store_be(std::span(bytes), 8, name.empty() ? u64{0} : u64{bytes.size()});
  store_be(std::span(bytes), 16, static_cast<u32>(name.size()));
  const auto text = bytes_of(name);
  bytes.insert(bytes.end(), text.begin(), text.end());
  if (name.size() <= kLongestName && bytes.size() <= room) return {};
  return Error{
      fmt::format("{}: the header has no room for the name of the backing file '{}'; use a shorter one", path, name)};
}

}  // namespace

Result<> create_qcow2(ImageFile& file, const NewQcow2& wanted) {
  const u64 cluster = u64{1} << wanted.cluster_bits;
  const u64 size = (wanted.size + kSector - 1) / kSector * kSector;
  const u64 covered = cluster * (cluster / 8);  // bytes of the disk, by an entry of the L1 table
  const u64 l1_entries = std::max<u64>((size + covered - 1) / covered, 1);
  const u64 l1_clusters = (l1_entries * 8 + cluster - 1) / cluster;
  // The header, the refcount table, one refcount block, the L1 table.
  const u64 clusters = 3 + l1_clusters;
  if (clusters > cluster * 8 >> kRefcountOrder)
    return Error{
        fmt::format("{}: {} bytes are too many for clusters of {} bytes; use larger ones", file.path(), size, cluster)};
  std::vector<u8> header(wanted.version >= 3 ? kHeader3 : kHeader2);
  const auto put = [&](std::size_t at, auto number) { store_be(std::span(header), at, number); };
  put(0, kMagic);
  put(4, wanted.version);
  put(20, wanted.cluster_bits);
  put(24, size);
  put(36, static_cast<u32>(l1_entries));
  put(40, 3 * cluster);
  put(48, cluster);
  put(56, u32{1});
  if (wanted.version >= 3) {
    put(96, kRefcountOrder);
    put(100, kHeader3);
  }
  if (auto ended = end_header(header, cluster, file.path(), wanted.backing_file, wanted.backing_format); !ended)
    return ended;
  std::vector<u8> table(static_cast<std::size_t>(cluster)), block(static_cast<std::size_t>(cluster));
  store_be(std::span(table), 0, 2 * cluster);
  for (u64 n = 0; n < clusters; n++) store_be(std::span(block), static_cast<std::size_t>(n) * 2, u16{1});
  // The header comes last: until it is there the file is no image.
  if (auto result = file.resize(0); !result) return result;
  if (auto result = file.resize(clusters * cluster); !result) return result;
  if (auto result = file.write(cluster, table); !result) return result;
  if (auto result = file.write(2 * cluster, block); !result) return result;
  if (auto result = file.flush(); !result) return result;
  if (auto result = file.write(0, header); !result) return result;
  return file.flush();
}

Result<> write_qcow2_backing(ImageFile& file, const Qcow2Header& header, const std::string& backing_file,
                             const std::string& backing_format) {
  const u64 cluster = header.cluster_size();
  std::vector<u8> before(static_cast<std::size_t>(std::min(cluster, file.size_bytes())));
  if (auto read = file.read(0, before); !read) return read;
  const u32 length = header.version >= 3 ? load_be<u32>(std::span<const u8>(before), 100) : kHeader2;
  // read_qcow2_header has looked at these before; the file may have been changed since.
  if (length < kHeader2 || length > before.size()) return Error{file.path() + ": its header has changed meanwhile"};
  std::vector<u8> after(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(length));
  for (std::size_t at = length; at + 8 <= before.size();) {
    const u32 type = load_be<u32>(std::span<const u8>(before), at);
    const u32 size = load_be<u32>(std::span<const u8>(before), at + 4);
    at += 8;
    if (type == 0 || size > before.size() - at) break;
    if (type != kBackingFormat) append_extension(after, type, std::span(before).subspan(at, size));
    at += (std::size_t{size} + 7) / 8 * 8;
  }
  if (auto ended = end_header(after, cluster, file.path(), backing_file, backing_format); !ended) return ended;
  if (auto flushed = file.flush(); !flushed) return flushed;
  if (auto written = file.write(0, after); !written) return written;
  return file.flush();
}

}  // namespace relic86
