// Guest time, the only time that devices and the CPU know. Read by both, driven by the scheduler (docs/architecture.md,
// Time).
#pragma once

#include "base/types.h"

namespace relic86 {

// A stretch of real time over which guest time is a straight line over the host's time stamp counter, so that
// translated code reads it without a call: start + ((ticks - first) * rate >> 32), as long as ticks - first < span.
struct ClockLine {
  u64 first = 0;         // the counter at the line's start
  u64 span = 0;          // in ticks, fewer than 2^32; 0: no line holds
  u64 rate = 0;          // guest nanoseconds a tick, times 2^32
  GuestTime start = 0;   // guest time at the line's start
  GuestTime latest = 0;  // the last that a line's reader made of it; neither line nor clock falls below it
};

class GuestClock {
 public:
  // Nanoseconds of guest time since power-on; never goes backwards. Exact to the instruction under -icount.
  virtual GuestTime now() const = 0;

  // now(), and a line from there on if the clock knows one. It holds until anybody asks the clock again.
  virtual GuestTime now_on_line() const { return now(); }
  // Where the line stands for the clock's life; null: there is never one. Readers set `latest`.
  virtual ClockLine* line() const { return nullptr; }

 protected:
  ~GuestClock() = default;
};

}  // namespace relic86
