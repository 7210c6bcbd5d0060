// Says how far guest time may go in real time (MachineClock::govern).
#pragma once

#include "base/types.h"

namespace relic86 {

class TimeGovernor {
 public:
  // How far guest time may go, in nanoseconds, beyond what a processor has had the host's processor time for since it
  // was told the time: so far apart are two readings that stand side by side in the guest's program, even if the host
  // runs others between them. Linux distrusts its clocks from 50 us on. A stretch of the clock's line is no longer.
  static constexpr GuestTime kNear = 20'000;

  struct Question {
    i64 host = 0;              // the host's time, in nanoseconds
    GuestTime after_last = 0;  // where guest time stood when the clock had acted on the last answer
    GuestTime now = 0;         // and where it stands
    double pace = 1;           // guest nanoseconds that one of processor time is worth
  };
  // The moment at which guest time is to stand until the next call.
  virtual GuestTime limit(const Question& question) = 0;
  // The guest has been told the time.
  virtual void note_reading() = 0;

 protected:
  ~TimeGovernor() = default;
};

}  // namespace relic86
