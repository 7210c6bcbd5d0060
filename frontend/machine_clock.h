// Guest time for a whole machine (docs/architecture.md, Time): it follows the host's clock, or counts instructions
// (-icount).
#pragma once

#include <functional>
#include <optional>

#include "base/guest_clock.h"
#include "base/state_archive.h"
#include "frontend/options.h"

namespace relic86 {

class MachineClock final : public GuestClock {
 public:
  // instruction_count: the processor's count, exact in the middle of a slice.
  MachineClock(std::optional<IcountOption> icount, std::function<u64()> instruction_count);

  GuestTime now() const override;
  bool deterministic() const { return icount_.has_value(); }
  bool sleeps() const { return !icount_ || icount_->sleep; }

  // Guest time stands still while the machine is paused. It starts stopped.
  void stop();
  void start();

  // How many instructions to run before `deadline`, at least 1. Deterministic: exactly as many as reach it. Real time:
  // an estimate from the measured speed, for at most a millisecond.
  u64 budget(GuestTime deadline) const;
  // Real time: measures the guest's speed from a slice that ran this many instructions in this many host nanoseconds.
  void measure(u64 instructions, i64 host_ns);
  // Instructions a second, smoothed; for the window's title.
  u64 instructions_per_second() const { return static_cast<u64>(speed_ * 1e9); }

  // Deterministic, idle processor: guest time jumps to the deadline (never backwards).
  void skip_to(GuestTime deadline);

  void state(StateArchive& archive);

 private:
  std::optional<IcountOption> icount_;
  std::function<u64()> instruction_count_;
  bool running_ = false;
  GuestTime base_ = 0;   // guest time when it was last started, or all idle time skipped (-icount)
  i64 host_start_ = 0;   // real time: host time of that moment
  double speed_ = 0.05;  // instructions per host nanosecond
};

}  // namespace relic86
