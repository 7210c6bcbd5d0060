// A guest that does nothing but wait for the vertical retrace, as games do in DOS, need not keep the host busy. The
// display adapter tells when its status has been read many times; then the slice ends, and if the guest is in a loop
// that can go on as it is until the retrace begins or ends (cpu/port_wait.h), the host sleeps as it does after HLT.
#pragma once

#include <functional>
#include <optional>

#include "base/guest_clock.h"
#include "base/types.h"

namespace relic86 {

class Cpu;
class DisplayAdapter;

class RetraceSleep {
 public:
  // All must outlive it. end_slice: called by the processor's thread in the middle of a slice, which ends soon.
  RetraceSleep(DisplayAdapter& display, Cpu& cpu, std::function<void()> end_slice);

  // Between slices: until when the guest waits, if it does.
  std::optional<GuestTime> wait_ends();

 private:
  void look_out();
  bool waits() const;

  DisplayAdapter& display_;
  Cpu& cpu_;
  std::function<void()> end_slice_;
  u32 reads_;  // until the next look: more after each that found no wait
  bool suspected_ = false;
};

}  // namespace relic86
