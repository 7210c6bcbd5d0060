// How far guest time may go where each processor has a host thread of its own. On a busy host it is not to run away
// from a processor whose thread gets no turn: timer ticks that it cannot take would be lost, and two readings of the
// time that stand side by side in the guest's program would lie far apart. So a processor that has something to do gains
// credit with its thread's processor time, and guest time goes on by what the poorest has.
#pragma once

#include <vector>

#include "base/types.h"

namespace relic86 {

class TimeCredit {
 public:
  static constexpr GuestTime kMost = 2'000'000;

  explicit TimeCredit(std::size_t processors) : accounts_(processors) {}

  // Of a thread: the host's processor time that it has had, in nanoseconds, and whether its processor has nothing to do.
  struct Work {
    i64 worked = 0;
    bool idle = false;
  };
  // The moment at which guest time is to stand until the next call. pace: guest nanoseconds that a nanosecond of
  // processor time is worth, more than 1 while the guest makes up for lost time. work: of all processors.
  GuestTime limit(GuestTime now, double pace, const std::vector<Work>& work);

 private:
  struct Account {
    i64 worked = 0;
    GuestTime credit = kMost;
    bool idle = false;  // at the last look
  };
  std::vector<Account> accounts_;
  GuestTime last_look_ = 0;
};

}  // namespace relic86
