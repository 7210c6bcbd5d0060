#include "frontend/machine_clock.h"

#include <algorithm>

#include "devices/scheduler.h"
#include "frontend/host_time.h"

namespace relic86 {

MachineClock::MachineClock(std::optional<IcountOption> icount, std::function<u64()> instruction_count)
    : icount_(icount), instruction_count_(std::move(instruction_count)) {}

GuestTime MachineClock::now() const {
  if (icount_) return static_cast<GuestTime>(static_cast<u64>(base_) + (instruction_count_() << icount_->shift));
  return running_ ? base_ + (host_monotonic_ns() - host_start_) : base_;
}

void MachineClock::stop() {
  if (!icount_) base_ = now();
  running_ = false;
}

void MachineClock::start() {
  host_start_ = host_monotonic_ns();
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
  host_start_ = host_monotonic_ns();
  if (icount_) base_ = static_cast<GuestTime>(static_cast<u64>(base_) - (instruction_count_() << icount_->shift));
}

}  // namespace relic86
