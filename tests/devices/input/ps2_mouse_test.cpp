// The PS/2 mouse behind the controller.
#include "tests/devices/input/ps2_board.h"

namespace relic86 {
namespace {
using namespace input_test;

TEST(Ps2Mouse, ResetAndStatus) {
  Ps2Board board;
  board.boot();
  EXPECT_EQ(board.mouse_command({0xFF}), (Bytes{0xFA, 0xAA, 0x00}));
  EXPECT_EQ(board.mouse_command({0xE9}), (Bytes{0xFA, 0x00, 0x02, 100}));
  EXPECT_EQ(board.mouse_command({0xE8, 0x03, 0xF3, 40, 0xE7, 0xF4}), (Bytes(6, 0xFA)));
  board.mouse.buttons(Ps2Mouse::kRight);
  board.read_all();
  EXPECT_EQ(board.mouse_command({0xE9}), (Bytes{0xFA, 0x31, 0x03, 40}));
  EXPECT_EQ(board.mouse_command({0xF6, 0xE9}), (Bytes{0xFA, 0xFA, 0x01, 0x02, 100}));
}

TEST(Ps2Mouse, ReportsMovesAndButtons) {
  Ps2Board board;
  board.boot();
  board.mouse.move(1, 1, 0);
  EXPECT_EQ(board.read_all(), (Bytes{}));  // reporting is off
  EXPECT_EQ(board.mouse_command({0xF4}), (Bytes{0xFA}));
  board.mouse.move(5, -3, 0);
  EXPECT_EQ(board.read_all(), (Bytes{0x08, 5, 3}));
  board.mouse.buttons(Ps2Mouse::kLeft);
  board.mouse.move(-2, 7, 0);
  EXPECT_EQ(board.read_all(), (Bytes{0x09, 0, 0, 0x39, 0xFE, 0xF9}));
  board.mouse.buttons(Ps2Mouse::kMiddle);
  EXPECT_EQ(board.read_all(), (Bytes{0x0C, 0, 0}));
  board.mouse.buttons(0);
  EXPECT_EQ(board.read_all(), (Bytes{0x08, 0, 0}));
}

TEST(Ps2Mouse, LongMovesTakeSeveralPackets) {
  Ps2Board board;
  board.boot();
  board.mouse_command({0xF4});
  board.mouse.move(600, 0, 0);
  int sum = 0;
  const Bytes bytes = board.read_all();
  ASSERT_EQ(bytes.size(), 9u);
  for (std::size_t i = 0; i < bytes.size(); i += 3) sum += bytes[i + 1];
  EXPECT_EQ(sum, 600);
}

TEST(Ps2Mouse, SampleRateLimitsPackets) {
  Ps2Board board;
  board.boot();
  board.mouse_command({0xF3, 10, 0xF4});
  for (int i = 0; i < 20; i++) {
    board.mouse.move(1, 0, 0);
    board.run(2 * kMillisecond);
    if (board.full()) board.in(0x60);
  }
  EXPECT_EQ(board.read_byte(), -1);  // the period of 100 ms has not passed: 40 + 50 ms
  const Bytes rest = board.read_all();
  ASSERT_EQ(rest.size(), 3u);
  EXPECT_EQ(rest[1], 19);  // the first count went at once
}

TEST(Ps2Mouse, WheelAndFiveButtonKnocks) {
  Ps2Board board;
  board.boot();
  EXPECT_EQ(board.mouse_command({0xF2}), (Bytes{0xFA, 0x00}));
  board.mouse_command({0xF3, 200, 0xF3, 100, 0xF3, 80});
  EXPECT_EQ(board.mouse_command({0xF2}), (Bytes{0xFA, 0x03}));
  board.mouse_command({0xF4});
  board.mouse.move(0, 0, 1);  // away from the user
  EXPECT_EQ(board.read_all(), (Bytes{0x08, 0, 0, 0xFF}));
  board.mouse_command({0xF3, 200, 0xF3, 200, 0xF3, 80});
  EXPECT_EQ(board.mouse_command({0xF2}), (Bytes{0xFA, 0x04}));
  board.mouse.buttons(Ps2Mouse::kSide);
  EXPECT_EQ(board.read_all(), (Bytes{0x08, 0, 0, 0x10}));
  board.mouse.buttons(Ps2Mouse::kExtra);
  board.mouse.move(0, 0, -1);
  EXPECT_EQ(board.read_all(), (Bytes{0x08, 0, 0, 0x20, 0x08, 0, 0, 0x21}));
  EXPECT_EQ(board.mouse_command({0xFF, 0xF2}), (Bytes{0xFA, 0xAA, 0x00, 0xFA, 0x00}));
}

TEST(Ps2Mouse, RemoteAndWrapModes) {
  Ps2Board board;
  board.boot();
  EXPECT_EQ(board.mouse_command({0xF0, 0xF4}), (Bytes{0xFA, 0xFA}));
  board.mouse.move(4, 0, 0);
  EXPECT_EQ(board.read_all(), (Bytes{}));
  EXPECT_EQ(board.mouse_command({0xEB}), (Bytes{0xFA, 0x08, 4, 0}));
  EXPECT_EQ(board.mouse_command({0xEE, 0xF2, 0x12, 0xEC}), (Bytes{0xFA, 0xF2, 0x12, 0xFA}));
  EXPECT_EQ(board.mouse_command({0xEA}), (Bytes{0xFA}));
}

TEST(Ps2Mouse, TwoToOneScaling) {
  Ps2Board board;
  board.boot();
  board.mouse_command({0xE7, 0xF4});
  board.mouse.move(3, 0, 0);
  EXPECT_EQ(board.read_all(), (Bytes{0x08, 3, 0}));
  board.mouse.move(2, 0, 0);
  EXPECT_EQ(board.read_all(), (Bytes{0x08, 1, 0}));
  board.mouse.move(10, 0, 0);
  EXPECT_EQ(board.read_all(), (Bytes{0x08, 20, 0}));
  EXPECT_EQ(board.mouse_command({0xEB}), (Bytes{0xFA, 0x08, 0, 0}));
}

TEST(Ps2Mouse, BadCommandsAreRefused) {
  Ps2Board board;
  board.boot();
  EXPECT_EQ(board.mouse_command({0xE1, 0xE1, 0xE8, 9, 0xF3, 0}), (Bytes{0xFE, 0xFC, 0xFA, 0xFE, 0xFA, 0xFE}));
}

}  // namespace
}  // namespace relic86
