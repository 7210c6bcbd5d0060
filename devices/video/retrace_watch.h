// Finds out that the guest does nothing but wait for the vertical retrace, as games in DOS do, so that the host need not
// run its loop until then.
#pragma once

#include "base/types.h"

namespace relic86 {

class RetraceWatch {
 public:
  // The guest reads input status register 1.
  void look() { looks_++; }

  // How many instructions to run before the next slice_over(), so that a wait is found soon in a guest that waits often.
  u64 most_at_once() const;
  // So many instructions have run since the last call. True: all of them were a loop of one length around such reads.
  // A loop that also counts lines, by the register's other bit, takes more instructions now and then; one that counts its
  // passes comes at least as far as on a PC, where each takes a microsecond.
  bool slice_over(u64 instructions);

 private:
  u64 looks_ = 0;
  bool waiting_ = false;
  u32 slices_since_wait_ = ~u32{0};
};

}  // namespace relic86
