// What answers guest accesses to ports and memory-mapped registers. Owned by memory/, implemented by devices.
#pragma once

#include <span>

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

  // Bytes of a page in one call: what accesses of one byte in ascending order do. Only where these change nothing but
  // the device's own memory and registers (no interrupt, no mapping, no code), and where the last of them made again
  // changes nothing more. False: nothing was done, and the caller makes single accesses.
  virtual bool read_run(RegionId, u64 /*offset*/, std::span<u8> /*into*/) { return false; }
  virtual bool write_run(RegionId, u64 /*offset*/, std::span<const u8> /*from*/) { return false; }
  // The same of count elements of width bytes, each read, then written, in ascending order.
  virtual bool copy_run(RegionId, u64 /*from*/, u64 /*to*/, unsigned /*width*/, u32 /*count*/) { return false; }

 protected:
  ~RegionHandler() = default;
};

}  // namespace relic86
