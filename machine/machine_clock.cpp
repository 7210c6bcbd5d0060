#include "machine/machine_clock.h"

#include <algorithm>

#include "devices/scheduler.h"

namespace relic86 {

namespace {
// Two looks at the clock are a slice apart at most, a millisecond by estimate. A timer at 1 kHz loses little by twice
// that.
constexpr i64 kStall = 2'000'000;
constexpr i64 kRepayment = 8;  // a running guest gets back so much of lent time: one part in
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
  const i64 due = passed > kStall ? kStall : passed + std::min(lent_, passed / kRepayment);
  lent_ += passed - due;
  return base_ += due;
}

void MachineClock::slept(GuestTime wanted) {
  const i64 host = host_clock_();
  const i64 total = host - host_seen_ + lent_;
  host_seen_ = host;
  const i64 due = std::min(total, wanted + kStall);
  lent_ = total - due;
  base_ += due;
}

void MachineClock::stop() {
  if (!icount_) base_ = now();
  running_ = false;
}

void MachineClock::start() {
  host_seen_ = host_clock_();
  lent_ = 0;
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
  return static_cast<u64>(std::clamp(static_cast<double>(left) * speed_, kFewest, kMost));
}

void MachineClock::measure(u64 instructions, i64 host_ns) {
  constexpr i64 kTooShort = 20'000;
  constexpr double kWeight = 0.05;
  if (host_ns < kTooShort || instructions == 0) return;
  speed_ += kWeight * (static_cast<double>(instructions) / static_cast<double>(host_ns) - speed_);
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
