// What a guest's output, its activity and its last words are taken for.
#include <gtest/gtest.h>

#include "batch/console.h"
#include "batch/panics.h"
#include "batch/progress_watch.h"
#include "batch/repetition.h"
#include "machine/expectations.h"
#include "tests/block/temporary_folder.h"

namespace relic86::batch {
namespace {

void feed(Repetition& repetition, std::string_view text) {
  for (const char c : text) repetition.byte(c);
}

TEST(Repetition, CountsLinesThatSayNothingNew) {
  Repetition repetition;
  for (unsigned i = 0; i < Repetition::kLines; i++) feed(repetition, "tick\ntock\n");
  ASSERT_TRUE(repetition.endless().has_value());
}

TEST(Repetition, NumberedLinesAreNew) {
  Repetition repetition;
  for (unsigned i = 0; i < 3 * Repetition::kLines; i++) feed(repetition, "ok " + std::to_string(i) + "\n");
  EXPECT_FALSE(repetition.endless().has_value());
}

TEST(Repetition, TimeStampsAreNothingNew) {
  Repetition repetition;
  for (unsigned i = 0; i <= Repetition::kLines; i++) feed(repetition, "[ " + std::to_string(i) + ".5] oops\n");
  EXPECT_TRUE(repetition.endless().has_value());
}

TEST(Repetition, ALineWithoutAnEndCountsInPieces) {
  Repetition repetition;
  for (std::size_t i = 0; i < Repetition::kLongest * (Repetition::kLines + 1); i++) repetition.byte('.');
  EXPECT_TRUE(repetition.endless().has_value());
}

TEST(Panics, AreKnownByGroup) {
  const std::vector<std::string> linux{"linux"}, bsd{"bsd"};
  const char* const line = "[   12.345678] Kernel panic - not syncing: VFS: Unable to mount root fs";
  ASSERT_NE(find_panic(line, linux), nullptr);
  EXPECT_EQ(find_panic(line, bsd), nullptr);
  EXPECT_NE(find_panic("panic: free: freeing free block", bsd), nullptr);
  EXPECT_EQ(find_panic("do not panic: all is well", bsd), nullptr);
  EXPECT_EQ(find_panic("[    9.630000] reboot: System halted", linux), nullptr);
  EXPECT_EQ(find_panic("reboot: System halted", std::vector<std::string>{"dos"}), nullptr);
  EXPECT_EQ(find_panic("kernel command line: console=ttyS0 panic=-1", linux), nullptr);
}

TEST(Panics, EachTextOfTheLibraryIsFound) {
  for (const PanicText& row : panic_texts()) {
    const std::vector<std::string> group{std::string(row.group)};
    EXPECT_NE(find_panic(std::string(row.text) + "and more", group), nullptr) << row.text;
  }
}

class ConsoleTest : public testing::Test {
 protected:
  void say(std::string_view text) {
    for (const char c : text) console.put(static_cast<u8>(c));
  }
  bool find(const std::string& pattern) { return console.find(compile_expectation(pattern, Searched::Serial).value()); }
  void SetUp() override { ASSERT_TRUE(console.begin(folder.path("serial.log"))); }

