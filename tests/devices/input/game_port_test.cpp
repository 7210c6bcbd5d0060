#include "devices/input/game_port.h"

#include <gtest/gtest.h>

#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

struct Port : test::TestBoard {
  Port() { EXPECT_TRUE(port.attach(attachment).ok()); }
  // Nanoseconds until a bit falls; 0: not within 5 ms.
  GuestTime pulse(unsigned bit) {
    out(0x201, 0);
    for (GuestTime passed = 0; passed < 5'000'000; passed += 100) {
      if ((in(0x201) >> bit & 1) == 0) return passed;
      clock.time += 100;
    }
    return 0;
  }
  GamePort port;
};

TEST(GamePort, PulsesAreAsLongAsTheAxesSay) {
  Port board;
  board.port.move(0, {.plugged = true, .x = -32768, .y = 32767});
  EXPECT_NEAR(static_cast<double>(board.pulse(0)), 24'200, 200);
  EXPECT_NEAR(static_cast<double>(board.pulse(1)), 1'124'200, 200);
  board.port.move(0, {.plugged = true});
  EXPECT_NEAR(static_cast<double>(board.pulse(0)), 574'200, 200);
  EXPECT_EQ(board.pulse(2), 0);  // nothing is plugged in there
  board.port.move(1, {.plugged = true});
  EXPECT_NEAR(static_cast<double>(board.pulse(3)), 574'200, 200);
}

TEST(GamePort, ButtonsAreLowWhilePressed) {
  Port board;
  EXPECT_EQ(board.in(0x201), 0xF0u);
  board.port.move(0, {.plugged = true, .buttons = 1});
  board.port.move(1, {.plugged = true, .buttons = 2});
  EXPECT_EQ(board.in(0x201), 0x60u);
  board.port.move(1, {.plugged = false, .buttons = 2});
  EXPECT_EQ(board.in(0x201), 0xE0u);
}

TEST(GamePort, SavedInTheMiddleOfAPulse) {
  Port board, other;
  board.port.move(0, {.plugged = true, .x = 100, .y = -3000, .buttons = 3});
  board.out(0x201, 0);
  const auto state = test::saved(board.port);
  ASSERT_TRUE(test::load(other.port, state));
  EXPECT_EQ(test::saved(other.port), state);
  for (int i = 0; i < 100; i++) {
    board.clock.time += 10'000;
    other.clock.time += 10'000;
    EXPECT_EQ(board.in(0x201), other.in(0x201));
  }
}

}  // namespace
}  // namespace relic86
