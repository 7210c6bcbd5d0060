#include "machine/machine_clock.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace relic86 {

namespace {
// Two looks at the clock are a slice apart at most, a millisecond by estimate. Guest time takes no longer step than
// twice that: a timer at 1 kHz loses little by it.
constexpr i64 kLongestStep = 2'000'000;
// How far guest time goes beyond an event that is not carried out yet: less than half a period of a 1024 Hz clock.
constexpr i64 kLatestEvent = 400'000;
// While the guest runs, lent time comes back at a rate of lent / kRepaymentTime, most_repayment_ at most, in addition to
// the host's time. The time is long beside a host's scheduling periods, so that the pace is steady under load.
constexpr i64 kRepaymentTime = 50'000'000;
constexpr unsigned kRateShift = 32;  // of ClockLine::rate
// Between two questions to the governor, which cost it system calls.
constexpr i64 kBetweenQuestions = TimeGovernor::kNear;

// Processors with host threads of their own read the line while it changes (jit/x64/clock_reader.h).
template <class T>
void set(T& field, T value) {
  std::atomic_ref(field).store(value, std::memory_order_release);
}
}  // namespace

MachineClock::MachineClock(std::optional<IcountOption> icount, std::function<u64()> instruction_count,
                           const HostClocks& host)
    : icount_(icount), instruction_count_(std::move(instruction_count)), host_(host) {}

GuestTime MachineClock::now() const {
  const GuestTime moment = advance();
  if (governor_ != nullptr) governor_->note_reading();
  return moment;
}

GuestTime MachineClock::advance() const {
  if (icount_) return static_cast<GuestTime>(static_cast<u64>(base_) + (instruction_count_() << icount_->shift));
  if (!running_) return base_;
  const i64 host = host_.nanoseconds();
  const i64 passed = host - host_seen_;
  host_seen_ = host;
  const bool asks = governor_ != nullptr && host - asked_ >= kBetweenQuestions;
  if (asks) {
    asked_ = host;
    limit_ = governor_->limit({host, after_limit_, base_, pace()});
  }
  // Products of bounded numbers: a machine may have stood for days.
  const i64 repaid =
      std::min(passed, kLongestStep) * std::min(lent_, most_repayment_ * kRepaymentTime) / kRepaymentTime;
  i64 due = std::min(passed + std::min(lent_, repaid), kLongestStep);
  if (next_event_ - base_ < due - kLatestEvent) due = std::max<i64>(0, next_event_ + kLatestEvent - base_);
  due = std::clamp<i64>(std::min(held_at_, limit_) - base_, 0, due);
  lent_ += passed - due;
  base_ += due;
  end_line();
  // A reader's counter was ahead.
  if (const GuestTime latest = std::atomic_ref(line_.latest).load(std::memory_order_acquire); latest > base_) {
    lent_ = std::max<i64>(0, lent_ - (latest - base_));
    base_ = latest;
  }
  if (asks) after_limit_ = base_;
  return base_;
}

GuestTime MachineClock::now_on_line() const {
  const GuestTime moment = look();
  if (governor_ != nullptr) governor_->note_reading();
  return moment;
}

GuestTime MachineClock::look() const {
  if (line() == nullptr || !running_) return advance();
  // More ticks than this between two looks at the counter: the host did something else meanwhile, and the two clocks
  // were not read at one moment.
  constexpr u64 kSharp = 4'000;
  const u64 before = host_.ticks();
  const GuestTime moment = advance();
  const u64 ticks = host_.ticks();
  if (ticks - before > kSharp) return moment;
  calibrate(ticks);
  if (ns_per_tick_ != 0) draw_line(ticks);
  return moment;
}

void MachineClock::end_line() const { set(line_.span, u64{0}); }

std::optional<GuestTime> MachineClock::on_line() const {
  if (line() == nullptr) return std::nullopt;
  const u64 passed = host_.ticks() - line_.first;
  if (passed >= line_.span) return std::nullopt;
  return line_.start + static_cast<GuestTime>(passed * line_.rate >> kRateShift);
}

