#include "machine/machine_clock.h"

#include <algorithm>

namespace relic86 {

namespace {
// Two looks at the clock are a slice apart at most, a millisecond by estimate. Guest time takes no longer step than
// twice that: a timer at 1 kHz loses little by it.
constexpr i64 kLongestStep = 2'000'000;
// How far guest time goes beyond an event that is not carried out yet: less than half a period of a 1024 Hz clock.
constexpr i64 kLatestEvent = 400'000;
// While the guest runs, lent time comes back at a rate of lent / kRepaymentTime, kMostRepayment at most, in addition to
// the host's time. The time is long beside a host's scheduling periods, so that the pace is steady under load.
constexpr i64 kRepaymentTime = 50'000'000;
constexpr i64 kMostRepayment = 31;
}  // namespace

MachineClock::MachineClock(std::optional<IcountOption> icount, std::function<u64()> instruction_count,
                           i64 (*host_clock)())
    : icount_(icount), instruction_count_(std::move(instruction_count)), host_clock_(host_clock) {}

GuestTime MachineClock::now() const {
  if (icount_) return static_cast<GuestTime>(static_cast<u64>(base_) + (instruction_count_() << icount_->shift));
  if (!running_) return base_;
  const i64 host = host_clock_();
  const i64 passed = host - host_seen_;
  host_seen_ = host;
  // Products of bounded numbers: a machine may have stood for days.
  const i64 repaid = std::min(passed, kLongestStep) * std::min(lent_, kMostRepayment * kRepaymentTime) / kRepaymentTime;
  i64 due = std::min(passed + std::min(lent_, repaid), kLongestStep);
  if (next_event_ - base_ < due - kLatestEvent) due = std::max<i64>(0, next_event_ + kLatestEvent - base_);
  lent_ += passed - due;
  return base_ += due;
}

double MachineClock::pace() const {
  return 1 + std::min(static_cast<double>(lent_) / kRepaymentTime, static_cast<double>(kMostRepayment));
}

// Guest time goes to the event that the guest slept for and no further, however late the host comes back: timers of an
// idle guest lose nothing.
void MachineClock::slept(GuestTime wanted) {
  const i64 host = host_clock_();
  const i64 total = host - host_seen_ + lent_;
  host_seen_ = host;
  const i64 due = std::min(total, wanted);
  lent_ = total - due;
  base_ += due;
}

void MachineClock::stop() {
  if (!icount_) base_ = now();
  running_ = false;
}

void MachineClock::start() {
  host_seen_ = host_clock_();
  running_ = true;
}

u64 MachineClock::budget(GuestTime deadline) const {
  constexpr GuestTime kLongest = 1'000'000;  // 1 ms of guest time: host input is never far away
  const GuestTime left =
      deadline == Scheduler::kNever ? kLongest : std::clamp<GuestTime>(deadline - now(), 0, kLongest);
  if (icount_) {
    const u64 step = u64{1} << icount_->shift;
    return std::max<u64>(1, (static_cast<u64>(left) + step - 1) >> icount_->shift);
  }
  constexpr double kFewest = 500, kMost = 20e6;
  return static_cast<u64>(std::clamp(static_cast<double>(left) / pace() * speed_, kFewest, kMost));
}

void MachineClock::measure(u64 instructions, i64 host_ns) {
  constexpr i64 kTooShort = 20'000;
  constexpr double kWeight = 0.05;
  measured_instructions_ += instructions;
  measured_ns_ += host_ns;
  if (measured_ns_ < kTooShort) return;
  if (measured_instructions_ != 0) {
    speed_ += kWeight * (static_cast<double>(measured_instructions_) / static_cast<double>(measured_ns_) - speed_);
  }
  measured_instructions_ = 0;
  measured_ns_ = 0;
}

void MachineClock::skip_to(GuestTime deadline) {
  if (icount_) base_ += std::max<GuestTime>(0, deadline - now());
}

void MachineClock::state(StateArchive& archive) {
  // The moment is saved; after loading, time goes on from it, be it counted or measured then.
  GuestTime moment = now();
  archive.field("time", moment);
  if (!archive.loading()) return;
  constexpr GuestTime kLatest = GuestTime{1} << 61;  // some 70 years; times to come are computed from it
  base_ = std::clamp<GuestTime>(moment, 0, kLatest);
  host_seen_ = host_clock_();
  lent_ = 0;
  if (icount_) base_ = static_cast<GuestTime>(static_cast<u64>(base_) - (instruction_count_() << icount_->shift));
}

}  // namespace relic86
