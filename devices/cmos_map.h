// What the BIOS finds in the battery-backed CMOS RAM: sizes of memory, drives, boot order.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"

namespace relic86 {

// Drive types of CMOS byte 10h.
enum class FloppyType : u8 {
  None = 0,
  Inch5Kb360 = 1,
  Inch5Mb1_2 = 2,
  Inch3Kb720 = 3,
  Inch3Mb1_44 = 4,
  Inch3Mb2_88 = 5
};

struct CmosConfig {
  u64 ram_size = 0;
  std::array<FloppyType, 2> floppies{};
  // IDE disks: primary master, slave, secondary master, slave; all 0: none (or not a hard disk).
  struct Geometry {
    u32 cylinders = 0;
    u32 heads = 0;
    u32 sectors = 0;
  };
  std::array<Geometry, 4> disks{};
  std::string boot_order = "cda";  // letters a (floppy), c (hard disk), d (CD), n (network); at most three count
  bool check_floppy_signature = true;
  bool mouse = true;
  unsigned processors = 1;
};

// Index and value of every byte that the configuration decides; the checksum at 2Eh is included.
std::vector<std::pair<u8, u8>> cmos_contents(const CmosConfig& config);

}  // namespace relic86
