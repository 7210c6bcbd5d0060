#include "devices/chipset/hpet.h"

#include <gtest/gtest.h>

#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

constexpr u64 kEnable = 1, kLegacy = 2;
constexpr u64 kLevel = 2, kInterrupts = 4, kPeriodic = 8, kSetValue = 0x40, kNarrow = 0x100;
constexpr GuestTime kTick = 10;  // ns

// Inputs 0 to 23 behind a join, of which the HPET's are some.
struct Lines final : IrqSink {
  void set_irq(unsigned input, bool level) override {
    if (level && !levels[input]) rises[input]++;
    levels[input] = level;
  }
  std::array<bool, 24> levels{};
  std::array<unsigned, 24> rises{};
};

struct HpetBoard : ::testing::Test {
  HpetBoard() {
    join.connect(&lines);
    pit = IrqLine(&join, join.new_wire(0));
    EXPECT_TRUE(hpet.attach(attachment).ok());
    hpet.reset(ResetKind::PowerOn);
  }
  u64 reg(u64 offset, unsigned width = 8) { return board.memory.read(PhysAddr(Hpet::kAddress + offset), width); }
  void set(u64 offset, u64 value, unsigned width = 8) {
    board.memory.write(PhysAddr(Hpet::kAddress + offset), width, value);
  }
  void control(unsigned number, u64 value) { set(0x100 + 0x20 * number, value); }
  void compare(unsigned number, u64 value) { set(0x108 + 0x20 * number, value); }

  test::TestBoard board;
  IrqJoin join;
  Lines lines;
  Attachment attachment{board.scheduler, board.io, board.memory, join};
  IrqLine pit;
  Hpet hpet{join};
};

TEST_F(HpetBoard, SaysWhatItHas) {
  EXPECT_EQ(reg(0), 0x009896808086A201u) << "10 ns, three comparators of 64 bits";
  EXPECT_EQ(reg(0x100) >> 32, 0x00FF0000u);
  EXPECT_EQ(reg(0x100) & 0xFFFFFFFF, 0x30u) << "periodic and 64 bits";
  EXPECT_EQ(reg(0x108), ~u64{0});
  EXPECT_EQ(reg(0x160), 0u);
}

TEST_F(HpetBoard, CountsWhileItIsEnabled) {
  board.pass(1000);
  EXPECT_EQ(reg(0xF0), 0u);
  set(0x10, kEnable);
  board.pass(12345);
  EXPECT_EQ(reg(0xF0), 1234u);
  EXPECT_EQ(reg(0xF0, 4), 1234u);
  EXPECT_EQ(reg(0xF4, 4), 0u);
  set(0x10, 0);
  board.pass(1000);
  EXPECT_EQ(reg(0xF0), 1234u);
  set(0xF0, u64{5} << 32);
  set(0x10, kEnable);
  board.pass(100);
  EXPECT_EQ(reg(0xF0), (u64{5} << 32) + 10);
}

TEST_F(HpetBoard, OneShotInterruptsOnce) {
  set(0x10, kEnable);
  control(2, kInterrupts | 20 << 9);
  compare(2, 100);
  board.pass(99 * kTick);
  EXPECT_EQ(lines.rises[20], 0u);
  board.pass(kTick);
  EXPECT_EQ(lines.rises[20], 1u);
  EXPECT_FALSE(lines.levels[20]);
  board.pass(1'000'000);
  EXPECT_EQ(lines.rises[20], 1u);
}

TEST_F(HpetBoard, NarrowComparatorsMeetTheCounterAgainWhenItHasWrapped) {
  set(0x10, kEnable);
  control(0, kInterrupts | kNarrow | 16 << 9);
  compare(0, u64{7} << 32 | 50);
  EXPECT_EQ(reg(0x108), 50u);
  board.pass(50 * kTick);
  EXPECT_EQ(lines.rises[16], 1u);
  board.pass((GuestTime{1} << 32) * kTick);
  EXPECT_EQ(lines.rises[16], 2u);
}

TEST_F(HpetBoard, AMatchThatWasNoticedLateDoesNotMoveTheNextOne) {
  set(0x10, kEnable);
  control(0, kInterrupts | kNarrow | 16 << 9);
  compare(0, 50);
  board.pass(60 * kTick);
  EXPECT_EQ(lines.rises[16], 1u);
  board.pass(((GuestTime{1} << 32) - 11) * kTick);
  EXPECT_EQ(lines.rises[16], 1u);
  board.pass(kTick);
  EXPECT_EQ(lines.rises[16], 2u);
}

TEST_F(HpetBoard, PeriodicAsLinuxSetsIt) {
  set(0x10, kEnable);
  board.pass(5000 * kTick);
  control(0, kInterrupts | kPeriodic | kSetValue | kNarrow | 16 << 9);
  compare(0, 6000);
  compare(0, 250);
  EXPECT_EQ(reg(0x100) & kSetValue, 0u);
  for (int i = 0; i < 10; i++) board.pass(100 * kTick);
  EXPECT_EQ(lines.rises[16], 1u);
  for (int i = 0; i < 10; i++) board.pass(100 * kTick);
  EXPECT_EQ(lines.rises[16], 5u);
  EXPECT_EQ(reg(0x108), 7250u);
}

