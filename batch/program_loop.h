// Whether a program turns in a loop that it cannot leave: its registers and all memory that it may write are exactly
// what they were seconds ago. It has made no system call worth mentioning since, and no other program has run: only a
// signal could help it. The kernel's memory does not count, where timers always change something.
#pragma once

#include <functional>
#include <optional>

#include "base/guest_clock.h"
#include "machine/machine.h"

namespace relic86::batch {

class ProgramLoop {
 public:
  struct Sample {
    bool program = false;  // ring 3 runs, not the kernel
    u64 space = 0;         // its page tables
    u64 registers = 0;     // a hash
  };
  // A hash of all memory that the program may write; nothing: that is too much to be looked at.
  using Memory = std::function<std::optional<u64>()>;

  // So long the same state has to come again, as for loops that are seen to be one at once (ProgressWatch).
  static constexpr GuestTime kLongEnough = 5'000'000'000;

  // To be called often: a state has to be met to be known again. The time that the program has spent in the loop, if it
  // is in one.
  std::optional<GuestTime> look(GuestTime now, const Sample& sample, const Memory& memory);
  // The guest has done something that its user sees, or something was done to it.
  void restart() { *this = {}; }

 private:
  void take_mark(const Sample& sample);

  // The registers that are waited for, and since when memory has been known beside them.
  std::optional<Sample> mark_;
  struct Known {
    GuestTime since = 0;
    u64 memory = 0;
  };
  std::optional<Known> known_;
  // A mark may be of the way to the loop: it is replaced after so many looks, and the next ones live longer, so that
  // long loops are met, too.
  static constexpr unsigned kFirstPatience = 500;
  unsigned patience_ = kFirstPatience, looks_ = 0;
  unsigned kernel_looks_ = 0, program_looks_ = 0;
  GuestTime rest_until_ = 0;  // its memory is too much to be looked at all the time
};

// Of the processor that runs now. Machines without paging have no programs in this sense.
ProgramLoop::Sample program_sample(Machine& machine);
std::optional<u64> program_memory(Machine& machine);

}  // namespace relic86::batch
