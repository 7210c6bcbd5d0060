// A processor as slow as those of the past, for programs that go by its speed (-icount has its own). What is limited is
// the number of instructions in a second of guest time, because that is what loops count.
#pragma once

#include "base/types.h"

namespace relic86 {

class SpeedLimit {
 public:
  // Instructions a second; 0: none.
  void set(double instructions_per_second);
  double instructions_per_second() const { return rate_; }

  // Instructions that may run without a wait: a millisecond's.
  u64 most_at_once() const { return most_at_once_; }
  // Nanoseconds of guest time to wait after so many more instructions; now: guest time. Time that the guest slept, or in
  // which the host was too slow, is not made up for.
  i64 wait_after(u64 instructions, i64 now);

 private:
  double rate_ = 0;
  u64 most_at_once_ = ~u64{0};
  double due_ = 0;  // when a processor of this speed is through with what was run
};

}  // namespace relic86
