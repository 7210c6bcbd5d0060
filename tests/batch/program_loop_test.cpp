// Which programs are taken for ones that turn in a loop for ever.
#include "batch/program_loop.h"

#include <gtest/gtest.h>

namespace relic86::batch {
namespace {

class ProgramLoopTest : public testing::Test {
 protected:
  static constexpr GuestTime kSecond = 1'000'000'000, kStep = 1'000'000;

  // Looks each millisecond until a loop is found, or for so long. step() makes the program go on.
  std::optional<GuestTime> look_for(GuestTime time) {
    for (const GuestTime end = now + time; now < end; now += kStep) {
      step();
      const auto found = loop.look(now, sample, [this] {
        memory_looks++;
        return memory;
      });
      if (found) return found;
    }
    return std::nullopt;
  }
  // Of a loop that is so many instructions long: looks meet it anywhere.
  void turn(u64 length) { sample.registers = (sample.registers + 7919) % length; }

  ProgramLoop loop;
  ProgramLoop::Sample sample{true, 1, 0};
  std::optional<u64> memory = 42;
  unsigned memory_looks = 0;
  GuestTime now = 0;
  std::function<void()> step = [this] { turn(300); };
};

TEST_F(ProgramLoopTest, ALoopThatChangesNothingIsFound) {
  const auto found = look_for(8 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_GE(*found, ProgramLoop::kLongEnough);
  EXPECT_LE(memory_looks, 2u);
}

TEST_F(ProgramLoopTest, NotBeforeItHasTurnedForLong) { EXPECT_FALSE(look_for(ProgramLoop::kLongEnough)); }

TEST_F(ProgramLoopTest, LongLoopsTakeLonger) {
  step = [this] { turn(5000); };
  EXPECT_TRUE(look_for(60 * kSecond));
}

// Where a program is when it is looked at first may be before the loop.
TEST_F(ProgramLoopTest, TheWayToTheLoopIsForgotten) {
  step = [this] {
    if (now < kSecond)
      sample.registers = 1'000'000 + now;
    else
      turn(300);
  };
  EXPECT_TRUE(look_for(10 * kSecond));
}

TEST_F(ProgramLoopTest, WhoCountsInMemoryIsAtWork) {
  step = [this] {
    turn(300);
    memory = static_cast<u64>(now);
  };
  EXPECT_FALSE(look_for(100 * kSecond));
  EXPECT_LE(memory_looks, 21u);
}

TEST_F(ProgramLoopTest, WhoseRegistersAreNewIsAtWork) {
  step = [this] { sample.registers++; };
  EXPECT_FALSE(look_for(100 * kSecond));
  EXPECT_EQ(memory_looks, 0u);
}

TEST_F(ProgramLoopTest, APageThatIsMappedOnTheWayIsNoWork) {
  step = [this] {
    turn(300);
    memory = now < 3 * kSecond ? 42 : 43;
  };
  EXPECT_TRUE(look_for(15 * kSecond));
}

// It may be this one that the other waits for.
TEST_F(ProgramLoopTest, WhileAnotherProgramRunsToo) {
  step = [this] {
    turn(300);
    sample.space = now % kSecond == 0 ? 2 : 1;
  };
  EXPECT_FALSE(look_for(100 * kSecond));
}

// The kernel knows more than the program, how far a file was read for instance.
TEST_F(ProgramLoopTest, WhoCallsTheKernelAllTheTimeIsNotJudged) {
  unsigned looks = 0;
  step = [this, &looks] {
    turn(300);
    sample.program = ++looks % 5 != 0;
  };
  EXPECT_FALSE(look_for(100 * kSecond));
}

TEST_F(ProgramLoopTest, TimerInterruptsDoNotMatter) {
  unsigned looks = 0;
  step = [this, &looks] {
    turn(300);
    sample.program = ++looks % 30 != 0;
  };
  EXPECT_TRUE(look_for(10 * kSecond));
}

TEST_F(ProgramLoopTest, TooMuchMemoryIsLookedAtSeldom) {
  memory.reset();
  EXPECT_FALSE(look_for(100 * kSecond));
  EXPECT_LE(memory_looks, 21u);
}

TEST_F(ProgramLoopTest, WhatIsSeenOfItBeginsAnew) {
  EXPECT_FALSE(look_for(4 * kSecond));
  loop.restart();
  EXPECT_FALSE(look_for(4 * kSecond));
  EXPECT_TRUE(look_for(4 * kSecond));
}

}  // namespace
}  // namespace relic86::batch
