// A FAT12 or FAT16 file system without files: its geometry, boot sector and tables (Microsoft: FAT: General Overview of
// On-Disk Format, 1.03).
#pragma once

#include <span>
#include <vector>

#include "base/types.h"

namespace relic86 {

// One reserved sector, two tables, the root folder, then the clusters.
struct FatVolume {
  static constexpr u32 kSector = 512;
  static constexpr u32 kEntry = 32;  // bytes of a directory entry

  u32 sectors = 0;  // of the file system
  u32 hidden = 0;   // before it on the disk
  u32 cluster = 1;  // sectors
  u32 root_entries = 0, fat_sectors = 0;
  u32 heads = 0, track = 0;
  u8 media = 0;
  bool fat16 = false;

  u32 root_sector() const { return 1 + 2 * fat_sectors; }
  u32 data_sector() const { return root_sector() + root_entries * kEntry / kSector; }
  u32 clusters() const { return (sectors - data_sector()) / cluster; }
  u64 cluster_bytes() const { return u64{cluster} * kSector; }

  // What DOS's FORMAT makes of the floppies of 360, 720, 1200, 1440 and 2880 KiB, smallest first (media descriptors:
  // ECMA-107).
  static std::span<const FatVolume> floppies();
  u64 kilobytes() const { return u64{sectors} * kSector / 1024; }

  // A disk with this volume, of (hidden + sectors) sectors: a boot sector that starts nothing, and empty tables.
  std::vector<u8> make_disk() const;
  // Writes an entry into both tables. A table's bits beyond the volume's 12 or 16 are cut off.
  void set_entry(std::span<u8> disk, u32 cluster_number, u32 value) const;
};

// Little-endian, size bytes.
void put_little(std::span<u8> bytes, u64 at, u64 value, unsigned size);

}  // namespace relic86
