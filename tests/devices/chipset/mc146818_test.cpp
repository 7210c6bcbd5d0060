#include "devices/chipset/mc146818.h"

#include <gtest/gtest.h>

#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using test::load;
using test::saved;
using test::TestBoard;

constexpr GuestTime kMillisecond = 1'000'000, kSecond = 1'000'000'000;
constexpr i64 kLastSecondOf1999 = 946684799;  // 1999-12-31 23:59:59, a Friday
constexpr i64 kLeapDayEve = 951782399;        // 2000-02-28 23:59:59
constexpr i64 kBeforeTheEpoch = -1;           // 1969-12-31 23:59:59, a Wednesday

struct ClockBoard {
  explicit ClockBoard(i64 base = kLastSecondOf1999, MissedTicks missed = MissedTicks::Lost) : device(base, missed) {
    EXPECT_TRUE(device.attach(board.attachment).ok());
    device.set_cmos(0x15, 0x80);
    device.reset(ResetKind::PowerOn);
  }
  u32 get(u8 index) {
    board.out(0x70, index);
    return board.in(0x71);
  }
  void set(u8 index, u32 value) {
    board.out(0x70, index);
    board.out(0x71, value);
  }
  std::vector<u32> date() {
    std::vector<u32> fields;
    for (const u8 index : {0x32, 9, 8, 7, 6, 4, 2, 0}) fields.push_back(get(index));
    return fields;
  }
  TestBoard board;
  Mc146818 device;
};

using Date = std::vector<u32>;

TEST(Clock, StartsAtTheBaseAndRollsTheCentury) {
  ClockBoard clock;
  EXPECT_EQ(clock.date(), (Date{0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59}));
  clock.board.pass(kSecond);
  EXPECT_EQ(clock.date(), (Date{0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00}));
}

TEST(Clock, KnowsLeapDaysAndDatesBefore1970) {
  ClockBoard leap(kLeapDayEve);
  leap.board.pass(kSecond);
  EXPECT_EQ(leap.date(), (Date{0x20, 0x00, 0x02, 0x29, 3, 0, 0, 0}));
  leap.board.pass(86400 * kSecond);
  EXPECT_EQ(leap.date(), (Date{0x20, 0x00, 0x03, 0x01, 4, 0, 0, 0}));
  ClockBoard early(kBeforeTheEpoch);
  EXPECT_EQ(early.date(), (Date{0x19, 0x69, 0x12, 0x31, 4, 0x23, 0x59, 0x59}));
}

TEST(Clock, BinaryAndTwelveHours) {
  ClockBoard clock;
  clock.set(0x0B, 0x84);  // SET, binary, 12 h
  clock.set(0, 59), clock.set(2, 59), clock.set(4, 11);
  clock.set(0x0B, 0x04);
  clock.board.pass(kSecond);
  EXPECT_EQ(clock.get(4), 0x8Cu);  // 12 PM
  clock.set(0, 59), clock.set(2, 59);
  clock.board.pass(kSecond);
  EXPECT_EQ(clock.get(4), 0x81u);
  clock.set(0, 59), clock.set(2, 59), clock.set(4, 0x8B);
  clock.set(7, 30), clock.set(8, 4);
  clock.board.pass(kSecond);
  EXPECT_EQ(clock.get(4), 12u);  // 12 AM of the next day
  EXPECT_EQ(clock.get(7), 1u);
  EXPECT_EQ(clock.get(8), 5u);
}

TEST(Clock, UpdateInProgressPrecedesTheChange) {
  ClockBoard clock;
  EXPECT_EQ(clock.get(0x0A), 0x26u);
  clock.board.pass(kSecond - 2 * kMillisecond);
  EXPECT_EQ(clock.get(0x0A), 0xA6u);
  EXPECT_EQ(clock.get(0), 0x59u);
  clock.board.clock.time += 2 * kMillisecond;  // seen by a read before the scheduler ran
  EXPECT_EQ(clock.get(0x0A), 0x26u);
  EXPECT_EQ(clock.get(0), 0u);
  EXPECT_EQ(clock.get(0x0C), 0x70u);  // the alarm bytes are 00:00:00
  EXPECT_EQ(clock.get(0x0C), 0u);
}

