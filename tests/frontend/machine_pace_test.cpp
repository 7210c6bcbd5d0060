#include "frontend/machine_pace.h"

#include <gtest/gtest.h>

namespace relic86 {
namespace {

constexpr i64 kSecond = 1'000'000'000;

// Four looks a second, as a window takes them, at a machine that gets so many percent of the host's time.
struct Looks {
  MachinePace pace;
  i64 got = 5 * kSecond;
  i64 host = 70 * kSecond;
  unsigned told = 0;

  void pass(int seconds, int percent) {
    for (int i = 0; i < seconds * 4; i++) {
      pace.look(true, got, host);
      told += pace.should_be_told() ? 1 : 0;
      host += kSecond / 4;
      got += kSecond / 400 * percent;
    }
    pace.look(true, got, host);
    told += pace.should_be_told() ? 1 : 0;
  }
};

TEST(MachinePace, FollowsWhatTheMachineGets) {
  Looks looks;
  EXPECT_EQ(looks.pace.percent(), 100u);
  looks.pass(2, 62);
  EXPECT_EQ(looks.pace.percent(), 62u);
  looks.pass(2, 98);
  EXPECT_EQ(looks.pace.percent(), 100u) << "as good as all";
  looks.pass(2, 300);
  EXPECT_EQ(looks.pace.percent(), 100u) << "it makes up for time that it lost";
}

TEST(MachinePace, PausesAndSavedMachinesAreNotSlow) {
  Looks looks;
  looks.pass(2, 50);
  looks.pace.look(false, looks.got, looks.host);
  EXPECT_EQ(looks.pace.percent(), 100u);
  looks.host += 100 * kSecond;
  looks.pace.look(true, looks.got, looks.host);
  EXPECT_EQ(looks.pace.percent(), 100u);
  looks.got -= 3 * kSecond;
  looks.pass(2, 100);
  EXPECT_EQ(looks.pace.percent(), 100u);
}

TEST(MachinePace, TheUserIsToldOnceAMinute) {
  Looks looks;
  looks.pass(2, 50);
  EXPECT_EQ(looks.told, 0u) << "a short while is no reason";
  looks.pass(30, 50);
  EXPECT_EQ(looks.told, 1u);
  looks.pass(40, 50);
  EXPECT_EQ(looks.told, 2u);
  looks.pass(120, 95);
  EXPECT_EQ(looks.told, 2u);
}

}  // namespace
}  // namespace relic86
