// A range of addresses whose accesses a device answers, and which is plain memory for as long as nothing but storing
// happens there, so that the CPU's TLB can have it. It is shown as memory once some accesses have found it so: programs
// that change banks or modes with every pixel are not to pay for remapping.
#pragma once

#include <string>

#include "memory/physical_bus.h"

namespace relic86 {

class SettledWindow {
 public:
  // settled: bytes that have to be accessed before the memory is shown.
  SettledWindow(std::string owner, Priority priority, std::size_t settled)
      : owner_(std::move(owner)), priority_(priority), settled_(settled) {}

  void connect(PhysicalBus& bus);
  // What would be shown; size 0: nothing. Another offer than the last one hides what is shown.
  void offer(PhysAddr at, u64 size, BackingOffset memory);
  // Whether an access of so many bytes would show it.
  bool settles_with(std::size_t bytes) const { return size_ != 0 && accessed_ + bytes >= settled_; }
  void note(std::size_t bytes);

 private:
  void map(u64 size);

  std::string owner_;
  Priority priority_;
  std::size_t settled_;
  PhysicalBus* bus_ = nullptr;
  u32 key_ = 0;
  PhysAddr at_{};
  u64 size_ = 0;
  BackingOffset memory_{};
  std::size_t accessed_ = 0;  // bytes, since the offer
  bool shown_ = false;
};

}  // namespace relic86
