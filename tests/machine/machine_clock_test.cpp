#include "machine/machine_clock.h"

#include <gtest/gtest.h>

#include "devices/chipset/i8254.h"

namespace relic86 {

namespace {

constexpr i64 kMillisecond = 1'000'000;
constexpr GuestTime kLongestStep = 2 * kMillisecond;

class NoInterrupts final : public IrqSink {
 public:
  void set_irq(unsigned, bool) override {}
};

// The host's clock, as the test says.
i64& host_now() {
  static i64 now = 0;
  return now;
}

// A counter of 2.5 GHz, with an error of so many ticks.
i64& ticks_ahead() {
  static i64 ticks = 0;
  return ticks;
}
u64 host_counter() { return static_cast<u64>(host_now() * 5 / 2 + ticks_ahead()); }
constexpr HostClocks kHost{.nanoseconds = [] { return host_now(); }, .ticks = host_counter};

// What translated code makes of the line now.
struct Reading {
  bool holds = false;
  GuestTime time = 0;
};
Reading read_line(MachineClock& clock) {
  ClockLine& line = *clock.line();
  const u64 passed = host_counter() - line.first;
  if (passed >= line.span) return {};
  line.latest = std::max(line.latest, line.start + static_cast<GuestTime>(passed * line.rate >> 32));
  return {true, line.latest};
}

MachineClock started_clock() {
  host_now() = 5'000 * kMillisecond;
  ticks_ahead() = 0;
  MachineClock clock(
      std::nullopt, [] { return u64{0}; }, kHost);
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
  EXPECT_LE(clock.now(), kLongestStep);
  GuestTime last = clock.now();
  for (int i = 0; i < 5000; i++) {
    host_now() += kMillisecond / 10;
    const GuestTime now = clock.now();
    ASSERT_GE(now - last, kMillisecond / 10);
    ASSERT_LE(now - last, kMillisecond / 10 * 3);  // 98 ms lent over 50 ms, in addition to the host's time
    last = now;
  }
  EXPECT_NEAR(static_cast<double>(last), 600.0 * kMillisecond, 0.1 * kMillisecond);
}

// What a busy host leaves of a processor: it runs for 3 ms, then others do for a while that varies.
TEST(MachineClock, AThirdOfAProcessorSeesTrueSeconds) {
  MachineClock clock = started_clock();
  const i64 start = host_now();
  GuestTime last = clock.now();
  for (int round = 0; host_now() - start < 60'000 * kMillisecond; round++) {
    for (int look = 0; look < 30; look++) {
      host_now() += kMillisecond / 10;
      const GuestTime now = clock.now();
      ASSERT_LE(now - last, kLongestStep);
      last = now;
    }
    host_now() += (2 + round % 9) * kMillisecond;
    const i64 passed = host_now() - start;
    last = clock.now();
    if (passed > 1000 * kMillisecond) {
      ASSERT_LE(passed - last, 200 * kMillisecond);
    }
  }
  EXPECT_NEAR(static_cast<double>(clock.now()), 60'000.0 * kMillisecond, 1200.0 * kMillisecond);  // 2 %
}

TEST(MachineClock, AHalfMinutesStopIsMadeUpForWithoutAJump) {
  MachineClock clock = started_clock();
  const i64 start = host_now();
  host_now() += 30'000 * kMillisecond;
  GuestTime last = clock.now();
  const i64 continued = host_now();
  while (host_now() - continued < 2'000 * kMillisecond) {
    host_now() += kMillisecond / 20;
    const GuestTime now = clock.now();
    ASSERT_LE(now - last, kMillisecond / 20 * 32);
    last = now;
  }
  EXPECT_NEAR(static_cast<double>(last), static_cast<double>(host_now() - start), 0.1 * kMillisecond);
}

TEST(MachineClock, APaceThatIsLimitedTakesLongerToMakeUp) {
  MachineClock clock = started_clock();
  clock.limit_pace(4);
  const GuestTime begun = clock.now();
  host_now() += 10'000 * kMillisecond;  // ten seconds during which nobody looked
  (void)clock.now();
  EXPECT_DOUBLE_EQ(clock.pace(), 4);
  for (int i = 0; i < 1000; i++) {
    const GuestTime before = clock.now();
    host_now() += kMillisecond / 4;
    EXPECT_LE(clock.now() - before, kMillisecond);
  }
  EXPECT_NEAR(static_cast<double>(clock.now() - begun), static_cast<double>(1000 * kMillisecond + kLongestStep),
              static_cast<double>(kMillisecond));
}

TEST(MachineClock, AnIdleGuestCatchesUpAtOnce) {
  MachineClock clock = started_clock();
  host_now() += 100 * kMillisecond;
  const GuestTime before = clock.now();
  EXPECT_EQ(clock.sleep_for(50 * kMillisecond), 0);
  clock.slept(50 * kMillisecond);
  EXPECT_EQ(clock.now() - before, 50 * kMillisecond);
  const i64 rest = clock.sleep_for(100 * kMillisecond);
  EXPECT_EQ(rest, 100 * kMillisecond - (98 - 50) * kMillisecond);
  host_now() += rest;
  clock.slept(100 * kMillisecond);
  EXPECT_EQ(clock.now(), host_now() - 5'000 * kMillisecond);
}

TEST(MachineClock, OversleepingIsAStall) {
  MachineClock clock = started_clock();
  host_now() += 80 * kMillisecond;
  clock.slept(10 * kMillisecond);
  EXPECT_EQ(clock.now(), 10 * kMillisecond);
  // Woken early by the host: time goes no further than it did there.
  MachineClock other = started_clock();
  host_now() += 3 * kMillisecond;
  other.slept(10 * kMillisecond);
  EXPECT_EQ(other.now(), 3 * kMillisecond);
}

TEST(MachineClock, WaitsForAnEventThatIsNotCarriedOut) {
  MachineClock clock = started_clock();
  clock.expect_event(kMillisecond);
  for (int i = 0; i < 30; i++) {
    host_now() += kMillisecond / 10;
    EXPECT_LT(clock.now(), kMillisecond * 3 / 2) << i;
  }
  EXPECT_GE(clock.now(), kMillisecond);
  clock.expect_event(2 * kMillisecond);
  host_now() += kMillisecond;
  EXPECT_GT(clock.now(), 2 * kMillisecond);
  clock.expect_event(Scheduler::kNever);
  for (int i = 0; i < 10'000; i++) {
    host_now() += kMillisecond / 10;
    (void)clock.now();
  }
  EXPECT_NEAR(static_cast<double>(clock.now()), static_cast<double>(host_now() - 5'000 * kMillisecond),
              0.1 * kMillisecond);
}

TEST(MachineClock, StandsWhereItIsHeldAndMakesUpForIt) {
  MachineClock clock = started_clock();
  clock.hold_at(3 * kMillisecond);
  for (int i = 0; i < 10; i++) {
    host_now() += kMillisecond;
    EXPECT_LE(clock.now(), 3 * kMillisecond);
    (void)clock.now_on_line();
    EXPECT_LE(clock.line()->start + static_cast<GuestTime>(clock.line()->span * clock.line()->rate >> 32),
              3 * kMillisecond);
  }
  EXPECT_EQ(clock.now(), 3 * kMillisecond);
  EXPECT_EQ(clock.lent(), 7 * kMillisecond);
  clock.hold_at(Scheduler::kNever);
  host_now() += kMillisecond;
  EXPECT_GT(clock.now(), 4 * kMillisecond);
}

TEST(MachineClock, ASlowHostsPauseKeepsWhatIsLent) {
  MachineClock clock = started_clock();
  host_now() += 100 * kMillisecond;
  clock.stop();
  host_now() += 1000 * kMillisecond;
  clock.start();
  EXPECT_EQ(clock.lent(), 98 * kMillisecond);
}

TEST(MachineClock, ABudgetReachesItsDeadlineAtEveryPace) {
  MachineClock clock = started_clock();
  for (int i = 0; i < 400; i++) clock.measure(200'000, kMillisecond);  // 0.2 instructions a nanosecond
  EXPECT_NEAR(static_cast<double>(clock.budget(kMillisecond)), 200'000.0, 1.0);
  host_now() += 30'000 * kMillisecond;
  const GuestTime now = clock.now();
  EXPECT_NEAR(static_cast<double>(clock.budget(now + kMillisecond)), 200'000.0 / 32, 1.0);
}

// A timer at 50 kHz leaves no slice of more than 20 us.
TEST(MachineClock, ShortSlicesAreMeasuredToo) {
  MachineClock clock = started_clock();
  for (int i = 0; i < 4000; i++) clock.measure(1'900, 3'800);
  EXPECT_NEAR(static_cast<double>(clock.instructions_per_second()), 500e6, 1e6);
}

// What calibration loops do: they wait for the PIT's second channel and look at the TSC before and after.
TEST(MachineClock, ASlowPhaseShortensTheNextSlice) {
  MachineClock clock = started_clock();
  for (int i = 0; i < 200; i++) clock.measure(5'000'000, kMillisecond);
  EXPECT_GT(clock.budget(clock.now() + kMillisecond), 4'000'000u);
  clock.measure(5'000'000, 50 * kMillisecond);
  EXPECT_LE(clock.budget(clock.now() + kMillisecond), 100'000u);
  for (int i = 0; i < 200; i++) clock.measure(1'000'000, kMillisecond / 2);
  EXPECT_GT(clock.budget(clock.now() + kMillisecond), 1'900'000u) << "and it comes back";
}

TEST(MachineClock, CalibrationSeesNoStall) {
  constexpr u32 kTicks = 59659;  // 50 ms
  MachineClock clock = started_clock();
  Scheduler scheduler(clock);
  IoSpace io;
  BackingStore store = BackingStore::create(u64{1} << 20, 0).value();
  PhysicalBus memory(store);
  NoInterrupts irqs;
  Attachment attachment(scheduler, io, memory, irqs);
  I8254 pit;
  ASSERT_TRUE(pit.attach(attachment).ok());
  pit.reset(ResetKind::PowerOn);
  for (int stalled_look = 0; stalled_look < 500; stalled_look += 100) {
    pit.set_gate(2, true);
    io.write(IoPort(0x43), 1, 0xB0);
    io.write(IoPort(0x42), 1, kTicks & 0xFF);
    io.write(IoPort(0x42), 1, kTicks >> 8);
    const GuestTime before = clock.now();
    for (int look = 0; !pit.output(2, scheduler.now()); look++) {
      host_now() += look == stalled_look ? 500 * kMillisecond : kMillisecond / 100;
    }
    EXPECT_GE(clock.now() - before, 50 * kMillisecond);
    EXPECT_LE(clock.now() - before, 50 * kMillisecond + kLongestStep);
  }
}

TEST(MachineClock, CountedTimeKnowsNoHost) {
  u64 instructions = 0;
  host_now() = 0;
  MachineClock clock(
      IcountOption{.shift = 3, .sleep = false}, [&] { return instructions; }, kHost);
  clock.start();
  clock.expect_event(kMillisecond);
  host_now() += 30'000 * kMillisecond;
  EXPECT_EQ(clock.now(), 0);
  instructions = 1'000'000;
  EXPECT_EQ(clock.now(), 8'000'000);
  EXPECT_EQ(clock.budget(8'000'080), 10u);
  clock.skip_to(9'000'000);
  EXPECT_EQ(clock.now(), 9'000'000);
}

TEST(MachineClock, ALineIsWhatTheClockSays) {
  MachineClock clock = started_clock();
  (void)clock.now_on_line();
  EXPECT_EQ(clock.line()->span, 0u) << "nothing is known of the counter yet";
  for (int i = 0; i < 20; i++) {
    host_now() += kMillisecond;
    (void)clock.now_on_line();
  }
  for (int i = 0; i < 1000; i++) {
    host_now() += 700;
    const Reading reading = read_line(clock);
    ASSERT_TRUE(reading.holds);
    EXPECT_NEAR(static_cast<double>(reading.time), static_cast<double>(20 * kMillisecond + i * 700 + 700), 2);
  }
  EXPECT_EQ(clock.now(), 20 * kMillisecond + 700'000);
  EXPECT_FALSE(read_line(clock).holds) << "others have asked meanwhile";
}

TEST(MachineClock, ALineEndsWhereTheClockDoes) {
  MachineClock clock = started_clock();
  for (int i = 0; i < 20; i++) {
    host_now() += kMillisecond;
    (void)clock.now_on_line();
  }
  host_now() += kLongestStep - 100;
  EXPECT_TRUE(read_line(clock).holds);
  host_now() += 200;
  EXPECT_FALSE(read_line(clock).holds);

  const GuestTime moment = clock.now_on_line();
  clock.expect_event(moment + kMillisecond);
  EXPECT_FALSE(read_line(clock).holds) << "an event has come up";
  (void)clock.now_on_line();
  GuestTime last = 0;
  while (true) {
    host_now() += 1000;
    const Reading reading = read_line(clock);
    if (!reading.holds) break;
    last = reading.time;
  }
  EXPECT_GT(last, moment + kMillisecond);
  EXPECT_LE(last, clock.now());
}

TEST(MachineClock, ALineFollowsThePaceOfLentTime) {
  MachineClock clock = started_clock();
  for (int i = 0; i < 20; i++) {
    host_now() += kMillisecond;
    (void)clock.now_on_line();
  }
  host_now() += 400 * kMillisecond;
  const GuestTime moment = clock.now_on_line();
  const i64 lent = clock.lent();
  ASSERT_GT(lent, 100 * kMillisecond);
  host_now() += 100'000;
  const Reading reading = read_line(clock);
  ASSERT_TRUE(reading.holds);
  EXPECT_GT(reading.time, moment + 300'000);
  EXPECT_NEAR(static_cast<double>(reading.time), static_cast<double>(clock.now()), 2);
}

TEST(MachineClock, TimeNeverGoesBackwardsFromALine) {
  MachineClock clock = started_clock();
  GuestTime last = 0;
  for (int i = 0; i < 20'000; i++) {
    host_now() += 10'000 + i % 700;
    ticks_ahead() += i % 41 - 20;  // a counter that strays by 8 ns and wanders
    const GuestTime time = i % 5 == 0 ? clock.now_on_line() : read_line(clock).time;
    if (time == 0) continue;
    ASSERT_GE(time, last);
    last = time;
  }
  EXPECT_LE(clock.now(), host_now() - 5'000 * kMillisecond + 100);
}

TEST(MachineClock, ACounterThatIsSetMisleadsNoLine) {
  MachineClock clock = started_clock();
  int held = 0;
  for (int i = 0; i < 1000; i++) {
    host_now() += kMillisecond - 1000;
    if (i == 300) ticks_ahead() += 5'000'000'000;
    if (i == 600) ticks_ahead() -= 9'000'000'000;
    (void)clock.now_on_line();
    host_now() += 1000;
    const Reading reading = read_line(clock);
    if (!reading.holds) continue;
    ++held;
    EXPECT_NEAR(static_cast<double>(reading.time), static_cast<double>(clock.now()), 2) << i;
  }
  EXPECT_GT(held, 900);
}

}  // namespace relic86
