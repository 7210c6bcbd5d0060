#include "machine/time_credit.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace relic86 {

namespace {

constexpr i64 kMillisecond = 1'000'000;

// A clock that goes as far as it may at each look.
class Clock {
 public:
  explicit Clock(std::size_t processors) : credit_(processors) {}

  GuestTime look(const std::vector<TimeCredit::Work>& work, double pace = 1) {
    for (const TimeCredit::Work& each : work) host_ = std::max(host_, each.worked);
    return now_ = credit_.limit({host_, now_, now_, pace}, work);
  }

 private:
  TimeCredit credit_;
  i64 host_ = 0;  // no later than the busiest has worked for
  GuestTime now_ = 0;
};

TimeCredit::Work works(i64 worked, u64 readings = 0) { return {worked, false, readings}; }
TimeCredit::Work sleeps(i64 worked = 0) { return {worked, true, 0}; }

}  // namespace

TEST(TimeCredit, GuestTimeGoesOnWithProcessorsThatRun) {
  TimeCredit credit(2);
  GuestTime now = 0;
  for (int i = 1; i <= 100; i++) {
    const i64 worked = i * kMillisecond;
    const GuestTime limit = credit.limit({worked, now, now}, {works(worked), works(worked)});
    ASSERT_GE(limit, now + kMillisecond);
    now += kMillisecond;
  }
}

TEST(TimeCredit, OneThatGetsNoTurnHoldsGuestTime) {
  Clock clock(2);
  GuestTime now = 0;
  i64 worked = 0;
  for (int i = 0; i < 100; i++, worked += kMillisecond) now = clock.look({works(worked), works(0)});
  EXPECT_EQ(now, TimeCredit::kMost);
  // It has its turn at last.
  now = clock.look({works(worked), works(kMillisecond / 2)});
  EXPECT_EQ(now, TimeCredit::kMost + kMillisecond / 2);
}

TEST(TimeCredit, OneThatSleepsHoldsNothing) {
  Clock clock(2);
  GuestTime now = 0;
  for (i64 worked = 0; worked < 100 * kMillisecond; worked += kMillisecond) now = clock.look({works(worked), sleeps()});
  EXPECT_GT(now, 90 * kMillisecond);
  // What it has slept through is no debt when it wakes, and no credit beyond the most.
  EXPECT_EQ(clock.look({sleeps(100 * kMillisecond), works(0)}), now + TimeCredit::kMost);
}

TEST(TimeCredit, OneThatSleepsAfterAReadingHoldsNothing) {
  Clock clock(2);
  GuestTime now = clock.look({works(0, 1), works(0)});
  for (i64 worked = kMillisecond; worked < 100 * kMillisecond; worked += kMillisecond)
    now = clock.look({{0, true, 2}, works(worked)});
  EXPECT_GT(now, 90 * kMillisecond);
}

TEST(TimeCredit, LostTimeIsMadeUpForAtThePaceOfTheClock) {
  Clock clock(1);
  (void)clock.look({works(0)});
  EXPECT_EQ(clock.look({works(100'000)}, 4), TimeCredit::kMost + 400'000);
}

TEST(TimeCredit, ALongTurnIsNotSavedUp) {
  Clock clock(1);
  EXPECT_EQ(clock.look({works(1'000 * kMillisecond)}), TimeCredit::kMost);
  GuestTime later = 0;
  for (int i = 0; i < 1000; i++) later = clock.look({works(1'000 * kMillisecond)});
  EXPECT_EQ(later, 2 * TimeCredit::kMost);
}

TEST(TimeCredit, OneThatWasToldTheTimeIsNeverFarBehind) {
  Clock clock(2);
  GuestTime now = clock.look({works(0), works(0, 1)}), told = now;
  for (i64 worked = 0; worked < 100 * kMillisecond; worked += kMillisecond)
    now = clock.look({works(worked), works(0, 1)});
  EXPECT_LE(now, told + TimeCredit::kNear);
  // It goes on, and reads the time again at once; what the host charges it for the switches is no work.
  const i64 charged = TimeCredit::kSwitch / 2;
  now = clock.look({works(101 * kMillisecond), works(charged, 1)});
  EXPECT_LE(now, told + TimeCredit::kNear);
  told = now;
  EXPECT_LE(clock.look({works(200 * kMillisecond), works(charged, 2)}), told + TimeCredit::kNear);
}

// Else guest time would stand for ever, if it never had more than a little to do before others had their turn.
TEST(TimeCredit, EvenOneThatIsTakenOffAllTheTimeGetsSomewhere) {
  Clock clock(2);
  const GuestTime told = clock.look({works(0), works(0, 1)});
  GuestTime now = told;
  for (i64 i = 1; i < 1000; i++) now = clock.look({works(i * 100'000), works(i * 10'000, 1)});
  EXPECT_GT(now, told + 5 * kMillisecond);
}

TEST(TimeCredit, AReadingIsOverWhenEnoughWorkHasBeenDone) {
  Clock clock(2);
  const GuestTime told = clock.look({works(0), works(0, 1)});
  GuestTime now = told;
  for (i64 worked = 0; worked < 100 * kMillisecond; worked += kMillisecond)
    now = clock.look({works(worked), works(TimeCredit::kBeside, 1)});
  EXPECT_GT(now, told + kMillisecond);
}

// Whoever looks only now and then lets guest time go on by all the work that has been done.
TEST(TimeCredit, OneThatReadsTheTimeNowAndThenLosesNone) {
  TimeCredit credit(1);
  GuestTime now = 0;
  for (u64 i = 1; i <= 100; i++) {
    const i64 worked = static_cast<i64>(i) * kMillisecond;
    const GuestTime limit = credit.limit({worked, now, now}, {works(worked, i)});
    ASSERT_GE(limit, now + kMillisecond);
    now += kMillisecond;
  }
}

}  // namespace relic86
