// Guest time on a host that takes processors' threads off its own processors: what several of them read then.
#include <gtest/gtest.h>

#include <array>

#include "machine/machine_clock.h"
#include "machine/time_credit.h"

namespace relic86 {

namespace {

constexpr i64 kMicrosecond = 1'000, kMillisecond = 1'000'000;

i64& host_now() {
  static i64 now = 0;
  return now;
}
constexpr HostClocks kHost{.nanoseconds = [] { return host_now(); },
                           .ticks = [] { return static_cast<u64>(host_now() * 5 / 2); }};

// Processors whose threads have or have not a place on the host.
template <std::size_t count>
class Host final : public TimeGovernor {
 public:
  Host() {
    host_now() = 5'000 * kMillisecond;
    clock_.limit_pace(1);
    clock_.govern(this);
    clock_.start();
    // Lines are drawn once the host's counter has been measured.
    for (int i = 0; i < 20; i++) pass(kMillisecond), (void)clock_.look();
  }

  void run(std::size_t processor, bool runs) { runs_[processor] = runs; }
  void sleep(std::size_t processor) { work_[processor].idle = true; }
  void pass(i64 nanoseconds) {
    host_now() += nanoseconds;
    for (std::size_t i = 0; i < count; i++) {
      if (runs_[i]) work_[i].worked += nanoseconds;
    }
  }
  // What a processor that runs is told: by the line if there is one.
  GuestTime read(std::size_t processor) {
    ClockLine& line = *clock_.line();
    work_[processor].readings++;
    GuestTime time = 0;
    if (const auto on_line = clock_.on_line()) {
      time = line.latest = std::max(line.latest, *on_line);
    } else {
      time = clock_.look();
    }
    EXPECT_GE(time, latest_) << "time stamp counters are in step";
    return latest_ = time;
  }
  MachineClock& clock() { return clock_; }

  GuestTime limit(const Question& question) override { return credit_.limit(question, {work_.begin(), work_.end()}); }
  void note_reading() override {}

 private:
  MachineClock clock_{std::nullopt, [] { return u64{0}; }, kHost};
  TimeCredit credit_{count};
  std::array<TimeCredit::Work, count> work_;
  std::array<bool, count> runs_ = [] {
    std::array<bool, count> all{};
    all.fill(true);
    return all;
  }();
  GuestTime latest_ = 0;
};

// A stretch of a line, and the work between two looks.
constexpr GuestTime kAtMost = 2 * TimeGovernor::kNear + 2 * kMicrosecond;

}  // namespace

// The first one is taken off between two readings, for as long as hosts do that, while the second one reads all the time.
TEST(BusyHostTime, TwoReadingsSideBySideAreNeverFarApart) {
  Host<2> host;
  for (i64 away = 100 * kMicrosecond; away < 100 * kMillisecond; away *= 3) {
    for (i64 apart = 0; apart < 40 * kMicrosecond; apart += 7 * kMicrosecond) {
      const GuestTime first = host.read(0);
      host.run(0, false);
      for (i64 passed = 0; passed < away; passed += kMicrosecond) {
        host.pass(kMicrosecond);
        (void)host.read(1);
      }
      host.run(0, true);
      EXPECT_LE(host.read(0) - first, kAtMost) << "away for " << away;
      host.pass(apart);
    }
  }
}

// The only one that has anything to do is taken off; the machine's own thread looks meanwhile, or nobody does.
TEST(BusyHostTime, NorAreThoseOfASingleOneThatWorks) {
  Host<2> host;
  host.sleep(1);
  for (const bool somebody_looks : {true, false}) {
    const GuestTime first = host.read(0);
    host.run(0, false);
    for (int i = 0; i < 100; i++) {
      host.pass(kMillisecond);
      if (somebody_looks) (void)host.clock().look();
    }
    host.run(0, true);
    EXPECT_LE(host.read(0) - first, kAtMost);
  }
}

// Both have their turn by turns, and both read all the time: neither is ever told of a gap, and time goes on.
TEST(BusyHostTime, TwoThatShareAPlaceSeeNoGap) {
  Host<2> host;
  std::array<GuestTime, 2> last{host.read(0), host.read(1)};
  const GuestTime start = last[0];
  for (std::size_t turn = 0; turn < 1000; turn++) {
    const std::size_t now = turn % 2;
    host.run(now, true);
    host.run(1 - now, false);
    for (int i = 0; i < 3000; i++) {
      host.pass(kMicrosecond);
      const GuestTime time = host.read(now);
      ASSERT_LE(time - std::exchange(last[now], time), kAtMost);
    }
  }
  EXPECT_GT(last[0] - start, 1000 * TimeGovernor::kNear / 2);
}

TEST(BusyHostTime, GuestTimeIsTheHostsWhileAllHaveTheirPlaces) {
  Host<2> host;
  const GuestTime start = host.read(0);
  for (int i = 0; i < 100'000; i++) {
    host.pass(kMicrosecond);
    if (i % 3 == 0) (void)host.read(0);
    if (i % 1000 == 0) (void)host.read(1);
  }
  EXPECT_NEAR(static_cast<double>(host.read(0) - start), 100.0 * kMillisecond, 0.01 * kMillisecond);
}

TEST(BusyHostTime, AReadingLongAgoHoldsNothing) {
  Host<2> host;
  (void)host.read(0);
  for (int i = 0; i < 100; i++) {
    host.pass(10 * kMicrosecond);
    (void)host.clock().look();
  }
  const GuestTime start = host.read(1);
  host.run(0, false);
  host.sleep(1);
  for (int i = 0; i < 1000; i++) {
    host.pass(10 * kMicrosecond);
    (void)host.clock().look();
  }
  const GuestTime gone = host.clock().look() - start;
  EXPECT_GT(gone, kMillisecond);
  EXPECT_LE(gone, TimeCredit::kMost);
}

}  // namespace relic86
