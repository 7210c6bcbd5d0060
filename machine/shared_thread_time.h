// Guest time where one thread runs several processors in real time: each of them has its timers' interrupts to handle,
// and reads clocks, so guest time goes no further than the thread's processor time is worth (TimeCredit).
#pragma once

#include "machine/time_credit.h"
#include "machine/time_governor.h"

namespace relic86 {

class SharedThreadTime final : public TimeGovernor {
 public:
  // The guest had nothing to do for a while.
  void note_idle() { idle_ = true; }

  // On the thread itself.
  GuestTime limit(const Question& question) override;
  void note_reading() override {}  // taken for granted

 private:
  TimeCredit credit_{1};
  bool idle_ = false;
  u64 looks_ = 0;
};

}  // namespace relic86
