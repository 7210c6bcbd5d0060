// The limit of the processor's speed, on a clock that the test turns.
#include "machine/speed_limit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "options/speed_option.h"

namespace relic86 {
namespace {

// Runs slices on a host that carries out so many instructions a second, for so long; the instructions that it ran.
u64 run(SpeedLimit& limit, double host_speed, i64 nanoseconds, i64& now) {
  constexpr double kSecond = 1e9;
  const i64 end = now + nanoseconds;
  u64 total = 0;
  while (now < end) {
    const u64 slice = std::min<u64>(limit.most_at_once(), static_cast<u64>(host_speed / 1000));
    now += static_cast<i64>(static_cast<double>(slice) * kSecond / host_speed);
    now += limit.wait_after(slice, now);
    total += slice;
  }
  return total;
}

TEST(SpeedLimit, PresetsAreKept) {
  for (const SpeedPreset& preset : speed_presets()) {
    SpeedLimit limit;
    limit.set(parse_speed(preset.name).value());
    i64 now = 5'000'000'000;
    const auto count = static_cast<double>(run(limit, 400e6, 2'000'000'000, now));
    EXPECT_NEAR(count / 2, preset.instructions_per_second, preset.instructions_per_second * 0.02) << preset.name;
  }
}

// The part "3-D games" of TOPBENCH has 447 instructions; microseconds of real machines, from its DATABASE.INI of 2022.
TEST(SpeedLimit, PresetsTakeAsLongAsRealMachines) {
  constexpr double kInstructions = 447;
  constexpr struct {
    std::string_view preset;
    double microseconds;
  } kMachines[] = {{"8088 4.77 MHz", 1848}, {"386-33", 93}, {"486DX2-66", 33.5}, {"Pentium 133", 6}};
  ASSERT_EQ(speed_presets().size(), std::size(kMachines));
  for (const auto& machine : kMachines) {
    const double taken = kInstructions * 1e6 / parse_speed(machine.preset).value();
    EXPECT_NEAR(taken, machine.microseconds, machine.microseconds * 0.1) << machine.preset;
  }
}

TEST(SpeedLimit, NoLimitNeverWaits) {
  SpeedLimit limit;
  EXPECT_EQ(limit.wait_after(1'000'000'000, 1), 0);
  limit.set(1e6);
  EXPECT_GT(limit.wait_after(1'000'000, 1), 0);
  limit.set(0);
  EXPECT_EQ(limit.wait_after(1'000'000'000, 2), 0);
}

TEST(SpeedLimit, ASlowHostIsNotHeldBack) {
  SpeedLimit limit;
  limit.set(74e6);
  i64 now = 1;
  EXPECT_NEAR(static_cast<double>(run(limit, 30e6, 1'000'000'000, now)), 30e6, 1e6);
}

// A guest that slept for a second does not run faster after it.
TEST(SpeedLimit, SleepIsNotMadeUpFor) {
  SpeedLimit limit;
  limit.set(6e6);
  i64 now = 1;
  run(limit, 400e6, 100'000'000, now);
  now += 1'000'000'000;
  EXPECT_LT(static_cast<double>(run(limit, 400e6, 100'000'000, now)), 0.122 * 6e6 * 1.02);
}

TEST(SpeedLimit, Words) {
  EXPECT_EQ(parse_speed("free").value(), 0);
  EXPECT_EQ(parse_speed("386-33").value(), 4.8e6);
  EXPECT_EQ(parse_speed("2.5M").value(), 2.5e6);
  EXPECT_EQ(parse_speed("300K").value(), 300e3);
  EXPECT_EQ(parse_speed("50000").value(), 50e3);
  for (const char* word : {"", "fast", "-1", "9", "1e300", "nan", "inf", "5G"})
    EXPECT_FALSE(parse_speed(word).ok()) << word;
  EXPECT_EQ(parse_speed("slow").message(),
            "'slow' is no speed; write free, '8088 4.77 MHz', '386-33', '486DX2-66', 'Pentium 133', or instructions a "
            "second from 10K to 10000M");
}

}  // namespace
}  // namespace relic86
