#include "devices/debug/debug_ports.h"

#include <gtest/gtest.h>

#include "devices/debug/isa_debug_exit.h"
#include "devices/debug/post_port.h"
#include "devices/debug/pvpanic.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

struct Text final : CharSink {
  void put(u8 byte) override { text += static_cast<char>(byte); }
  std::string text;
};

TEST(DebugConsole, ShowsBytesAndIsFoundByItsReadValue) {
  test::TestBoard board;
  Text text;
  DebugConsole firmware(0x402, &text), silent(0xE9, nullptr);
  ASSERT_TRUE(firmware.attach(board.attachment).ok());
  ASSERT_TRUE(silent.attach(board.attachment).ok());
  EXPECT_EQ(board.in(0x402), 0xE9u);
  EXPECT_EQ(board.in(0xE9), 0xE9u);
  for (const char letter : std::string("SeaBIOS\n")) board.out(0x402, static_cast<u8>(letter));
  board.out(0xE9, 'x');
  EXPECT_EQ(text.text, "SeaBIOS\n");
  EXPECT_NE(firmware.name(), silent.name());
}

TEST(DebugExit, EndsWithAnOddCode) {
  test::TestBoard board;
  IsaDebugExit device(board.control, IsaDebugExit::kDefaultPort, IsaDebugExit::kDefaultSize);
  ASSERT_TRUE(device.attach(board.attachment).ok());
  EXPECT_EQ(board.in(0x501), 0u);
  EXPECT_EQ(board.control.exit_code, 0u);
  board.out(0x501, 0x10);
  EXPECT_EQ(board.control.exit_code, 0x21u);
  board.out(0x502, 0);
  EXPECT_EQ(board.control.exit_code, 1u);
}

TEST(DebugExit, TakesDwordsAndRefusesImpossibleRanges) {
  test::TestBoard board;
  IsaDebugExit device(board.control, 0xF4, 4);
  ASSERT_TRUE(device.attach(board.attachment).ok());
  board.out(0xF4, 0x12345678, 4);
  EXPECT_EQ(board.control.exit_code, 0x2468ACF1u);
  IsaDebugExit none(board.control, 0x600, 0), over(board.control, 0xFFFF, 2);
  EXPECT_FALSE(none.attach(board.attachment).ok());
  EXPECT_FALSE(over.attach(board.attachment).ok());
}

TEST(PostPort, KeepsTheLastCode) {
  test::TestBoard board;
  PostPort device;
  ASSERT_TRUE(device.attach(board.attachment).ok());
  board.out(0x80, 0x5C);
  EXPECT_EQ(device.last_code(), 0x5Cu);
  EXPECT_EQ(board.in(0x80), 0x5Cu);
  const auto state = test::saved(device);
  device.reset(ResetKind::Hard);
  EXPECT_EQ(device.last_code(), 0u);
  EXPECT_TRUE(test::load(device, state));
  EXPECT_EQ(device.last_code(), 0x5Cu);
}

TEST(Pvpanic, TellsOfPanicsAlone) {
  test::TestBoard board;
  Pvpanic device(board.control, 0x505);
  ASSERT_TRUE(device.attach(board.attachment).ok());
  EXPECT_EQ(board.in(0x505), 1u);
  board.out(0x505, 2);
  board.out(0x505, 0xFE);
  EXPECT_EQ(board.control.panics, 0u);
  board.out(0x505, 1);
  EXPECT_EQ(board.control.panics, 1u);
}

}  // namespace
}  // namespace relic86
