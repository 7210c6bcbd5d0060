// Partition table entry (IBM PC/AT; four from 1BEh, AA55h at 1FEh)
//
//   offset  width  content
//   4       1      type, 0: unused
//   5       1      last sector's head
//   6       1      5:0 last sector's number, 1-based; 7:6 cylinder bits 9:8
//   12      4      number of sectors
//
// Partitions end at a cylinder's end as a rule, so the last sector's head and number tell how many there are.
#include "devices/storage/disk_geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace relic86 {

namespace {
constexpr u32 kMostCylinders = 16383, kMostHeads = 16, kMostSectors = 63;  // ATA/ATAPI-5 annex C
constexpr u32 kMostBiosCylinders = 1024;
constexpr std::size_t kTable = 0x1BE, kEntry = 16, kEntries = 4;

u32 dword(std::span<const u8> bytes, std::size_t at) {
  return u32{bytes[at]} | u32{bytes[at + 1]} << 8 | u32{bytes[at + 2]} << 16 | u32{bytes[at + 3]} << 24;
}

DiskGeometry by_size(u64 sectors) {
  const u64 cylinders = sectors / (kMostHeads * kMostSectors);
  return {static_cast<u32>(std::clamp<u64>(cylinders, 2, kMostCylinders)), kMostHeads, kMostSectors};
}

DiskTranslation automatic_translation(const DiskGeometry& drive) {
  if (drive.cylinders <= kMostBiosCylinders) return DiskTranslation::None;
  return drive.cylinders * drive.heads <= kMostBiosCylinders * 128 ? DiskTranslation::Large : DiskTranslation::Lba;
}
}  // namespace

std::optional<DiskGeometry> partitioned_geometry(BlockDevice& image) {
  std::array<u8, 512> sector{};
  const u64 total = image.size_bytes() / sector.size();
  if (total == 0 || !image.read(0, sector) || sector[510] != 0x55 || sector[511] != 0xAA) return {};
  for (std::size_t i = 0; i < kEntries; i++) {
    const auto entry = std::span(sector).subspan(kTable + i * kEntry, kEntry);
    const u32 heads = entry[5] + 1u;
    const u32 sectors = entry[6] & 0x3Fu;
    if (entry[4] == 0 || dword(entry, 12) == 0 || heads == 1 || heads > 255 || sectors == 0) continue;
    const u64 cylinders = total / (heads * sectors);
    if (cylinders == 0 || cylinders > kMostCylinders) continue;
    return DiskGeometry{static_cast<u32>(cylinders), heads, sectors};
  }
  return {};
}

DiskGeometry translated_geometry(const DiskGeometry& drive, DiskTranslation translation, u64 total_sectors) {
  DiskGeometry result = drive;
  if (translation == DiskTranslation::Lba) {
    result.sectors = kMostSectors;
    const u64 needed = total_sectors / kMostSectors / kMostBiosCylinders;
    result.heads = needed > 128 ? 255 : needed > 64 ? 128 : needed > 32 ? 64 : needed > 16 ? 32 : 16;
    result.cylinders = static_cast<u32>(std::min<u64>(total_sectors / (result.heads * kMostSectors), ~u32{0}));
  } else if (translation == DiskTranslation::Large) {
    while (result.cylinders > kMostBiosCylinders && result.heads <= 127) result.cylinders /= 2, result.heads *= 2;
  }
  result.cylinders = std::min(result.cylinders, kMostBiosCylinders);
  return result;
}

DiskLayout guess_disk_layout(BlockDevice& image) {
  const u64 total = image.size_bytes() / 512;
  const auto table = partitioned_geometry(image);
  // Few cylinders and heads: the table shows the drive itself.
  if (table && table->heads <= kMostHeads && table->cylinders <= kMostBiosCylinders) {
    return {*table, DiskTranslation::None};
  }
  DiskLayout layout{by_size(total), DiskTranslation::None};
  layout.translation = automatic_translation(layout.geometry);
  if (!table) return layout;
  // The translation that whoever made the table had; the automatic one first, since several may agree.
  for (const auto candidate : {layout.translation, DiskTranslation::Large, DiskTranslation::Lba}) {
    const DiskGeometry seen = translated_geometry(layout.geometry, candidate, total);
    if (seen.heads == table->heads && seen.sectors == table->sectors) {
      layout.translation = candidate;
      return layout;
    }
  }
  if (table->heads <= kMostHeads) return {*table, DiskTranslation::None};
  if (layout.translation == DiskTranslation::None) layout.translation = DiskTranslation::Lba;
  return layout;
}

Result<DiskLayout> chosen_disk_layout(const DiskGeometry& geometry) {
  if (geometry.cylinders < 1 || geometry.cylinders > kMostCylinders || geometry.heads < 1 ||
      geometry.heads > kMostHeads || geometry.sectors < 1 || geometry.sectors > kMostSectors) {
    return Error{fmt::format("geometry {}/{}/{} is out of range; use 1 to {} cylinders, 1 to {} heads, 1 to {} sectors",
                             geometry.cylinders, geometry.heads, geometry.sectors, kMostCylinders, kMostHeads,
                             kMostSectors)};
  }
  return DiskLayout{geometry, automatic_translation(geometry)};
}

}  // namespace relic86
