// Guest time for a whole machine (docs/architecture.md, Time): it follows the host's clock, or counts instructions
// (-icount).
//
// A host that is busy elsewhere for a while, or a device that waits for the host's disk, must not look to the guest
// like many timer periods with one tick: kernels then find their timer broken or drivers their devices silent. So time
// that passes without the guest getting anywhere is lent: it comes back while the guest idles, and a little at a time
// while it runs.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>

#include "base/guest_clock.h"
#include "base/state_archive.h"
#include "machine/host_time.h"
#include "options/options.h"

namespace relic86 {

class MachineClock final : public GuestClock {
 public:
  // instruction_count: the processor's count, exact in the middle of a slice.
  // host_clock: nanoseconds, never backwards.
  MachineClock(std::optional<IcountOption> icount, std::function<u64()> instruction_count,
               i64 (*host_clock)() = host_monotonic_ns);

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

  // Real time, idle processor: how long to sleep for so much guest time, in host nanoseconds; and after the sleep,
  // which may have been cut short.
  i64 sleep_for(GuestTime wanted) const { return std::max<i64>(0, wanted - lent_); }
  void slept(GuestTime wanted);

  // Deterministic, idle processor: guest time jumps to the deadline (never backwards).
  void skip_to(GuestTime deadline);

  void state(StateArchive& archive);

 private:
  std::optional<IcountOption> icount_;
  std::function<u64()> instruction_count_;
  i64 (*host_clock_)();
  bool running_ = false;
  // Guest time when it was last looked at; -icount: all idle time skipped.
  mutable GuestTime base_ = 0;
  // Real time: host time of that look, and how far guest time is behind.
  mutable i64 host_seen_ = 0;
  mutable i64 lent_ = 0;
  double speed_ = 0.05;  // instructions per host nanosecond
};

}  // namespace relic86
