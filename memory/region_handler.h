// What answers guest accesses to ports and memory-mapped registers. Owned by memory/, implemented by devices.
#pragma once

#include "base/types.h"

namespace relic86 {

using RegionId = u8;  // chosen by the handler: tells its regions apart

class RegionHandler {
 public:
  // offset: bytes from the region's start; width: 1, 2, 4 or 8 bytes, never wider than the region was mapped with.
  // Accesses wider than that are split by the bus into ascending pieces. The value's upper bits beyond width are
  // ignored.
  virtual u64 read(RegionId region, u64 offset, unsigned width) = 0;
  virtual void write(RegionId region, u64 offset, unsigned width, u64 value) = 0;

 protected:
  ~RegionHandler() = default;
};

}  // namespace relic86