TEST(Clock, SetHoldsTheDateAndClearsUie) {
  ClockBoard clock;
  clock.set(0x0B, 0x92);
  EXPECT_EQ(clock.get(0x0B), 0x82u);
  clock.board.pass(3 * kSecond - kMillisecond);
  EXPECT_EQ(clock.get(0), 0x59u);
  EXPECT_EQ(clock.get(0x0A), 0x26u);
  clock.set(0x0B, 0x02);
  clock.board.pass(kMillisecond);
  EXPECT_EQ(clock.get(0), 0u);
}

// Linux sets the time so: the next second begins half a second after the divider is let go.
TEST(Clock, DividerResetRestartsTheSecond) {
  ClockBoard clock;
  clock.set(0x0B, 0x82);
  clock.set(0x0A, 0x76);
  clock.set(0, 0x10);
  clock.board.pass(5 * kSecond);
  clock.set(0x0B, 0x02);
  EXPECT_EQ(clock.get(0), 0x10u);
  clock.set(0x0A, 0x26);
  clock.board.pass(kSecond / 2 - 1);
  EXPECT_EQ(clock.get(0), 0x10u);
  clock.board.pass(1);
  EXPECT_EQ(clock.get(0), 0x11u);
  clock.board.pass(kSecond);
  EXPECT_EQ(clock.get(0), 0x12u);
}

TEST(Clock, PeriodicInterruptKeepsItsRateAndWaitsForTheRead) {
  ClockBoard clock;
  clock.set(1, 0x30);
  clock.set(0x0B, 0x42);  // 1024 Hz
  for (unsigned i = 0; i < 1024; i++) {
    clock.board.clock.time = std::max(clock.board.clock.time, clock.board.scheduler.next_deadline());
    clock.board.scheduler.run_due();
    EXPECT_TRUE(clock.board.irqs.levels[8]);
    EXPECT_EQ(clock.get(0x0C) & 0xEF, 0xC0u);
    EXPECT_FALSE(clock.board.irqs.levels[8]);
  }
  EXPECT_NEAR(static_cast<double>(clock.board.clock.time), kSecond, 2.0 * kMillisecond);
  const unsigned rises = clock.board.irqs.rises[8];
  clock.board.pass(50 * kMillisecond);
  clock.board.pass(50 * kMillisecond);
  EXPECT_EQ(clock.board.irqs.rises[8], rises + 1);
  clock.set(0x0B, 0x02);
  EXPECT_FALSE(clock.board.irqs.levels[8]);
  clock.get(0x0C);
  clock.board.pass(50 * kMillisecond);
  EXPECT_EQ(clock.get(0x0C), 0x40u);  // the flag comes without its interrupt
  EXPECT_EQ(clock.board.irqs.rises[8], rises + 1);
}

TEST(Clock, MissedPeriodicInterruptsAreReinjectedOnRequest) {
  for (const MissedTicks missed : {MissedTicks::Lost, MissedTicks::Reinjected}) {
    ClockBoard clock(kLastSecondOf1999, missed);
    clock.set(1, 0x30);
    clock.set(0x0B, 0x42);  // 1024 Hz
    unsigned ticks = 0;
    for (unsigned i = 0; i < 20'000; i++) {
      clock.board.pass(i % 2000 == 0 ? 25 * kMillisecond : kMillisecond / 10);
      if (clock.board.irqs.levels[8] && (clock.get(0x0C) & 0x40) != 0) ticks++;
    }
    const double expected = static_cast<double>(clock.board.clock.time) * 1024 / kSecond;
    if (missed == MissedTicks::Reinjected) {
      EXPECT_NEAR(ticks, expected, 1.0);
    } else {
      EXPECT_NEAR(ticks, expected - 10 * 24.6, 10.0);
    }
  }
}

TEST(Clock, NothingIsOwedAcrossANewRate) {
  ClockBoard clock(kLastSecondOf1999, MissedTicks::Reinjected);
  clock.set(0x0B, 0x42);
  clock.board.pass(100 * kMillisecond);
  clock.set(0x0A, 0x2F);  // 2 Hz
  clock.get(0x0C);
  const unsigned rises = clock.board.irqs.rises[8];
  clock.board.pass(200 * kMillisecond);
  EXPECT_EQ(clock.board.irqs.rises[8], rises);
}

