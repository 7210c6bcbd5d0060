// Cylinders, heads and sectors of IDE disks: what an image's partition table or size suggests.
#pragma once

#include <optional>

#include "block/block_device.h"

namespace relic86 {

// How a BIOS makes INT 13h geometries (1024 cylinders at most) of the disk's: bits of CMOS byte 39h.
enum class DiskTranslation : u8 { None = 0, Lba = 1, Large = 2 };

struct DiskGeometry {
  u32 cylinders = 0;  // 1 to 16383
  u32 heads = 0;      // 1 to 16 on an ATA disk; to 255 after translation
  u32 sectors = 0;    // 1 to 63
  bool operator==(const DiskGeometry&) const = default;
};

struct DiskLayout {
  DiskGeometry geometry;  // of the drive (IDENTIFY words 1, 3, 6)
  DiskTranslation translation = DiskTranslation::None;
};

// Heads and sectors by which the image's partition table was made, if it has one; cylinders as the size gives.
std::optional<DiskGeometry> partitioned_geometry(BlockDevice& image);

// The drive for an image: as the partition table says if its heads fit a drive, else 16 heads and 63 sectors; and the
// translation that gives the table's geometry to INT 13h.
DiskLayout guess_disk_layout(BlockDevice& image);

// A geometry that the user has set. Translation: as for a drive of this geometry. An error says what is out of range.
Result<DiskLayout> chosen_disk_layout(const DiskGeometry& geometry);

// What a BIOS with this translation shows by INT 13h for a disk of total sectors.
DiskGeometry translated_geometry(const DiskGeometry& drive, DiskTranslation translation, u64 total_sectors);

}  // namespace relic86
