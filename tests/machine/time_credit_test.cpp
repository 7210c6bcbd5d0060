#include "machine/time_credit.h"

#include <gtest/gtest.h>

namespace relic86 {

namespace {
constexpr i64 kMillisecond = 1'000'000;
}  // namespace

TEST(TimeCredit, GuestTimeGoesOnWithProcessorsThatRun) {
  TimeCredit credit(2);
  GuestTime now = 0;
  for (int i = 0; i < 100; i++) {
    const i64 worked = i * kMillisecond;
    const GuestTime limit = credit.limit(now, 1, {{worked, false}, {worked, false}});
    ASSERT_GE(limit, now + kMillisecond);
    now += kMillisecond;
  }
}

TEST(TimeCredit, OneThatGetsNoTurnHoldsGuestTime) {
  TimeCredit credit(2);
  GuestTime now = 0;
  i64 worked = 0;
  for (int i = 0; i < 100; i++, worked += kMillisecond) now = credit.limit(now, 1, {{worked, false}, {0, false}});
  EXPECT_EQ(now, TimeCredit::kMost);
  // It has its turn at last.
  now = credit.limit(now, 1, {{worked, false}, {kMillisecond / 2, false}});
  EXPECT_EQ(now, TimeCredit::kMost + kMillisecond / 2);
}

TEST(TimeCredit, OneThatSleepsHoldsNothing) {
  TimeCredit credit(2);
  GuestTime now = 0;
  for (i64 worked = 0; worked < 100 * kMillisecond; worked += kMillisecond)
    now = credit.limit(now, 1, {{worked, false}, {0, true}});
  EXPECT_GT(now, 90 * kMillisecond);
  // What it has slept through is no debt when it wakes, and no credit beyond the most.
  EXPECT_EQ(credit.limit(now, 1, {{100 * kMillisecond, true}, {0, false}}), now + TimeCredit::kMost);
}

TEST(TimeCredit, LostTimeIsMadeUpForAtThePaceOfTheClock) {
  TimeCredit credit(1);
  GuestTime now = credit.limit(0, 1, {{0, false}});
  now = credit.limit(now, 4, {{100'000, false}});
  EXPECT_EQ(now, TimeCredit::kMost + 400'000);
}

TEST(TimeCredit, ALongTurnIsNotSavedUp) {
  TimeCredit credit(1);
  const GuestTime now = credit.limit(0, 1, {{1'000 * kMillisecond, false}});
  EXPECT_EQ(now, TimeCredit::kMost);
  EXPECT_EQ(credit.limit(now, 1, {{1'000 * kMillisecond, false}}), now);
}

}  // namespace relic86
