#include "devices/character/parallel_port.h"

#include <gtest/gtest.h>

#include "tests/devices/input/input_board.h"

namespace relic86 {
namespace {

constexpr u16 kData = 0x378, kStatus = 0x379, kControl = 0x37A;

struct Paper final : CharSink {
  void put(u8 byte) override { text += static_cast<char>(byte); }
  std::string text;
};

struct Printer {
  Printer() : device(1, kData, 7) {
    EXPECT_TRUE(device.attach(board.attachment).ok());
    device.connect(&paper);
    device.reset(ResetKind::PowerOn);
  }
  void strobe(u8 byte, u8 control = 0x0C) {
    board.out(kData, byte);
    board.out(kControl, control | 1u);
    board.out(kControl, control);
  }
  input_test::Board board;
  Paper paper;
  ParallelPort device;
};

// The BIOS finds a port by a data pattern that reads back.
TEST(Parallel, IsFoundAndReady) {
  Printer printer;
  printer.board.out(kData, 0xAA);
  EXPECT_EQ(printer.board.in(kData), 0xAA);
  EXPECT_EQ(printer.board.in(kStatus), 0xDF);
  EXPECT_EQ(printer.board.in(kControl), 0xE0);
  printer.board.out(kControl, 0x2C);
  EXPECT_EQ(printer.board.in(kControl), 0xEC);  // one way only: bit 5 cannot be turned
}

TEST(Parallel, PrintsAsTheBiosDoes) {
  Printer printer;
  printer.board.out(kControl, 0x08);  // INIT#
  printer.board.out(kControl, 0x0C);
  for (const char letter : std::string("Hello\f")) {
    unsigned waits = 0;
    while ((printer.board.in(kStatus)&0x80) == 0 && waits++ < 100) printer.board.run(1000);
    ASSERT_LT(waits, 100u);
    printer.strobe(static_cast<u8>(letter));
    EXPECT_EQ(printer.board.in(kStatus)&0x80, 0);
  }
  EXPECT_EQ(printer.paper.text, "Hello\f");
  EXPECT_EQ(printer.board.irqs.rises[7], 0u);
}

TEST(Parallel, InterruptsOncePerByte) {
  Printer printer;
  for (unsigned i = 1; i <= 5; i++) {
    printer.strobe('x', 0x1C);
    EXPECT_FALSE(printer.board.irqs.levels[7]);
    printer.board.run(6'000);
    EXPECT_EQ(printer.board.in(kStatus), 0x1F);
    EXPECT_TRUE(printer.board.irqs.levels[7]);
    printer.board.run(10'000);
    EXPECT_EQ(printer.board.in(kStatus), 0xDF);
    EXPECT_EQ(printer.board.irqs.rises[7], i);
    EXPECT_FALSE(printer.board.irqs.levels[7]);
  }
}

TEST(Parallel, HeldStrobePrintsOnce) {
  Printer printer;
  printer.board.out(kData, 'a');
  for (unsigned i = 0; i < 3; i++) printer.board.out(kControl, 0x0D);
  EXPECT_EQ(printer.paper.text, "a");
}

TEST(Parallel, FuzzResetAndSavedState) {
  Printer printer;
  std::mt19937 random(31);
  for (unsigned i = 0; i < 20000; i++) {
    printer.board.out(static_cast<u16>(kData + random() % 3), random());
    printer.board.in(static_cast<u16>(kData + random() % 3));
    if (i % 3 == 0) printer.board.run(static_cast<GuestTime>(random() % 8000));
  }
  printer.board.out(kControl, 0x1C);
  printer.strobe('z', 0x1C);
  printer.board.run(6'000);
  const auto state = test::saved(printer.device);
  Printer other;
  EXPECT_TRUE(test::load(other.device, state));
  EXPECT_EQ(test::saved(other.device), state);
  EXPECT_TRUE(other.board.irqs.levels[7]);
  printer.device.reset(ResetKind::Hard);
  EXPECT_FALSE(printer.board.irqs.levels[7]);
  EXPECT_EQ(printer.board.in(kStatus), 0xDF);
  EXPECT_EQ(printer.board.in(kControl), 0xE0);
  for (unsigned value = 0; value < 256; value++) {
    auto foreign = state;
    foreign.back() = static_cast<u8>(value);
    test::load(other.device, foreign);
    other.board.run(20'000);
    other.board.in(kStatus);
  }
}

}  // namespace
}  // namespace relic86
