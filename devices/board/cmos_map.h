// What the BIOS finds in the battery-backed CMOS RAM: sizes of memory, drives, boot order.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "devices/storage/disk_geometry.h"
#include "devices/storage/floppy_image.h"

namespace relic86 {

struct CmosConfig {
  u64 ram_size = 0;       // below 4 GiB
  u64 high_ram_size = 0;  // from 4 GiB on
  std::array<FloppyDriveType, 2> floppies{};
  // IDE hard disks: primary master, slave, secondary master, slave; all 0: none (or a CD-ROM drive).
  std::array<DiskLayout, 4> disks{};
  std::string boot_order = "cda";  // letters a (floppy), c (hard disk), d (CD), n (network); at most three count
  bool check_floppy_signature = true;
  bool mouse = true;
  unsigned processors = 1;
};

// The boot order: first and second device, and the third one (bits 7:4; bit 0: floppies without signature boot, too).
constexpr u8 kCmosBootOrderFirst = 0x3D, kCmosBootOrderThird = 0x38;

// Index and value of every byte that the configuration decides; the checksum at 2Eh is included.
std::vector<std::pair<u8, u8>> cmos_contents(const CmosConfig& config);

}  // namespace relic86
