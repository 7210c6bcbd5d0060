#include "machine/machine_clock.h"

#include <gtest/gtest.h>

namespace relic86 {

namespace {

constexpr i64 kMillisecond = 1'000'000;

// The host's clock, as the test says.
i64& host_now() {
  static i64 now = 0;
  return now;
}

MachineClock started_clock() {
  host_now() = 5'000 * kMillisecond;
  MachineClock clock(
      std::nullopt, [] { return u64{0}; }, [] { return host_now(); });
  clock.start();
  return clock;
}

}  // namespace

TEST(MachineClock, FollowsTheHost) {
  MachineClock clock = started_clock();
  for (int i = 0; i < 100; i++) {
    host_now() += kMillisecond;
    (void)clock.now();
  }
  EXPECT_EQ(clock.now(), 100 * kMillisecond);
}

TEST(MachineClock, StandsStillWhilePaused) {
  MachineClock clock = started_clock();
  host_now() += kMillisecond;
  clock.stop();
  host_now() += 1000 * kMillisecond;
  EXPECT_EQ(clock.now(), kMillisecond);
  clock.start();
  host_now() += kMillisecond;
  EXPECT_EQ(clock.now(), 2 * kMillisecond);
}

TEST(MachineClock, AStallOfTheHostIsNoJumpAndComesBack) {
  MachineClock clock = started_clock();
  host_now() += 100 * kMillisecond;
  EXPECT_LE(clock.now(), 2 * kMillisecond);
  GuestTime last = clock.now();
  for (int i = 0; i < 1000; i++) {
    host_now() += kMillisecond;
    const GuestTime now = clock.now();
    ASSERT_GE(now - last, kMillisecond);
    ASSERT_LE(now - last, kMillisecond * 5 / 4);
    last = now;
  }
  EXPECT_EQ(last, 1100 * kMillisecond);
}

TEST(MachineClock, AnIdleGuestCatchesUpAtOnce) {
  MachineClock clock = started_clock();
  host_now() += 100 * kMillisecond;
  const GuestTime before = clock.now();
  EXPECT_EQ(clock.sleep_for(50 * kMillisecond), 0);
  clock.slept(50 * kMillisecond);
  EXPECT_EQ(clock.now() - before, 52 * kMillisecond);
  const i64 rest = clock.sleep_for(100 * kMillisecond);
  EXPECT_EQ(rest, 100 * kMillisecond - (98 - 52) * kMillisecond);
  host_now() += rest;
  clock.slept(100 * kMillisecond);
  EXPECT_EQ(clock.now(), host_now() - 5'000 * kMillisecond);
}

TEST(MachineClock, OversleepingIsAStall) {
  MachineClock clock = started_clock();
  host_now() += 80 * kMillisecond;
  clock.slept(10 * kMillisecond);
  EXPECT_LE(clock.now(), 12 * kMillisecond);
  // Woken early by the host: time goes no further than it did there.
  MachineClock other = started_clock();
  host_now() += 3 * kMillisecond;
  other.slept(10 * kMillisecond);
  EXPECT_EQ(other.now(), 3 * kMillisecond);
}

}  // namespace relic86