std::optional<GuestTime> MachineClock::estimate(GuestTime longest) const {
  if (line() == nullptr || !line_start_) return std::nullopt;
  const u64 passed = host_.ticks() - line_start_->ticks;
  if (passed >> kRateShift != 0) return std::nullopt;
  const auto gone = static_cast<GuestTime>(passed * line_.rate >> kRateShift);
  return gone < longest ? std::optional(line_start_->time + gone) : std::nullopt;
}

void MachineClock::govern(TimeGovernor* governor) {
  if (governor == governor_) return;
  governor_ = governor;
  limit_ = Scheduler::kNever;
  after_limit_ = base_;
  asked_ = 0;
  end_line();
}

// The slope is that of the last stretch of this length: hosts correct their clocks all the time, by little.
void MachineClock::calibrate(u64 ticks) const {
  constexpr i64 kFirstStretch = 10'000'000, kStretch = 200'000'000;
  if (!reference_) {
    reference_ = Reference{ticks, host_seen_};
    return;
  }
  const i64 stretch = host_seen_ - reference_->nanoseconds;
  if (stretch < (ns_per_tick_ == 0 ? kFirstStretch : kStretch)) return;
  const double measured = static_cast<double>(stretch) / static_cast<double>(ticks - reference_->ticks);
  // A counter that has been set, or that stood while the host slept: start again.
  constexpr double kTolerance = 0.01, kSlowest = 20;
  const bool believable =
      measured > 0 && measured < kSlowest && (ns_per_tick_ == 0 || std::abs(measured / ns_per_tick_ - 1) < kTolerance);
  ns_per_tick_ = believable ? measured : 0;
  reference_ = Reference{ticks, host_seen_};
}

// What now() is going to say for moments up to its longest step, while nobody asks.
void MachineClock::draw_line(u64 ticks) const {
  GuestTime longest = kLongestStep;
  if (next_event_ != Scheduler::kNever) longest = std::min(longest, next_event_ + kLatestEvent - base_);
  longest = std::min(longest, std::min(held_at_, limit_) - base_);
  if (governor_ != nullptr) longest = std::min(longest, TimeGovernor::kNear);
  if (longest <= 0) return;
  constexpr double kOne = u64{1} << kRateShift;
  const double slope = ns_per_tick_ * pace();
  set(line_.first, ticks);
  set(line_.rate, static_cast<u64>(slope * kOne));
  set(line_.start, base_);
  set(line_.span, static_cast<u64>(static_cast<double>(longest) / slope));
  line_start_ = LineStart{ticks, base_};
}

double MachineClock::pace() const {
  return 1 + std::min(static_cast<double>(lent_) / kRepaymentTime, static_cast<double>(most_repayment_));
}

// Guest time goes to the event that the guest slept for and no further, however late the host comes back: timers of an
// idle guest lose nothing.
void MachineClock::slept(GuestTime wanted) {
  const i64 host = host_.nanoseconds();
  const i64 total = host - host_seen_ + lent_;
  host_seen_ = host;
  const i64 due = std::min(total, wanted);
  lent_ = total - due;
  base_ += due;
  line_start_.reset();
  end_line();
}

void MachineClock::stop() {
  if (!icount_) base_ = now();
  running_ = false;
}

void MachineClock::start() {
  host_seen_ = host_.nanoseconds();
  line_start_.reset();
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
    // A guest that goes on to new code after it has cleared memory is a hundred times slower at once: slices that are
    // too long lend time, those that are too short cost nothing.
    constexpr double kCollapse = 0.5;
    const double measured = static_cast<double>(measured_instructions_) / static_cast<double>(measured_ns_);
    speed_ = measured < kCollapse * speed_ ? measured : speed_ + kWeight * (measured - speed_);
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
  host_seen_ = host_.nanoseconds();
  lent_ = 0;
  line_ = {};
  line_start_.reset();
  limit_ = Scheduler::kNever;
  after_limit_ = base_;
  asked_ = 0;
  if (icount_) base_ = static_cast<GuestTime>(static_cast<u64>(base_) - (instruction_count_() << icount_->shift));
}

}  // namespace relic86
