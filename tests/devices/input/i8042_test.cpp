// The keyboard controller and port 92h, as BIOSes and operating systems use them.
#include <functional>
#include <random>

#include "tests/devices/input/ps2_board.h"

namespace relic86 {
namespace {
using namespace input_test;

TEST(I8042, SelfTestAndPortTestsPass) {
  Ps2Board board;
  EXPECT_EQ(board.in(0x64) & 0x05, 0);  // nothing to read, system flag clear: a cold start
  EXPECT_EQ(board.command(0xAA), 0x55);
  EXPECT_EQ(board.in(0x64) & 0x04, 0x04);
  EXPECT_EQ(board.command(0xAB), 0x00);
  EXPECT_EQ(board.command(0xA9), 0x00);
  EXPECT_EQ(board.command(0xA4), 0xF1);
}

// The power-on tests are over, and nothing of them is left that a driver could take for an answer.
TEST(I8042, DevicesAnswerRightAfterEveryReset) {
  Ps2Board board;
  for (const ResetKind kind : {ResetKind::PowerOn, ResetKind::Hard, ResetKind::Resume}) {
    for (Device* device : board.devices()) device->reset(kind);
    EXPECT_EQ(board.mouse_command({0xF6, 0xF4}), (Bytes{0xFA, 0xFA}));
    EXPECT_EQ(board.keyboard_command({0xEE}), (Bytes{0xEE}));
    board.mouse_command({0xFF});  // and a reset in the middle of a self test
    board.out(0x60, 0xFF);
  }
  for (Device* device : board.devices()) device->reset(ResetKind::Hard);
  board.out(0x64, 0xAE);
  board.out(0x64, 0xA8);
  board.run(800 * kMillisecond);
  EXPECT_FALSE(board.full());
  EXPECT_EQ(board.command(0xAA), 0x55);
}

TEST(I8042, ADeviceInItsSelfTestAnswers) {
  Ps2Board board;
  board.boot();
  for (const u8 byte : {0xFF, 0xF4}) {  // without waiting for the AAh 00h of FFh
    board.out(0x64, 0xD4);
    board.out(0x60, byte);
    EXPECT_EQ(board.read_byte(), 0xFA);
  }
  EXPECT_EQ(board.read_all(), (Bytes{}));
  for (const u8 byte : {0xFF, 0xED, 0x02}) {
    board.out(0x60, byte);
    EXPECT_EQ(board.read_byte(), 0xFA);
  }
  EXPECT_EQ(board.read_all(), (Bytes{}));
  EXPECT_EQ(board.keyboard.lights(), 2);
  EXPECT_EQ(board.keyboard_command({0xFF}), (Bytes{0xFA, 0xAA}));
  EXPECT_EQ(board.mouse_command({0xFF}), (Bytes{0xFA, 0xAA, 0x00}));
}

TEST(I8042, CommandByteAndRam) {
  Ps2Board board;
  board.out(0x64, 0x60);
  EXPECT_EQ(board.in(0x64) & 0x08, 0x08);
  board.out(0x60, 0x75);
  EXPECT_EQ(board.in(0x64) & 0x08, 0);
  EXPECT_EQ(board.command(0x20), 0x75);
  board.out(0x64, 0x7F);
  board.out(0x60, 0x5C);
  EXPECT_EQ(board.command(0x3F), 0x5C);
  board.out(0x64, 0xA8);
  board.out(0x64, 0xAE);
  EXPECT_EQ(board.command(0x20), 0x45);
  board.out(0x64, 0xA7);
  board.out(0x64, 0xAD);
  EXPECT_EQ(board.command(0x20), 0x75);
}

TEST(I8042, AnswersTakeTimeAndRaiseInterrupt1) {
  Ps2Board board;
  board.boot();
  const unsigned before = board.irqs.rises[1];
  board.out(0x64, 0x20);
  EXPECT_FALSE(board.full());
  board.run(100'000);
  EXPECT_TRUE(board.full());
  EXPECT_EQ(board.irqs.rises[1], before + 1);
  EXPECT_TRUE(board.irqs.levels[1]);
  const u8 value = board.in(0x60);
  EXPECT_FALSE(board.irqs.levels[1]);
  EXPECT_EQ(board.in(0x60), value);  // the buffer keeps the byte for handlers that read it twice
}

TEST(I8042, MouseBytesRaiseInterrupt12WithAuxiliaryBit) {
  Ps2Board board;
  board.boot();
  board.out(0x64, 0xD4);
  board.out(0x60, 0xF4);
  board.run(2 * kMillisecond);
  EXPECT_EQ(board.in(0x64) & 0x21, 0x21);
  EXPECT_TRUE(board.irqs.levels[12]);
  EXPECT_FALSE(board.irqs.levels[1]);
  EXPECT_EQ(board.in(0x60), 0xFA);
  EXPECT_FALSE(board.irqs.levels[12]);
  EXPECT_EQ(board.in(0x64) & 0x21, 0);
}

TEST(I8042, LoopbackCommandsPretendDeviceOutput) {
  Ps2Board board;
  board.boot();
  board.out(0x64, 0xD3);  // how Linux looks for an auxiliary port
  board.out(0x60, 0x5A);
  board.run(kMillisecond);
  EXPECT_EQ(board.in(0x64) & 0x21, 0x21);
  EXPECT_EQ(board.in(0x60), 0x5A);
  board.out(0x64, 0xD2);
  board.out(0x60, 0x1C);
  board.run(kMillisecond);
  EXPECT_EQ(board.in(0x64) & 0x21, 0x01);
  EXPECT_EQ(board.in(0x60), 0x1C);  // not translated
}

TEST(I8042, SendingToADeviceEnablesItsPort) {
  Ps2Board board;
  board.boot();
  board.out(0x64, 0xAD);
  board.out(0x60, 0xEE);
  EXPECT_EQ(board.read_byte(), 0xEE);
  EXPECT_EQ(board.command(0x20) & 0x10, 0);
  board.out(0x64, 0xA7);
  board.out(0x64, 0xD4);
  board.out(0x60, 0xF5);
  EXPECT_EQ(board.read_byte(), 0xFA);
  EXPECT_EQ(board.command(0x20) & 0x20, 0);
}

TEST(I8042, ANewCommandDropsTheAnswersToTheLastOne) {
  Ps2Board board;
  board.boot(false);
  board.out(0x60, 0xF2);
  board.run(2 * kMillisecond);  // FA is in the output buffer, AB 83 wait in the keyboard
  board.out(0x60, 0xEE);
  EXPECT_EQ(board.read_all(), (Bytes{0xFA, 0xEE}));
}

// The controller takes each acknowledgement before it sends the next byte: none is lost to a driver that does not wait.
TEST(I8042, EveryByteIsAcknowledged) {
  Ps2Board board;
  board.boot();
  for (const u8 byte : {0xED, 0x05, 0xF3, 0x20, 0xF4}) board.out(0x60, byte);
  EXPECT_EQ(board.read_all(), (Bytes(5, 0xFA)));
  EXPECT_EQ(board.keyboard.lights(), 5);
  for (const u8 byte : {0xF6, 0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF2}) board.out(0x64, 0xD4), board.out(0x60, byte);
  EXPECT_EQ(board.read_all(), (Bytes{0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 0xFA, 3}));
}

TEST(I8042, AbsentMouseTimesOut) {
  Ps2Board board(false);
  board.boot();
  board.out(0x64, 0xD4);
  board.out(0x60, 0xFF);
  board.run(kMillisecond);
  EXPECT_EQ(board.in(0x64) & 0x61, 0x61);
  EXPECT_EQ(board.in(0x60), 0xFE);
}

// One latch: the last write counts, whichever port it came by, and both ports show it.
TEST(I8042, A20FollowsTheLastWrite) {
  Ps2Board board;
  const auto shown = [&](bool open) {
    EXPECT_EQ(board.memory.a20(), open);
    EXPECT_EQ(board.in(0x92) & 2, open ? 2u : 0u);
    EXPECT_EQ(board.command(0xD0) & 0x03, open ? 0x03 : 0x01);
  };
  shown(true);  // the first fetch needs it
  const auto by_port92 = [&](bool open) { board.out(0x92, open ? 2 : 0); };
  const auto by_output_port = [&](bool open) { board.out(0x64, 0xD1), board.out(0x60, open ? 0xDF : 0xDD); };
  const auto by_command = [&](bool open) { board.out(0x64, open ? 0xDF : 0xDD); };
  const std::vector<std::function<void(bool)>> ways = {by_port92, by_output_port, by_command};
  for (const auto& opener : ways) {
    for (const auto& closer : ways) {
      opener(true);
      shown(true);
      closer(false);
      shown(false);
      closer(false);
      shown(false);
    }
  }
  for (Device* device : board.devices()) device->reset(ResetKind::Hard);
  shown(true);
}

TEST(I8042, PulseAndOutputPortReset) {
  Ps2Board board;
  board.out(0x64, 0xFF);
  EXPECT_EQ(board.control.resets, 0u);
  board.out(0x64, 0xFE);
  EXPECT_EQ(board.control.resets, 1u);
  board.out(0x64, 0xD1);
  board.out(0x60, 0xDE);
  EXPECT_EQ(board.control.resets, 2u);
  board.out(0x92, 0x01);
  EXPECT_EQ(board.control.resets, 3u);
  EXPECT_EQ(board.control.cpu_inits, 0u);
}

TEST(I8042, ResetPulseOnlyInitialisesTheProcessorFor286Programs) {
  Ps2Board board;
  u8 shutdown = 0x0A;
  board.reset_pin.set_shutdown_status([&] { return shutdown; });
  board.out(0x92, 0x00);
  board.out(0x64, 0xFE);
  EXPECT_EQ(board.control.cpu_inits, 1u);
  EXPECT_EQ(board.control.resets, 0u);
  EXPECT_TRUE(board.memory.a20());
  shutdown = 0;
  board.out(0x64, 0xFE);
  EXPECT_EQ(board.control.resets, 1u);
}

TEST(I8042, RestoredStateIsTheSame) {
  Ps2Board board;
  board.boot();
  board.keyboard.key(KeyCode::A, true);
  board.keyboard.key(KeyCode::Pause, true);
  board.mouse_command({0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF4});
  board.mouse.move(3, -4, 1);
  board.out(0x64, 0xD1);
  Ps2Board other;
  for (std::size_t i = 0; i < 4; i++) {
    const std::vector<u8> bytes = saved(*board.devices()[i]);
    ASSERT_TRUE(test::load(*other.devices()[i], bytes));
    EXPECT_EQ(saved(*other.devices()[i]), bytes) << board.devices()[i]->name();
  }
}

TEST(I8042, RandomRegisterAccessesAreContained) {
  Ps2Board board;
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; i++) {
    const u32 choice = random();
    const u16 port = (choice & 3) == 0 ? 0x64 : (choice & 3) == 1 ? 0x92 : 0x60;
    switch (choice >> 2 & 7) {
      case 0: board.in(port); break;
      case 1: board.keyboard.key(all_keys()[choice >> 8 & 0x7F].code, (choice & 0x80) != 0); break;
      case 2: board.mouse.move(static_cast<int>(random()), static_cast<int>(random()), static_cast<int>(choice)); break;
      case 3: board.mouse.buttons(static_cast<u8>(choice >> 8)); break;
      case 4: board.run(choice >> 8 & 0xFFFFF); break;
      default: board.out(port, static_cast<u8>(choice >> 8)); break;
    }
  }
  board.reset();
  board.out(0x64, 0xAD);
  board.read_all();
  EXPECT_EQ(board.command(0xAA), 0x55);
}

TEST(I8042, LoadedNonsenseIsContained) {
  Ps2Board board;
  board.boot();
  board.keyboard.key(KeyCode::Pause, true);
  std::mt19937 random(4);
  for (int round = 0; round < 300; round++) {
    Ps2Board other;
    for (std::size_t i = 0; i < 4; i++) {
      std::vector<u8> bytes = saved(*board.devices()[i]);
      for (int change = 0; change < 20; change++) bytes[random() % bytes.size()] = static_cast<u8>(random());
      test::load(*other.devices()[i], bytes);
    }
    for (int i = 0; i < 300; i++) {
      other.in(0x60);
      other.out((random() & 1) != 0 ? 0x60 : 0x64, static_cast<u8>(random()));
      other.mouse.move(static_cast<int>(random()), 1, 1);
      other.keyboard.key(KeyCode::B, (random() & 1) != 0);
      other.run(kMillisecond);
    }
    other.reset();
    EXPECT_EQ(other.command(0xAA), 0x55);
  }
}

}  // namespace
}  // namespace relic86