TEST(Clock, NothingIsOwedOnceItIsForgotten) {
  for (const bool forgotten : {false, true}) {
    ClockBoard clock(kLastSecondOf1999, MissedTicks::Reinjected);
    clock.set(0x0B, 0x42);  // 1024 Hz
    clock.board.pass(100 * kMillisecond);
    clock.get(0x0C);
    if (forgotten) clock.device.forget_missed_ticks();
    unsigned ticks = 0;
    for (unsigned i = 0; i < 500; i++) {
      clock.board.pass(kMillisecond / 10);
      if (clock.board.irqs.levels[8] && (clock.get(0x0C) & 0x40) != 0) ticks++;
    }
    EXPECT_NEAR(ticks, forgotten ? 51 : 152, 2) << forgotten;
  }
}

TEST(Clock, AlarmAndUpdateEnded) {
  ClockBoard clock;
  clock.set(1, 0x02), clock.set(3, 0xC0), clock.set(5, 0xFF);
  clock.set(0x0B, 0x22);
  clock.board.pass(2 * kSecond);
  EXPECT_FALSE(clock.board.irqs.levels[8]);
  clock.board.pass(kSecond);
  EXPECT_TRUE(clock.board.irqs.levels[8]);
  EXPECT_EQ(clock.get(0x0C) & 0xB0, 0xB0u);
  clock.set(0x0B, 0x12);
  clock.board.pass(kSecond);
  EXPECT_TRUE(clock.board.irqs.levels[8]);
  EXPECT_EQ(clock.get(0x0C) & 0xB0, 0x90u);
}

TEST(Clock, ResetKeepsTimeAndRam) {
  ClockBoard clock;
  clock.set(0x0B, 0x72);
  clock.set(0x0F, 0x0A);
  clock.board.out(0x72, 0x7F), clock.board.out(0x73, 0x5A);
  clock.board.out(0x70, 0x8D);
  EXPECT_TRUE(clock.device.nmi_masked());
  EXPECT_EQ(clock.board.in(0x71), 0x80u);
  clock.board.pass(10 * kSecond);
  clock.device.reset(ResetKind::Hard);
  EXPECT_FALSE(clock.device.nmi_masked());
  EXPECT_FALSE(clock.board.irqs.levels[8]);
  EXPECT_EQ(clock.get(0x0B), 0x02u);
  EXPECT_EQ(clock.get(0x0C), 0u);
  EXPECT_EQ(clock.get(0), 0x09u);
  EXPECT_EQ(clock.device.cmos(0x0F), 0x0Au);
  EXPECT_EQ(clock.get(0x15), 0x80u);
  clock.board.out(0x72, 0x7F);
  EXPECT_EQ(clock.board.in(0x73), 0x5Au);
}

TEST(Clock, FuzzAndSavedState) {
  ClockBoard clock;
  std::mt19937 random(11);
  for (unsigned i = 0; i < 50000; i++) {
    clock.board.out(static_cast<u16>(0x70 + random() % 4), random() % 2 == 0 ? random() % 16 : random());
    clock.board.in(static_cast<u16>(0x70 + random() % 4));
    if (i % 4 == 0) clock.board.pass(static_cast<GuestTime>(random()));
    if (i % 3000 == 0) clock.device.reset(ResetKind::Hard);
  }
  const auto state = saved(clock.device);
  ClockBoard other;
  other.board.clock.time = clock.board.clock.time;
  EXPECT_TRUE(load(other.device, state));
  EXPECT_EQ(saved(other.device), state);
}

TEST(Clock, ForeignStateIsContained) {
  ClockBoard clock;
  std::mt19937 random(12);
  for (unsigned round = 0; round < 300; round++) {
    auto state = saved(clock.device);
    for (unsigned i = 0; i < 60; i++) state[state.size() - 1 - random() % 60] = static_cast<u8>(random());
    load(clock.device, state);
    clock.board.pass(static_cast<GuestTime>(random()));
    for (unsigned i = 0; i < 16; i++) clock.set(static_cast<u8>(i), random()), clock.get(static_cast<u8>(i));
    if (round % 7 == 0) clock.device.reset(ResetKind::Hard);
  }
  clock.device.reset(ResetKind::PowerOn);
  EXPECT_EQ(clock.get(0x0B), 0x02u);
}

}  // namespace
}  // namespace relic86