  test::TemporaryFolder folder;
  Console console;
};

TEST_F(ConsoleTest, PatternsAreFoundOneAfterTheOther) {
  say("one two\r\none\r\n");
  EXPECT_TRUE(find("one"));
  EXPECT_TRUE(find("one"));
  EXPECT_FALSE(find("one"));
  say("o");
  EXPECT_FALSE(find("one"));
  say("ne");
  EXPECT_TRUE(find("one"));
  console.restart_search();
  EXPECT_FALSE(find("two"));
}

TEST_F(ConsoleTest, PatternsAreFoundFarBack) {
  say(std::string(300'000, 'x') + "needle" + std::string(300'000, 'x'));
  EXPECT_TRUE(find("needle"));
  EXPECT_EQ(console.consumed(), 300'006u);
}

TEST_F(ConsoleTest, LinesComeAsTheyGrow) {
  std::string line;
  say("first\nsec");
  ASSERT_TRUE(console.next_line(line));
  EXPECT_EQ(line, "first");
  ASSERT_TRUE(console.next_line(line));
  EXPECT_EQ(line, "sec");
  EXPECT_FALSE(console.next_line(line));
  say("ond\n");
  ASSERT_TRUE(console.next_line(line));
  EXPECT_EQ(line, "second");
  EXPECT_FALSE(console.next_line(line));
}

TEST_F(ConsoleTest, TextThatCrossesPiecesOfALongLineIsInOneOfThem) {
  for (std::size_t length = 900; length < 1100; length++) {
    Console fresh;
    ASSERT_TRUE(fresh.begin(folder.path("long.log")));
    for (const char c : std::string(length, '.') + "Kernel panic" + std::string(5000, '.'))
      fresh.put(static_cast<u8>(c));
    bool found = false;
    for (std::string line; fresh.next_line(line);) found = found || line.find("Kernel panic") != std::string::npos;
    EXPECT_TRUE(found) << length;
  }
}

class ProgressTest : public testing::Test {
 protected:
  static constexpr GuestTime kSecond = 1'000'000'000;
  // Looks until something is found, or for so long.
  std::optional<ProgressWatch::Finding> look_for(GuestTime time) {
    for (const GuestTime end = now.time + time; now.time < end; now.time += ProgressWatch::kInterval) {
      if (change) change();
      if (auto found = watch.look(now)) return found;
    }
    return std::nullopt;
  }

  Limits limits{.hang = 20 * kSecond, .idle = 60 * kSecond};
  ProgressWatch watch{limits};
  Activity now;
  std::function<void()> change;
};

TEST_F(ProgressTest, AHaltWithInterruptsOffIsForGood) {
  now.halted = true;
  const auto found = look_for(3 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::Halted);
}

TEST_F(ProgressTest, AHaltThatSmmLeavesIsNot) {
  now.halted = true;
  change = [this] { now.instructions += 100; };
  EXPECT_FALSE(look_for(30 * kSecond));
}

TEST_F(ProgressTest, OneLoopWithInterruptsOffIsAHangSoon) {
  change = [this] { now.instructions += 1000, now.eip ^= 2; };
  const auto found = look_for(3 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::Hang);
}

TEST_F(ProgressTest, ALoopThatCountsGetsItsTime) {
  change = [this] { now.instructions += 1000, now.registers[0]++; };
  EXPECT_FALSE(look_for(19 * kSecond));
  const auto found = look_for(3 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::Hang);
}

TEST_F(ProgressTest, WhoeverDoesSomethingNowAndThenIsWell) {
  unsigned looks = 0;
  for (u64 Activity::*kind : {&Activity::disk, &Activity::output, &Activity::screen}) {
    change = [this, kind, &looks] {
      now.instructions += 1000;
      if (++looks % 30 == 0) (now.*kind)++;
    };
    EXPECT_FALSE(look_for(100 * kSecond));
  }
}

TEST_F(ProgressTest, WhoeverComesToNewCodeIsWell) {
  unsigned looks = 0;
  change = [this, &looks] {
    now.instructions += 1000, now.registers[0]++;
    if (++looks % 30 == 0) now.decoded += ProgressWatch::kOldCode / 5;  // within 20 s more than kOldCode
  };
  EXPECT_FALSE(look_for(100 * kSecond));
}

// A kernel that unpacks itself: one loop, interrupts off, and more and more memory.
TEST_F(ProgressTest, WhoeverFillsMemoryIsWell) {
  unsigned looks = 0;
  change = [this, &looks] {
    now.instructions += 1000, now.registers[0]++;
    if (++looks % 20 == 0) now.memory += ProgressWatch::kOldMemory / 5;  // within 20 s more than kOldMemory
  };
  EXPECT_FALSE(look_for(100 * kSecond));
}

TEST_F(ProgressTest, AFewPagesOfMemoryAreNoProgress) {
  unsigned looks = 0;
  change = [this, &looks] {
    now.instructions += 1000, now.registers[0]++;
    if (++looks % 100 == 0) now.memory++;
  };
  const auto found = look_for(22 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::Hang);
}

TEST_F(ProgressTest, ALoopThatChangesNothingIsAHangInSpiteOfInterrupts) {
  now.interrupts_on = true;
  change = [this] { now.instructions += 1000, now.interrupts++, now.eip ^= 2; };
  EXPECT_FALSE(look_for(4 * kSecond));
  const auto found = look_for(2 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::Hang);
}

TEST_F(ProgressTest, AnInstructionThatFaultsForEverIsAHangAtOnce) {
  change = [this] { now.instructions += 2'000'000, now.faults += 1'000'000, now.registers[0]++; };
  const auto found = look_for(kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::Hang);
}

// A monitor of virtual-8086 mode has as many faults, and works for each.
TEST_F(ProgressTest, FaultsThatAreWorkedForAreNone) {
  change = [this] { now.instructions += 50'000'000, now.faults += 1'000'000, now.registers[0]++; };
  EXPECT_FALSE(look_for(19 * kSecond));
}

// Blocks of the engine's that made room for others, or that begin where an interrupt came, are decoded now and then.
TEST_F(ProgressTest, AFewInstructionsDecodedAnewAreNoNewCode) {
  unsigned looks = 0;
  change = [this, &looks] {
    now.instructions += 1000, now.registers[0]++;
    if (++looks % 30 == 0) now.decoded += ProgressWatch::kOldCode / 50;
  };
  EXPECT_FALSE(look_for(19 * kSecond));
  const auto found = look_for(3 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::Hang);
}

TEST_F(ProgressTest, WhoWaitsGetsTheLongerTime) {
  now.interrupts_on = true;
  unsigned looks = 0;
  change = [this, &looks] { now.halted = ++looks % 10 != 0, now.instructions++, now.interrupts++; };
  EXPECT_FALSE(look_for(59 * kSecond));
  const auto found = look_for(3 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::Idle);
}

// What a system's timers run in between is nothing that its user waits for, be it new or old.
TEST_F(ProgressTest, WhoWaitsIsIdleWhateverCodeItsTimersRun) {
  now.interrupts_on = true;
  unsigned looks = 0;
  change = [this, &looks] {
    now.halted = ++looks % 20 != 0, now.instructions++, now.interrupts++;
    if (!now.halted) now.decoded += 10 * ProgressWatch::kOldCode;
  };
  EXPECT_FALSE(look_for(59 * kSecond));
  const auto found = look_for(3 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::Idle);
}

TEST_F(ProgressTest, WhoWaitsAfterLongWorkIsIdleAsSoonAsOthers) {
  now.interrupts_on = true;
  change = [this] { now.instructions += 1000, now.decoded += 10 * ProgressWatch::kOldCode; };
  EXPECT_FALSE(look_for(300 * kSecond));
  change = [this] { now.halted = true, now.decoded++; };
  EXPECT_FALSE(look_for(59 * kSecond));
  const auto found = look_for(5 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::Idle);
}

// A program that asks a disk or a network for each piece of its work sleeps often, and is not idle.
TEST_F(ProgressTest, WhoWorksBetweenSleepsIsWellAsLongAsItsCodeIsNew) {
  now.interrupts_on = true;
  unsigned looks = 0;
  change = [this, &looks] {
    now.halted = ++looks % 4 != 0, now.instructions += 1000, now.interrupts++;
    if (looks % 100 == 0) now.decoded += 2 * ProgressWatch::kOldCode;
  };
  EXPECT_FALSE(look_for(300 * kSecond));
}

}  // namespace
}  // namespace relic86::batch
