#include "block/vhdx_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "base/byte_order.h"
#include "block/crc32c.h"

namespace relic86 {

namespace {

constexpr u64 kHeaderAt[2] = {64 << 10, 128 << 10}, kRegionsAt[2] = {192 << 10, 256 << 10};
constexpr std::size_t kRegionsSize = 64 << 10, kMostRegions = 2047, kRowSize = 32;
constexpr u64 kMetadataTable = 64 << 10, kMostMetadata = 1 << 20;
constexpr u64 kMegabyte = 1 << 20;
constexpr std::size_t kChecksumAt = 4;

// As the bytes stand in a file: the first three groups of a GUID are little-endian.
constexpr VhdxGuid guid(u32 a, u16 b, u16 c, std::array<u8, 8> rest) {
  VhdxGuid bytes{};
  for (unsigned i = 0; i < 4; i++) bytes[i] = static_cast<u8>(a >> (8 * i));
  for (unsigned i = 0; i < 2; i++) bytes[4 + i] = static_cast<u8>(b >> (8 * i));
  for (unsigned i = 0; i < 2; i++) bytes[6 + i] = static_cast<u8>(c >> (8 * i));
  for (unsigned i = 0; i < 8; i++) bytes[8 + i] = rest[i];
  return bytes;
}
constexpr VhdxGuid kTableRegion = guid(0x2DC27766, 0xF623, 0x4200, {0x9D, 0x64, 0x11, 0x5E, 0x9B, 0xFD, 0x4A, 0x08});
constexpr VhdxGuid kMetadataRegion = guid(0x8B7CA206, 0x4790, 0x4B9A, {0xB8, 0xFE, 0x57, 0x5F, 0x05, 0x0F, 0x88, 0x6E});
constexpr VhdxGuid kParameters = guid(0xCAA16737, 0xFA36, 0x4D43, {0xB3, 0xB6, 0x33, 0xF0, 0xAA, 0x44, 0xE7, 0x6B});
constexpr VhdxGuid kDiskSize = guid(0x2FA54224, 0xCD1B, 0x4876, {0xB2, 0x11, 0x5D, 0xBE, 0xD8, 0x3B, 0xF4, 0xB8});
constexpr VhdxGuid kSectorSize = guid(0x8141BF1D, 0xA96F, 0x4709, {0xBA, 0x47, 0xF2, 0x33, 0xA8, 0xFA, 0xAB, 0x5F});

bool is_at(std::span<const u8> bytes, std::size_t at, const VhdxGuid& guid) {
  return std::memcmp(bytes.data() + at, guid.data(), guid.size()) == 0;
}
bool signed_as(std::span<const u8> bytes, std::string_view signature) {
  return std::memcmp(bytes.data(), signature.data(), signature.size()) == 0;
}
// The checksum counts itself as zeros.
bool checksum_holds(std::vector<u8> bytes) {
  const u32 sum = load_le<u32>(bytes, kChecksumAt);
  store_le<u32>(bytes, kChecksumAt, 0);
  return crc32c(bytes) == sum;
}

Error damaged(const ImageFile& file, std::string_view what) {
  return Error{fmt::format("{}: is a damaged VHDX image: {}; mend it with 'qemu-img check -r all'", file.path(), what)};
}

struct Region {
  u64 offset = 0, length = 0;
};

class LayoutReader {
 public:
  explicit LayoutReader(ImageFile& file) : file_(file) {}
  Result<VhdxLayout> read();

 private:
  Result<> read_regions();
  Result<> read_metadata();
  Result<> read_item(std::span<const u8> row, std::span<const u8> metadata);
  Result<> check() const;

