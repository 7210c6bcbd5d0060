#include "display/window_title.h"

#include <gtest/gtest.h>

namespace relic86 {
namespace {

TEST(WindowTitle, NameStateSpeedAndHowToGrab) {
  EXPECT_EQ(window_title({"dos", "running", 85'200'000, 0, false}, false),
            "relic86 - dos (running, 85 MIPS) - click or Ctrl+Alt+G grabs the mouse");
  EXPECT_EQ(window_title({"", "running", 1'230'000, 0, false}, true),
            "relic86 (running, 1.2 MIPS) - Ctrl+Alt+G frees the mouse");
}

TEST(WindowTitle, APointerThatNeedsNoGrab) {
  EXPECT_EQ(window_title({"", "running", 1'230'000, 0, false, true}, false),
            "relic86 (running, 1.2 MIPS) - Ctrl+Alt+G grabs the keyboard");
  EXPECT_EQ(window_title({"", "running", 1'230'000, 0, false, true}, true),
            "relic86 (running, 1.2 MIPS) - Ctrl+Alt+G frees the keyboard");
}

TEST(WindowTitle, PausedMachinesHaveNoSpeed) {
  EXPECT_EQ(window_title({"", "paused", 85'200'000, 0, false}, true), "relic86 (paused) - Ctrl+Alt+G frees the mouse");
}

TEST(WindowTitle, SaysWhenTheHostIsTooSlow) {
  MachineSummary summary{"", "running", 1'230'000, 2, false};
  summary.pace = 62;
  EXPECT_EQ(window_title(summary, true),
            "relic86 (running, 1.2 MIPS, at 62 % speed, Num) - Ctrl+Alt+G frees the mouse");
  summary.state = "paused";
  EXPECT_EQ(window_title(summary, true), "relic86 (paused, Num) - Ctrl+Alt+G frees the mouse");
}

TEST(WindowTitle, KeyboardLights) {
  EXPECT_EQ(window_title({"", "running", 20'000'000, 6, false}, true),
            "relic86 (running, 20 MIPS, Num, Caps) - Ctrl+Alt+G frees the mouse");
}

TEST(WindowTitle, SaysHowToQuitAfterAsking) {
  EXPECT_EQ(window_title({"", "paused", 0, 0, true}, true),
            "relic86 (paused) - the guest was asked to power off; Ctrl+Alt+Q again quits");
}

}  // namespace
}  // namespace relic86
