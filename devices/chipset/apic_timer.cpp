#include "devices/chipset/apic_timer.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr GuestTime kSecond = 1'000'000'000;
constexpr u32 kMostOwed = 1'000'000;  // a second's worth of the shortest period
}  // namespace

void ApicTimer::reset() {
  mode_ = Mode::OneShot;
  divide_ = initial_ = count_ = owed_ = 0;
  base_ = 0;
  deadline_ = 0;
  schedule();
}

void ApicTimer::state(StateArchive& archive) {
  archive.field("timer_mode", mode_);
  archive.field("divide", divide_);
  archive.field("initial_count", initial_);
  archive.field("count", count_);
  archive.field("count_time", base_);
  archive.field("owed", owed_);
  archive.field("deadline", deadline_);
  if (!archive.loading()) return;
  mode_ = static_cast<Mode>(static_cast<u8>(mode_) & 3);
  divide_ &= 0xB;
  if (initial_ == 0) count_ = 0;
  base_ = std::clamp<GuestTime>(base_, 0, scheduler_->now());
  owed_ = std::min(owed_, kMostOwed);
}

// Bits 3, 1 and 0: 2, 4, 8 ... 128, and 1 for 111b (SDM 3A figure 10-10).
GuestTime ApicTimer::tick() const {
  const u32 code = (divide_ & 3) | (divide_ >> 1 & 4);
  return GuestTime{1} << ((code + 1) & 7);
}

u32 ApicTimer::current_count() const {
  if (count_ == 0 || mode_ == Mode::TscDeadline) return 0;
  const u64 passed = static_cast<u64>((scheduler_->now() - base_) / tick());
  if (passed < count_) return static_cast<u32>(count_ - passed);
  if (mode_ != Mode::Periodic) return 0;
  return static_cast<u32>(initial_ - (passed - count_) % initial_);
}

// Going from or to TSC-deadline mode disarms (SDM 3A 10.5.4.1); between the counting modes the count goes on.
void ApicTimer::set_mode(Mode mode) {
  if (mode == mode_) return;
  if (mode == Mode::TscDeadline || mode_ == Mode::TscDeadline) {
    count_ = initial_ = 0;
    deadline_ = 0;
  } else {
    count_ = current_count();
    base_ = scheduler_->now();
  }
  mode_ = mode;
  owed_ = 0;
  schedule();
}

void ApicTimer::set_divide(u32 value) {
  count_ = current_count();
  base_ = scheduler_->now();
  divide_ = value & 0xB;
  owed_ = 0;
  if (mode_ != Mode::TscDeadline) schedule();
}

void ApicTimer::set_initial_count(u32 count) {
  if (mode_ == Mode::TscDeadline) return;
  initial_ = count_ = count;
  owed_ = 0;
  base_ = scheduler_->now();
  schedule();
}

void ApicTimer::set_deadline(u64 tsc, GuestTime moment) {
  if (mode_ != Mode::TscDeadline) return;
  deadline_ = tsc;
  scheduler_->schedule_at(event_, tsc == 0 ? Scheduler::kNever : moment);
}

void ApicTimer::schedule() {
  if (scheduler_ == nullptr) return;
  scheduler_->schedule_at(event_, count_ == 0 ? Scheduler::kNever : base_ + GuestTime{count_} * tick());
}

bool ApicTimer::expire() {
  if (mode_ == Mode::TscDeadline) {
    const bool armed = deadline_ != 0;
    deadline_ = 0;
    return armed;
  }
  if (count_ == 0) return false;
  if (mode_ != Mode::Periodic || initial_ == 0) {
    count_ = 0;
    return true;
  }
  // Periods that passed unseen because the host was late are owed: they are given one by one, so that clocks that count
  // interrupts keep the time.
  const GuestTime now = scheduler_->now();
  const GuestTime ended = base_ + GuestTime{count_} * tick();
  if (now >= ended) {
    const GuestTime missed = (now - ended) / period();
    owed_ = static_cast<u32>(std::min<GuestTime>(owed_ + missed, most_owed()));
    base_ = ended + missed * period();
    count_ = initial_;
  } else if (owed_ > 0) {
    owed_--;
  } else {
    schedule();
    return false;
  }
  constexpr GuestTime kOwedInAPeriod = 4;
  GuestTime next = base_ + GuestTime{count_} * tick();
  if (owed_ > 0) next = std::min(next, now + period() / kOwedInAPeriod);
  scheduler_->schedule_at(event_, std::max(next, now + kShortestPeriod));
  return true;
}

void ApicTimer::owe() {
  if (mode_ == Mode::Periodic && initial_ != 0) owed_ = std::min(owed_ + 1, most_owed());
}

u32 ApicTimer::most_owed() const { return static_cast<u32>(std::clamp<GuestTime>(kSecond / period(), 1, kMostOwed)); }

}  // namespace relic86
