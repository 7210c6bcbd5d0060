// How far guest time may go on a host that has other things to do, where processors' threads wait for their turns.
//
// A processor that has something to do gains credit with its thread's processor time and spends it as guest time goes
// on, and guest time goes as far as the poorest can pay for. Two accounts each:
// - Guest time is not to run away from a processor whose thread gets no turn: timer ticks that it cannot take would be
//   lost. kMost is what it may be behind.
// - Two readings of the time that stand side by side in a guest's program must not lie far apart. One that has been told
//   the time, and has not worked for kBeside since, may be behind by no more than kNear.
#pragma once

#include <vector>

#include "base/types.h"
#include "machine/time_governor.h"

namespace relic86 {

class TimeCredit {
 public:
  static constexpr GuestTime kMost = 2'000'000;
  static constexpr GuestTime kNear = TimeGovernor::kNear;
  // A thread that the host takes off its processor pays for that with processor time in which its program gets nowhere:
  // some 50 us in a virtual machine. So of the work of one that was off for more than kOff since the last look, kSwitch
  // does not count for the second account.
  static constexpr i64 kSwitch = 100'000;
  static constexpr i64 kOff = 5'000;
  static constexpr i64 kBeside = 150'000;

  explicit TimeCredit(std::size_t processors) : accounts_(processors) {}

  // Of a thread: the host's processor time that it has had, in nanoseconds, whether its processor has nothing to do, and
  // how often it has been told the time, counted before each time that it is.
  struct Work {
    i64 worked = 0;
    bool idle = false;
    u64 readings = 0;
  };
  // TimeGovernor::limit. work: of all processors.
  GuestTime limit(const TimeGovernor::Question& question, const std::vector<Work>& work);

 private:
  struct Account {
    Work seen;               // at the last look
    GuestTime most = kMost;  // credit of either kind
    GuestTime near = kNear;
    i64 beside = kBeside;  // work since it was told the time, as far as that counts
  };
  struct Step {
    i64 host = 0;                   // nanoseconds since the last look
    GuestTime then = 0, since = 0;  // what has passed as the clock acted on the last answer, and since then
    double pace = 1;
  };
  static GuestTime settle(Account& account, const Work& work, const Step& step);

  std::vector<Account> accounts_;
  GuestTime last_look_ = 0;
  i64 last_host_ = 0;
};

}  // namespace relic86
