#include "block/fat_volume.h"

#include <cstring>

namespace relic86 {

namespace {

void write_boot_sector(const FatVolume& volume, std::span<u8> sector) {
  constexpr u32 kCode = 0x3E, kShort = 65536;
  const auto put = [&](u64 at, u64 value, unsigned size) { put_little(sector, at, value, size); };
  put(0, 0x9000EB | (kCode - 2) << 8, 3);  // a jump over the parameters
  std::memcpy(&sector[3], "RELIC86 ", 8);
  put(11, FatVolume::kSector, 2);
  put(13, volume.cluster, 1);
  put(14, 1, 2);  // the boot sector alone is reserved
  put(16, 2, 1);  // FATs
  put(17, volume.root_entries, 2);
  put(19, volume.sectors < kShort ? volume.sectors : 0, 2);
  put(21, volume.media, 1);
  put(22, volume.fat_sectors, 2);
  put(24, volume.track, 2);
  put(26, volume.heads, 2);
  put(28, volume.hidden, 4);
  put(32, volume.sectors < kShort ? 0 : volume.sectors, 4);
  put(36, volume.fat16 ? 0x80 : 0, 1);  // the BIOS's number of the drive
  put(38, 0x29, 1);                     // a serial number, a label and a name of the file system follow
  std::memcpy(&sector[43], volume.fat16 ? "NO NAME    FAT16   " : "NO NAME    FAT12   ", 19);
  put(kCode, 0xFEEB18CD, 4);  // INT 18h ("no bootable device"), then a loop
  put(510, 0xAA55, 2);
}

}  // namespace

void put_little(std::span<u8> bytes, u64 at, u64 value, unsigned size) {
  for (unsigned i = 0; i < size; i++) bytes[at + i] = static_cast<u8>(value >> (8 * i));
}

std::span<const FatVolume> FatVolume::floppies() {
  static constexpr FatVolume kFloppies[] = {
      {.sectors = 720, .cluster = 2, .root_entries = 112, .fat_sectors = 2, .heads = 2, .track = 9, .media = 0xFD},
      {.sectors = 1440, .cluster = 2, .root_entries = 112, .fat_sectors = 3, .heads = 2, .track = 9, .media = 0xF9},
      {.sectors = 2400, .cluster = 1, .root_entries = 224, .fat_sectors = 7, .heads = 2, .track = 15, .media = 0xF9},
      {.sectors = 2880, .cluster = 1, .root_entries = 224, .fat_sectors = 9, .heads = 2, .track = 18, .media = 0xF0},
      {.sectors = 5760, .cluster = 2, .root_entries = 240, .fat_sectors = 9, .heads = 2, .track = 36, .media = 0xF0}};
  return kFloppies;
}

std::vector<u8> FatVolume::make_disk() const {
  std::vector<u8> disk(u64{hidden + sectors} * kSector);
  write_boot_sector(*this, std::span(disk).subspan(u64{hidden} * kSector, kSector));
  set_entry(disk, 0, 0xFF00u | media);
  set_entry(disk, 1, 0xFFFF);
  return disk;
}

void FatVolume::set_entry(std::span<u8> disk, u32 cluster_number, u32 value) const {
  for (u32 fat = 0; fat < 2; fat++) {
    const u64 start = u64{hidden + 1 + fat * fat_sectors} * kSector;
    if (fat16) {
      put_little(disk, start + u64{cluster_number} * 2, value, 2);
      continue;
    }
    const u64 at = start + cluster_number * 3 / 2;
    const u32 old = disk[at] | u32{disk[at + 1]} << 8;
    put_little(disk, at,
               (cluster_number & 1) != 0 ? (old & 0xF) | (value & 0xFFF) << 4 : (old & 0xF000) | (value & 0xFFF), 2);
  }
}

}  // namespace relic86
