#include "batch/disk_volumes.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/byte_order.h"

namespace relic86::batch {

namespace {

constexpr u64 kSector = 512;
constexpr u64 kNoMore = 128;  // partitions that are looked at

// Little-endian numbers in what was read.
struct Bytes {
  std::array<u8, 4 * kSector> raw{};
  u64 number(std::size_t at, unsigned bytes) const {
    u64 value = 0;
    for (unsigned i = 0; i < bytes; i++) value |= u64{raw[at + i]} << (8 * i);
    return value;
  }
};

Result<Bytes> read_bytes(DriveMedium& disk, u64 offset) {
  Bytes bytes;
  if (offset >= disk.size_bytes()) return bytes;
  const u64 length = std::min<u64>(bytes.raw.size(), disk.size_bytes() - offset);
  if (auto read = disk.read(offset, std::span(bytes.raw).first(static_cast<std::size_t>(length))); !read)
    return read.error();
  return bytes;
}

// Microsoft's FAT specification 1.03, "Boot Sector and BPB", and ext4's superblock (kernel documentation, ext4/super).
DiskVolume::Kind kind_of(const Bytes& bytes) {
  constexpr std::size_t kExtMagic = 1024 + 56;
  constexpr u64 kExt = 0xEF53, kBootSignature = 0xAA55, kLeastMedia = 0xF0, kShortJump = 0xEB, kNearJump = 0xE9;
  if (bytes.number(kExtMagic, 2) == kExt) return DiskVolume::Kind::Ext;
  const u64 sector = bytes.number(11, 2), cluster = bytes.number(13, 1), tables = bytes.number(16, 1);
  const bool jump = bytes.raw[0] == kShortJump || bytes.raw[0] == kNearJump;
  const bool fat = jump && bytes.number(510, 2) == kBootSignature && std::has_single_bit(sector) && sector >= kSector &&
                   std::has_single_bit(cluster) && (tables == 1 || tables == 2) && bytes.number(21, 1) >= kLeastMedia;
  return fat ? DiskVolume::Kind::Fat : DiskVolume::Kind::Unknown;
}

class PartitionReader {
 public:
  explicit PartitionReader(DriveMedium& disk) : disk_(disk) {}

  Result<std::vector<DiskVolume>> read() {
    if (auto added = add(0, 0, disk_.size_bytes()); !added) return added.error();
    const auto table = read_bytes(disk_, 0);
    if (!table) return table.error();
    if (table.value().number(510, 2) != 0xAA55 || volumes_.front().kind != DiskVolume::Kind::Unknown) return volumes_;
    auto read = Result<>();
    for (unsigned i = 0; i < 4 && read; i++) {
      const Entry entry = entry_of(table.value(), i);
      if (entry.type == kGuidTable) {
        read = read_guid_table();
        break;
      }
      if (entry.extended())
        read = read_logical(entry.start);
      else if (entry.type != 0)
        read = add(i + 1, entry.start * kSector, entry.count * kSector);
    }
    if (!read) return read.error();
    std::stable_sort(volumes_.begin(), volumes_.end(),
                     [](const DiskVolume& a, const DiskVolume& b) { return a.partition < b.partition; });
    return volumes_;
  }

 private:
  static constexpr u64 kGuidTable = 0xEE;
  static constexpr unsigned kFirstLogical = 5;

  struct Entry {
    u64 type = 0, start = 0, count = 0;
    bool extended() const { return type == 0x05 || type == 0x0F || type == 0x85; }
  };
  static Entry entry_of(const Bytes& table, unsigned number) {
    constexpr std::size_t kFirst = 446, kSize = 16;
    const std::size_t at = kFirst + number * kSize;
    return {table.number(at + 4, 1), table.number(at + 8, 4), table.number(at + 12, 4)};
  }

  Result<> add(unsigned partition, u64 offset, u64 length) {
    if (offset >= disk_.size_bytes()) return {};
    const auto bytes = read_bytes(disk_, offset);
    if (!bytes) return bytes.error();
    volumes_.push_back({kind_of(bytes.value()), partition, offset, std::min(length, disk_.size_bytes() - offset)});
    return {};
  }

  // A chain of tables: the first entry is a logical partition, the second leads to the next table.
  Result<> read_logical(u64 extended) {
    u64 at = extended;
    for (unsigned i = 0; i < kNoMore; i++) {
      const auto table = read_bytes(disk_, at * kSector);
      if (!table) return table.error();
      const Entry own = entry_of(table.value(), 0), next = entry_of(table.value(), 1);
      if (own.type != 0) {
        if (auto added = add(kFirstLogical + i, (at + own.start) * kSector, own.count * kSector); !added) return added;
      }
      if (!next.extended()) break;
      at = extended + next.start;
    }
    return {};
  }

  // UEFI specification 2.10, 5.3: the header in sector 1 says where the entries are.
  Result<> read_guid_table() {
    const auto header = read_bytes(disk_, kSector);
    if (!header) return header.error();
    const u64 first = header.value().number(72, 8) * kSector;
    const u64 count = header.value().number(80, 4), size = header.value().number(84, 4);
    for (u64 i = 0; i < std::min(count, kNoMore); i++) {
      const auto entry = read_bytes(disk_, first + i * size);
      if (!entry) return entry.error();
      const u64 start = entry.value().number(32, 8), last = entry.value().number(40, 8);
      const bool used = entry.value().number(0, 8) != 0 || entry.value().number(8, 8) != 0;
      if (!used || last < start || start > disk_.size_bytes() / kSector) continue;
      const u64 sectors = std::min(last - start + 1, disk_.size_bytes() / kSector - start);
      if (auto added = add(static_cast<unsigned>(i + 1), start * kSector, sectors * kSector); !added) return added;
    }
    return {};
  }

  DriveMedium& disk_;
  std::vector<DiskVolume> volumes_;
};

}  // namespace

Result<std::vector<DiskVolume>> disk_volumes(DriveMedium& disk) { return PartitionReader(disk).read(); }

}  // namespace relic86::batch
