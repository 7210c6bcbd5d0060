// B8000h-BFFFFh in the text modes: even bytes lie in plane 0 and odd ones in plane 1, and nothing but storing happens.
// So that the CPU's TLB can have it, the window is memory of its own while such a mode lasts; sync() brings the planes
// up to date before anyone looks at them, and when the mode ends.
//
// Not seen until then: writes to the same bytes through the linear frame buffer.
#pragma once

#include <span>

#include "memory/backing_store.h"
#include "memory/physical_bus.h"

namespace relic86 {

class VgaTextWindow {
 public:
  static constexpr u64 kBytes = 0x8000;

  // planes: video memory (vga_memory.h says how it is laid out), at first in the bus's store.
  void connect(PhysicalBus& bus, std::span<u8> planes, BackingOffset first);
  void show(bool wanted);
  bool shown() const { return shown_; }
  void sync();

 private:
  PhysicalBus* bus_ = nullptr;
  std::span<u8> planes_;
  BackingOffset first_{};
  BackingOffset window_{};
  u32 key_ = 0;
  bool shown_ = false;
};

}  // namespace relic86