  ImageFile& file_;
  std::optional<Region> table_, metadata_;
  VhdxLayout layout_;
};

Result<> LayoutReader::read_regions() {
  std::vector<u8> bytes(kRegionsSize);
  bool sound = false;
  for (const u64 at : kRegionsAt) {
    if (sound || at + bytes.size() > file_.size_bytes()) continue;
    if (auto read = file_.read(at, bytes); !read) return read;
    sound = signed_as(bytes, "regi") && checksum_holds(bytes);
  }
  const u32 count = sound ? load_le<u32>(bytes, 8) : 0;
  if (!sound || count > kMostRegions) return damaged(file_, "both region tables are unsound");
  for (std::size_t i = 0; i < count; i++) {
    const std::size_t at = 16 + i * kRowSize;
    const Region region{load_le<u64>(bytes, at + 16), load_le<u32>(bytes, at + 24)};
    const u64 size = file_.size_bytes();
    if (region.offset % kMegabyte != 0 || region.offset < kMegabyte || region.offset > size ||
        region.length > size - region.offset)
      return damaged(file_, "a region is not within the file");
    if (is_at(bytes, at, kTableRegion)) {
      table_ = region;
    } else if (is_at(bytes, at, kMetadataRegion)) {
      metadata_ = region;
    } else if ((load_le<u32>(bytes, at + 28) & 1) != 0) {
      return Error{fmt::format(
          "{}: has a region that is required and not known; convert it (qemu-img convert -O qcow2)", file_.path())};
    }
  }
  return {};
}

Result<> LayoutReader::read_item(std::span<const u8> row, std::span<const u8> metadata) {
  constexpr u32 kHasParent = 2;
  const u64 offset = load_le<u32>(row, 16), length = load_le<u32>(row, 20);
  const auto item = [&](std::size_t least) {
    return length >= least && offset >= kMetadataTable && offset + least <= metadata.size();
  };
  const bool known = is_at(row, 0, kParameters) || is_at(row, 0, kDiskSize) || is_at(row, 0, kSectorSize);
  if (known && !item(is_at(row, 0, kSectorSize) ? 4 : 8)) return damaged(file_, "its metadata is not sound");
  if (is_at(row, 0, kParameters)) {
    layout_.block_size = load_le<u32>(metadata, static_cast<std::size_t>(offset));
    if ((load_le<u32>(metadata, static_cast<std::size_t>(offset) + 4) & kHasParent) != 0) {
      return Error{
          fmt::format("{}: holds the differences to another VHDX image only; merge it with its parent, or "
                      "convert it (qemu-img convert -O qcow2)",
                      file_.path())};
    }
  }
  if (is_at(row, 0, kDiskSize)) layout_.disk_size = load_le<u64>(metadata, static_cast<std::size_t>(offset));
  if (is_at(row, 0, kSectorSize)) layout_.sector_size = load_le<u32>(metadata, static_cast<std::size_t>(offset));
  return {};
}

Result<> LayoutReader::read_metadata() {
  std::vector<u8> metadata(static_cast<std::size_t>(std::min(metadata_->length, kMostMetadata)));
  if (metadata.size() < kMetadataTable) return damaged(file_, "its metadata is not sound");
  if (auto read = file_.read(metadata_->offset, metadata); !read) return read;
  const std::size_t count = load_le<u16>(metadata, 10);
  if (!signed_as(metadata, "metadata") || (count + 1) * kRowSize > kMetadataTable)
    return damaged(file_, "its metadata is not sound");
  for (std::size_t i = 0; i < count; i++) {
    if (auto read = read_item(std::span(metadata).subspan((i + 1) * kRowSize, kRowSize), metadata); !read) return read;
  }
  return {};
}

Result<> LayoutReader::check() const {
  constexpr u32 kLeastBlock = 1 << 20, kMostBlock = 256 << 20;
  constexpr u64 kMostDisk = u64{64} << 40;
  const u32 block = layout_.block_size;
  if (block < kLeastBlock || block > kMostBlock || (block & (block - 1)) != 0)
    return damaged(file_, fmt::format("blocks of {} bytes", block));
  if (layout_.sector_size != 512 && layout_.sector_size != 4096)
    return damaged(file_, fmt::format("sectors of {} bytes", layout_.sector_size));
  if (layout_.disk_size > kMostDisk || layout_.disk_size % layout_.sector_size != 0)
    return damaged(file_, fmt::format("a disk of {} bytes", layout_.disk_size));
  const u64 blocks = (layout_.disk_size + block - 1) / block;
  const u64 entries = blocks == 0 ? 0 : blocks + (blocks - 1) / layout_.chunk_blocks();
  if (entries * 8 > layout_.table_size) return damaged(file_, "the block allocation table is too short for the disk");
  return {};
}

Result<VhdxLayout> LayoutReader::read() {
  if (auto read = read_regions(); !read) return read.error();
  if (!table_ || !metadata_) return damaged(file_, "a region is missing");
  layout_.table_offset = table_->offset;
  layout_.table_size = table_->length;
  if (auto read = read_metadata(); !read) return read.error();
  if (auto checked = check(); !checked) return checked.error();
  return layout_;
}

}  // namespace

Result<VhdxHeader> read_vhdx_header(ImageFile& file) {
  std::vector<u8> bytes(VhdxHeader::kSize);
  std::array<u8, 8> signature{};
  if (auto read = read_padded(file, 0, signature); !read) return read.error();
  if (!signed_as(signature, "vhdxfile")) return Error{fmt::format("{}: is not a VHDX image", file.path())};
  std::optional<VhdxHeader> current;
  for (const bool second : {false, true}) {
    const u64 at = kHeaderAt[second ? 1 : 0];
    if (at + bytes.size() > file.size_bytes()) continue;
    if (auto read = file.read(at, bytes); !read) return read.error();
    if (!signed_as(bytes, "head") || !checksum_holds(bytes)) continue;
    const u64 sequence = load_le<u64>(bytes, 8);
    if (current && current->sequence >= sequence) continue;
    current.emplace();
    std::copy(bytes.begin(), bytes.end(), current->bytes.begin());
    current->second = second;
    current->sequence = sequence;
    std::copy_n(bytes.begin() + 48, current->log_guid.size(), current->log_guid.begin());
    current->log_length = load_le<u32>(bytes, 68);
    current->log_offset = load_le<u64>(bytes, 72);
    if (load_le<u16>(bytes, 66) != 1)
      return Error{fmt::format("{}: is a VHDX image of version {}; 1 is known", file.path(), load_le<u16>(bytes, 66))};
  }
  if (!current) return damaged(file, "both headers are unsound");
  return *current;
}

Result<> write_vhdx_header(ImageFile& file, VhdxHeader& header) {
  header.second = !header.second;
  header.sequence++;
  const auto bytes = std::span(header.bytes);
  store_le<u64>(bytes, 8, header.sequence);
  std::copy(header.log_guid.begin(), header.log_guid.end(), header.bytes.begin() + 48);
  store_le<u32>(bytes, kChecksumAt, 0);
  store_le<u32>(bytes, kChecksumAt, crc32c(bytes));
  if (auto written = file.write(kHeaderAt[header.second ? 1 : 0], bytes); !written) return written;
  return file.flush();
}

Result<VhdxLayout> read_vhdx_layout(ImageFile& file) { return LayoutReader(file).read(); }

}  // namespace relic86