TEST_F(HpetBoard, ATickThatIsLateIsNotLost) {
  set(0x10, kEnable);
  control(1, kInterrupts | kPeriodic | kSetValue | 17 << 9);
  compare(1, 100'000);
  board.pass(1'000'000 * kTick);  // ten of them, all at once
  for (int i = 0; i < 30; i++) board.pass(1'000);
  EXPECT_EQ(lines.rises[17], 10u);
}

TEST_F(HpetBoard, ThereIsNoPeriodicInterruptBeforeThePeriodIsSaid) {
  set(0x10, kEnable);
  control(0, kInterrupts | kPeriodic | kSetValue | 16 << 9);
  control(1, kInterrupts | kPeriodic | kSetValue | kNarrow | 17 << 9);
  for (int i = 0; i < 100; i++) board.pass(1'000);
  EXPECT_EQ(lines.rises[16], 0u);
  EXPECT_EQ(lines.rises[17], 0u);
}

TEST_F(HpetBoard, APeriodOfOneTickDoesNotFloodTheMachine) {
  set(0x10, kEnable);
  control(0, kInterrupts | kPeriodic | kSetValue | 16 << 9);
  compare(0, 1);
  for (int i = 0; i < 10'000; i++) board.pass(kTick);
  EXPECT_GE(lines.rises[16], 50u);
  EXPECT_LE(lines.rises[16], 100u);
}

TEST_F(HpetBoard, LevelsStandUntilTheStatusIsCleared) {
  set(0x10, kEnable);
  control(1, kInterrupts | kLevel | 23 << 9);
  compare(1, 10);
  board.pass(10 * kTick);
  EXPECT_TRUE(lines.levels[23]);
  EXPECT_EQ(reg(0x20), 2u);
  set(0x20, 1);
  EXPECT_TRUE(lines.levels[23]);
  set(0x20, 2);
  EXPECT_FALSE(lines.levels[23]);
}

TEST_F(HpetBoard, LegacyReplacementSilencesTheTimer) {
  pit.raise();
  EXPECT_TRUE(lines.levels[0]);
  pit.lower();
  set(0x10, kEnable | kLegacy);
  pit.raise();
  EXPECT_FALSE(lines.levels[0]);
  control(0, kInterrupts);
  compare(0, reg(0xF0) + 20);
  control(1, kInterrupts);
  compare(1, reg(0xF0) + 30);
  board.pass(50 * kTick);
  EXPECT_EQ(lines.rises[0], 2u);
  EXPECT_EQ(lines.rises[8], 1u);
  set(0x10, kEnable);
  EXPECT_TRUE(lines.levels[0]) << "the timer's own line again";
}

TEST_F(HpetBoard, InputsThatItDoesNotHaveStaySilent) {
  set(0x10, kEnable);
  control(0, kInterrupts | 5 << 9);
  compare(0, 10);
  board.pass(100 * kTick);
  for (const unsigned count : lines.rises) EXPECT_EQ(count, 0u);
}

TEST_F(HpetBoard, StateGoesOnWhereItWas) {
  set(0x10, kEnable | kLegacy);
  control(0, kInterrupts | kPeriodic | kSetValue);
  compare(0, 1000);
  control(2, kInterrupts | kLevel | 18 << 9);
  compare(2, 100);
  board.pass(500 * kTick);
  EXPECT_TRUE(lines.levels[18]);
  const auto state = test::saved(hpet);
  hpet.reset(ResetKind::Hard);
  EXPECT_EQ(reg(0x10), 0u);
  EXPECT_FALSE(lines.levels[18]);
  ASSERT_TRUE(test::load(hpet, state));
  EXPECT_EQ(test::saved(hpet), state);
  EXPECT_EQ(reg(0xF0), 500u);
  EXPECT_TRUE(lines.levels[18]);
  pit.raise();
  EXPECT_FALSE(lines.levels[0]);
}

TEST_F(HpetBoard, SurvivesAnything) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; i++) {
    const u64 offset = random() % 0x180 & ~u64{3};
    const unsigned width = offset % 8 == 0 && random() % 2 == 0 ? 8 : 4;
    if (random() % 3 == 0) {
      reg(offset, width);
    } else {
      set(offset, random() % 2 == 0 ? random() : random() % 64, width);
    }
    if (random() % 4 == 0) board.pass(static_cast<GuestTime>(random() % 100'000));
    if (random() % 512 == 0) {
      const auto state = test::saved(hpet);
      ASSERT_TRUE(test::load(hpet, state));
      ASSERT_EQ(test::saved(hpet), state);
    }
  }
}

}  // namespace
}  // namespace relic86
