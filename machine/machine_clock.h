// Guest time for a whole machine (docs/architecture.md, Time): it follows the host's clock, or counts instructions
// (-icount).
//
// A host that is busy elsewhere for a while, or a device that waits for the host's disk, must not look to the guest
// like many timer periods with one tick: kernels then find their timer broken or drivers their devices silent. So guest
// time never jumps. Time that passes without the guest getting anywhere is lent: while the guest idles it goes straight
// on to the next event, and while it runs guest time goes faster, in proportion to what is lent and 32 times at most. A
// guest with a third of a processor so sees true seconds and a processor of a third of the speed; what a machine
// stopped for 30 s has missed, it makes up for in about a second.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "base/guest_clock.h"
#include "base/state_archive.h"
#include "devices/scheduler.h"
#include "machine/host_time.h"
#include "machine/time_governor.h"
#include "options/options.h"

namespace relic86 {

// What the host's time is read from.
struct HostClocks {
  i64 (*nanoseconds)() = host_monotonic_ns;                         // never backwards
  u64 (*ticks)() = host_ticks_are_steady() ? host_ticks : nullptr;  // what lines are drawn over; null: none are
};

class MachineClock final : public GuestClock {
 public:
  // instruction_count: the processor's count, exact in the middle of a slice.
  MachineClock(std::optional<IcountOption> icount, std::function<u64()> instruction_count,
               const HostClocks& host = HostClocks());

  GuestTime now() const override;
  GuestTime now_on_line() const override;
  // now_on_line() of somebody who does not tell the guest.
  GuestTime look() const;
  // What the line says, if one holds; the clock is not asked, and the line goes on.
  std::optional<GuestTime> on_line() const;
  // Real time: no less than what now() would say, if a line was drawn less than `longest` ago. Costs next to nothing.
  std::optional<GuestTime> estimate(GuestTime longest) const;
  ClockLine* line() const override { return icount_ || host_.ticks == nullptr ? nullptr : &line_; }
  bool deterministic() const { return icount_.has_value(); }
  bool sleeps() const { return !icount_ || icount_->sleep; }

  // Guest time stands still while the machine is paused. It starts stopped.
  void stop();
  void start();

  // How many instructions to run before `deadline`, at least 1. Deterministic: exactly as many as reach it. Real time:
  // an estimate from the measured speed, for at most a millisecond.
  u64 budget(GuestTime deadline) const;
  // Real time: measures the guest's speed from a slice that ran this many instructions in this many host nanoseconds.
  // Slices too short to be measured are put together.
  void measure(u64 instructions, i64 host_ns);
  // Instructions a second, smoothed; for the window's title.
  u64 instructions_per_second() const { return static_cast<u64>(speed_ * 1e9); }

  // Real time, idle processor: how long to sleep for so much guest time, in host nanoseconds; and after the sleep,
  // which may have been cut short.
  i64 sleep_for(GuestTime wanted) const { return std::max<i64>(0, wanted - lent_); }
  // Real time, running guest: when the next event of a device is due. Guest time goes on for only a moment after that
  // until the caller has carried the event out and says which is the next, so that no tick of a periodic timer passes
  // unseen.
  void expect_event(GuestTime deadline) {
    if (std::exchange(next_event_, deadline) != deadline) end_line();
  }
  // Real time: guest time stands at this moment until the caller names a later one.
  void hold_at(GuestTime moment) {
    if (std::exchange(held_at_, moment) != moment) end_line();
  }
  // Real time: asked how far guest time may go before it goes on by more than a little. Null: as far as the host's.
  void govern(TimeGovernor* governor);
  // Real time: guest time goes at most so many times as fast as the host's while the guest runs. To a guest its
  // processors are as much slower then: several that share what the host gives have to get their timers' interrupts
  // handled, with code that is translated only then, before the next ones are due.
  void limit_pace(i64 most) { most_repayment_ = most - 1; }
  // Guest nanoseconds per host nanosecond while the guest runs and nothing holds guest time.
  double pace() const;
  // Real time: how far guest time is behind the host's, in nanoseconds.
  i64 lent() const { return lent_; }
  void slept(GuestTime wanted);

  // Deterministic, idle processor: guest time jumps to the deadline (never backwards).
  void skip_to(GuestTime deadline);

  void state(StateArchive& archive);

 private:
  GuestTime advance() const;
  void draw_line(u64 ticks) const;
  void end_line() const;
  void calibrate(u64 ticks) const;

  std::optional<IcountOption> icount_;
  std::function<u64()> instruction_count_;
  HostClocks host_;
  bool running_ = false;
  // Guest time when it was last looked at; -icount: all idle time skipped.
  mutable GuestTime base_ = 0;
  // Real time: host time of that look, and how far guest time is behind.
  mutable i64 host_seen_ = 0;
  mutable i64 lent_ = 0;
  GuestTime next_event_ = Scheduler::kNever;
  // The line that guest time follows since it was last looked at, and what its slope comes from: a moment on both of
  // the host's clocks, and their ratio since.
  mutable ClockLine line_;
  struct Reference {
    u64 ticks = 0;
    i64 nanoseconds = 0;
  };
  mutable std::optional<Reference> reference_;
  mutable double ns_per_tick_ = 0;  // 0: not measured yet
  double speed_ = 0.05;             // instructions per host nanosecond
  // Short slices not yet in speed_.
  u64 measured_instructions_ = 0;
  i64 measured_ns_ = 0;
  GuestTime held_at_ = Scheduler::kNever;
  // The governor's last answer, where guest time stood when it had been acted on, and the host time of the question.
  TimeGovernor* governor_ = nullptr;
  mutable GuestTime limit_ = Scheduler::kNever, after_limit_ = 0;
  mutable i64 asked_ = 0;
  // Where the last line began, on both clocks, if guest time has done nothing since but follow the host's.
  struct LineStart {
    u64 ticks = 0;
    GuestTime time = 0;
  };
  mutable std::optional<LineStart> line_start_;
  i64 most_repayment_ = 31;
};

}  // namespace relic86
