// Video memory of four planes, as single bytes of its window reach it: what a device says of it so that translated code
// makes such accesses without asking (jit/x64/plane_thunks.h). All of it holds for as long as no register of the device
// is written.
#pragma once

#include "memory/region_handler.h"

namespace relic86 {

struct PlaneWindow {
  // Four bytes, one of each plane, for every byte of the window from offset `first` on. In the backing store: whoever
  // writes to watched pages tells it.
  u8* planes = nullptr;
  u32 first = 0;
  u32 readable = 0, writable = 0;  // so many bytes are read and written like this; others the device has to see to
  u32 latch = 0;                   // what was read last; all words here have plane p in bits 8p+7:8p
  u32 read_shift[2] = {};          // bit number of the plane that is read, at even and odd offsets
  // A byte is written to the planes of write_planes: (in each of them & kept) | set, of which `bits` count, and the
  // latch's others.
  u32 kept = 0, set = 0;
  u32 bits = 0;
  u32 write_planes[2] = {};  // at even and odd offsets
};

// A second face of a RegionHandler.
class PlanarMemory {
 public:
  // It stays where it is. Null: the region has no planes.
  virtual PlaneWindow* plane_window(RegionId region) = 0;

 protected:
  ~PlanarMemory() = default;
};

}  // namespace relic86
