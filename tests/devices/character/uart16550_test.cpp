#include "devices/character/uart16550.h"

#include <gtest/gtest.h>

#include "tests/devices/input/input_board.h"

namespace relic86 {
namespace {

using test::load;
using test::saved;

constexpr u16 kBase = 0x3F8;
constexpr u16 kData = kBase, kEnable = kBase + 1, kIdentification = kBase + 2, kFifo = kBase + 2, kLine = kBase + 3;
constexpr u16 kModem = kBase + 4, kLineStatus = kBase + 5, kModemStatus = kBase + 6, kScratch = kBase + 7;
constexpr GuestTime kBit = 8680;         // at 115200 baud, in ns
constexpr GuestTime kCharacter = 86805;  // 10 bits at 115200 baud, in ns

struct Host final : CharSink {
  void put(u8 byte) override { text += static_cast<char>(byte); }
  std::string text;
};

struct Serial {
  Serial() : device(1, kBase, 4) {
    EXPECT_TRUE(device.attach(board.attachment).ok());
    device.connect(&host);
    device.reset(ResetKind::PowerOn);
  }
  // 115200 baud, 8N1, interrupt let through.
  void open(u8 fifo = 0) {
    board.out(kLine, 0x83);
    board.out(kData, 1), board.out(kEnable, 0);
    board.out(kLine, 0x03);
    board.out(kFifo, fifo);
    board.out(kModem, 0x0B);
  }
  u32 id() { return board.in(kIdentification); }
  u32 status() { return board.in(kLineStatus); }
  bool irq() const { return board.irqs.levels[4]; }
  input_test::Board board;
  Host host;
  Uart16550 device;
};

TEST(Uart, ResetValues) {
  Serial serial;
  EXPECT_EQ(serial.board.in(kEnable), 0);
  EXPECT_EQ(serial.id(), 0x01u);
  EXPECT_EQ(serial.board.in(kLine), 0);
  EXPECT_EQ(serial.board.in(kModem), 0);
  EXPECT_EQ(serial.status(), 0x60u);
  EXPECT_EQ(serial.board.in(kModemStatus), 0xB0);
}

// What Linux's driver looks for: bits that must not stick, loopback of the modem lines, FIFO bits, scratch register.
TEST(Uart, IsFoundToBeA16550A) {
  Serial serial;
  auto& board = serial.board;
  board.out(kEnable, 0xFF);
  EXPECT_EQ(board.in(kEnable), 0x0F);
  board.out(kEnable, 0);
  board.out(kModem, 0x1A);
  EXPECT_EQ(board.in(kModemStatus)&0xF0, 0x90);
  board.out(kModem, 0);
  board.out(kScratch, 0xA5);
  EXPECT_EQ(board.in(kScratch), 0xA5);
  board.out(kFifo, 1);
  EXPECT_EQ(serial.id() >> 6, 3u);
  board.out(kLine, 0x80);
  board.out(kFifo, 0x21);
  EXPECT_EQ(serial.id() & 0xE0, 0xC0u);  // no 64-byte FIFO of a 16750
  board.out(kLine, 0);
  board.out(kFifo, 0);
  EXPECT_EQ(serial.id() >> 6, 0u);
}

TEST(Uart, SendsAtTheProgrammedSpeed) {
  Serial serial;
  serial.open();
  serial.board.out(kData, 'a');
  EXPECT_EQ(serial.host.text, "a");
  EXPECT_EQ(serial.status(), 0u);
  serial.board.run(kBit);
  EXPECT_EQ(serial.status(), 0x20u);  // in the shift register
  serial.board.out(kData, 'b');
  EXPECT_EQ(serial.status(), 0u);
  serial.board.run(kCharacter - 1000);
  EXPECT_EQ(serial.status(), 0u);
  serial.board.run(2000);
  EXPECT_EQ(serial.status(), 0x20u);
  serial.board.run(kCharacter);
  EXPECT_EQ(serial.status(), 0x60u);
  // 300 baud, 7E2: 11 bits.
  serial.board.out(kLine, 0x80);
  serial.board.out(kData, 0x80), serial.board.out(kEnable, 0x01);
  serial.board.out(kLine, 0x1E);
  serial.board.out(kData, 'c');
  serial.board.run(GuestTime{1'000'000'000} / 300);
  serial.board.run(GuestTime{1'000'000'000} * 11 / 300 - 10'000);
  EXPECT_EQ(serial.status(), 0x20u);
  serial.board.run(20'000);
  EXPECT_EQ(serial.status(), 0x60u);
  EXPECT_EQ(serial.host.text, "abc");
}

TEST(Uart, FifoHoldsSixteenBesideTheShiftRegister) {
  Serial serial;
  serial.open(0x07);
  serial.board.out(kEnable, 2);
  serial.id();
  const unsigned rises = serial.board.irqs.rises[4];
  for (unsigned i = 0; i < 16; i++) serial.board.out(kData, 'a' + i);
  serial.board.run(kBit);
  serial.board.out(kData, 'q');
  EXPECT_EQ(serial.board.irqs.rises[4], rises);
  EXPECT_EQ(serial.status(), 0u);
  serial.board.run(16 * kCharacter - 1000);
  EXPECT_EQ(serial.status(), 0u);
  serial.board.run(2000);
  EXPECT_EQ(serial.status(), 0x20u);
  EXPECT_EQ(serial.board.irqs.rises[4], rises + 1);
  serial.board.run(kCharacter);
  EXPECT_EQ(serial.status(), 0x60u);
  EXPECT_EQ(serial.host.text, "abcdefghijklmnopq");
}

// Linux tests at startup that the THRE interrupt comes back when it is switched off and on.
TEST(Uart, EmptyInterruptSemantics) {
  Serial serial;
  serial.open();
  serial.board.out(kEnable, 2);
  EXPECT_TRUE(serial.irq());
  EXPECT_EQ(serial.id(), 2u);
  EXPECT_FALSE(serial.irq());  // reading it took it back
  EXPECT_EQ(serial.id(), 1u);
  serial.board.out(kEnable, 2);
  EXPECT_EQ(serial.id(), 1u);
  serial.board.out(kEnable, 0);
  serial.board.out(kEnable, 2);
  EXPECT_TRUE(serial.irq());
  serial.board.out(kData, 'x');
  EXPECT_FALSE(serial.irq());
  serial.board.run(kBit);  // on to the shift register
  EXPECT_TRUE(serial.irq());
  serial.board.out(kData, 'y');
  EXPECT_FALSE(serial.irq());
  serial.board.run(kCharacter + 1000);
  EXPECT_TRUE(serial.irq());
  EXPECT_EQ(serial.id(), 2u);
}

// An interrupt handler that is fed by THRE sends everything.
TEST(Uart, InterruptDrivenSending) {
  Serial serial;
  serial.open(0x01);
  const std::string text = "The quick brown fox jumps over the lazy dog, twice or more.\r\n";
  std::size_t sent = 0;
  serial.board.out(kEnable, 2);
  for (unsigned steps = 0; sent < text.size() && steps < 1000; steps++) {
    while (serial.irq()) {
      if (serial.id() != 0xC2) break;
      for (unsigned i = 0; i < 16 && sent < text.size(); i++) serial.board.out(kData, static_cast<u8>(text[sent++]));
    }
    serial.board.run(kCharacter);
  }
  EXPECT_EQ(serial.host.text, text);
}

TEST(Uart, ReceivesWithoutFifos) {
  Serial serial;
  serial.open();
  serial.board.out(kEnable, 5);
  EXPECT_TRUE(serial.device.can_receive());
  serial.device.receive('a');
  EXPECT_FALSE(serial.device.can_receive());
  EXPECT_EQ(serial.id(), 4u);
  serial.device.receive('b');  // overrun: the new one wins
  EXPECT_EQ(serial.id(), 6u);
  EXPECT_EQ(serial.status(), 0x63u);
  EXPECT_EQ(serial.status(), 0x61u);
  EXPECT_EQ(serial.id(), 4u);
  EXPECT_EQ(serial.board.in(kData), 'b');
  EXPECT_EQ(serial.id(), 1u);
  EXPECT_FALSE(serial.irq());
  EXPECT_EQ(serial.status(), 0x60u);
}

TEST(Uart, TriggerLevelAndTimeout) {
  Serial serial;
  serial.open(0x81);  // 8
  serial.board.out(kEnable, 1);
  for (unsigned i = 0; i < 7; i++) serial.device.receive(static_cast<u8>(i));
  EXPECT_EQ(serial.id(), 0xC1u);
  serial.board.run(4 * kCharacter - 1000);
  EXPECT_FALSE(serial.irq());
  serial.board.run(2000);
  EXPECT_EQ(serial.id(), 0xCCu);
  EXPECT_EQ(serial.board.in(kData), 0);
  EXPECT_EQ(serial.id(), 0xC1u);  // a read starts the time again
  serial.board.run(5 * kCharacter);
  EXPECT_EQ(serial.id(), 0xCCu);
  serial.device.receive(7), serial.device.receive(8);
  EXPECT_EQ(serial.id(), 0xC4u);
  EXPECT_EQ(serial.board.in(kData), 1);
  EXPECT_EQ(serial.id(), 0xC1u);
  for (u8 i = 2; i <= 8; i++) EXPECT_EQ(serial.board.in(kData), i);
  serial.board.run(5 * kCharacter);
  EXPECT_EQ(serial.id(), 0xC1u);
}

TEST(Uart, FifoOverrunLosesTheNewest) {
  Serial serial;
  serial.open(0x01);
  for (unsigned i = 0; i < 16; i++) {
    EXPECT_TRUE(serial.device.can_receive());
    serial.device.receive(static_cast<u8>(i));
  }
  EXPECT_FALSE(serial.device.can_receive());
  serial.device.receive(99);
  EXPECT_EQ(serial.status(), 0x63u);
  for (u8 i = 0; i < 16; i++) EXPECT_EQ(serial.board.in(kData), i);
  EXPECT_EQ(serial.status(), 0x60u);
}

TEST(Uart, BreakShowsWithItsCharacter) {
  Serial serial;
  serial.open(0x01);
  serial.board.out(kEnable, 4);
  serial.device.receive('a');
  serial.device.receive_break();
  EXPECT_FALSE(serial.irq());
  EXPECT_EQ(serial.status(), 0xE1u);
  EXPECT_EQ(serial.board.in(kData), 'a');
  EXPECT_EQ(serial.id(), 0xC6u);
  EXPECT_EQ(serial.status(), 0xF1u);
  EXPECT_EQ(serial.status(), 0x61u);
  EXPECT_EQ(serial.board.in(kData), 0);
}

TEST(Uart, ModemChanges) {
  Serial serial;
  serial.open();
  serial.board.in(kModemStatus);
  serial.board.out(kEnable, 8);
  serial.device.set_modem_inputs(Uart16550::kRing | Uart16550::kClearToSend);
  EXPECT_EQ(serial.id(), 0u);
  EXPECT_EQ(serial.board.in(kModemStatus), 0x5A);
  EXPECT_FALSE(serial.irq());
  serial.device.set_modem_inputs(Uart16550::kClearToSend);
  EXPECT_EQ(serial.board.in(kModemStatus), 0x14);
  EXPECT_EQ(serial.board.in(kModemStatus), 0x10);
}

// How small kernels test a port: they set the loop, write, and read at once.
TEST(Uart, LoopbackAnswersAtOnce) {
  for (const u8 fifo : {u8{0}, u8{0xC7}}) {
    Serial serial;
    serial.open(fifo);
    serial.board.out(kModem, 0x1E);
    for (const u8 byte : {0xAE, 0x00, 0xFF}) {
      serial.board.out(kData, byte);
      EXPECT_EQ(serial.board.in(kData), byte);
      EXPECT_EQ(serial.status() & 0x61, 0x60u);
    }
    serial.board.out(kModem, 0x0F);
    serial.board.out(kData, 'x');
    EXPECT_EQ(serial.board.in(kData), 0u) << "without the loop nothing comes back";
    EXPECT_EQ(serial.host.text, "x");
  }
}

TEST(Uart, LoopbackReturnsCharactersOnlyToTheGuest) {
  Serial serial;
  serial.open(0x01);
  serial.board.out(kModem, 0x1F);
  EXPECT_FALSE(serial.device.can_receive());
  serial.device.receive('h');
  for (const char letter : std::string("loop")) serial.board.out(kData, static_cast<u8>(letter));
  EXPECT_EQ(serial.status() & 1, 0u);
  serial.board.run(5 * kCharacter);
  std::string back;
  while ((serial.status() & 1) != 0) back += static_cast<char>(serial.board.in(kData));
  EXPECT_EQ(back, "loop");
  EXPECT_EQ(serial.host.text, "");
  EXPECT_EQ(serial.board.in(kModemStatus)&0xF0, 0xF0);
}

TEST(Uart, Out2GatesTheInterrupt) {
  Serial serial;
  serial.open();
  serial.board.out(kModem, 0x0B);
  serial.board.out(kModem, 0x03);
  serial.board.out(kEnable, 2);
  EXPECT_FALSE(serial.irq());
  serial.board.out(kModem, 0x0B);
  EXPECT_TRUE(serial.irq());
}

TEST(Uart, InterruptsOfADriverThatNeverSetsOut2) {
  Serial serial;
  serial.board.out(kModem, 0);
  serial.board.out(kEnable, 2);
  EXPECT_TRUE(serial.irq());
}

TEST(Uart, LengthCountsFromTheFirstWriteToLcrOn) {
  Serial serial;
  serial.device.receive(0xE1);
  EXPECT_EQ(serial.board.in(kData), 0xE1u);
  serial.board.out(kLine, 0x00);  // 5 bits
  serial.device.receive(0xE1);
  EXPECT_EQ(serial.board.in(kData), 0x01u);
  serial.board.out(kLine, 0x02);  // 7 bits
  serial.device.receive(0xE1);
  EXPECT_EQ(serial.board.in(kData), 0x61u);
}

TEST(Uart, FifoControlClears) {
  Serial serial;
  serial.open(0x01);
  serial.device.receive('a');
  serial.board.out(kFifo, 0x02);  // without bit 0: FIFOs off, which clears them, too
  EXPECT_EQ(serial.id(), 1u);
  EXPECT_EQ(serial.status(), 0x60u);
  serial.board.out(kFifo, 0x01);
  for (unsigned i = 0; i < 4; i++) serial.board.out(kData, i), serial.board.run(kBit);
  serial.device.receive('a');
  serial.board.out(kFifo, 0x07);
  EXPECT_EQ(serial.status(), 0x20u);  // the shift register goes on
}

TEST(Uart, ResetAndSavedState) {
  Serial serial;
  std::mt19937 random(21);
  for (unsigned i = 0; i < 50000; i++) {
    const auto port = static_cast<u16>(kBase + random() % 8);
    serial.board.out(port, random());
    if (random() % 2 == 0) serial.board.in(static_cast<u16>(kBase + random() % 8));
    if (random() % 4 == 0) serial.device.receive(static_cast<u8>(random()));
    if (random() % 16 == 0) serial.device.receive_break();
    if (random() % 16 == 0) serial.device.set_modem_inputs(static_cast<u8>(random()));
    if (i % 8 == 0) serial.board.run(static_cast<GuestTime>(random() % 1'000'000));
  }
  const auto state = saved(serial.device);
  Serial other;
  EXPECT_TRUE(load(other.device, state));
  EXPECT_EQ(saved(other.device), state);
  EXPECT_EQ(other.irq(), serial.irq());
  serial.device.set_modem_inputs(0xB0);
  serial.device.reset(ResetKind::Hard);
  EXPECT_EQ(serial.id(), 1u);
  EXPECT_EQ(serial.status(), 0x60u);
  EXPECT_EQ(serial.board.in(kModemStatus), 0xB0);
  EXPECT_FALSE(serial.irq());
}

TEST(Uart, ForeignStateIsContained) {
  Serial serial;
  std::mt19937 random(22);
  for (unsigned round = 0; round < 500; round++) {
    auto state = saved(serial.device);
    for (unsigned i = 0; i < 30; i++) state[random() % state.size()] = static_cast<u8>(random());
    load(serial.device, state);
    for (unsigned i = 0; i < 50; i++) {
      serial.board.out(static_cast<u16>(kBase + random() % 8), random());
      serial.board.in(static_cast<u16>(kBase + random() % 8));
      serial.device.receive(static_cast<u8>(i));
    }
    serial.board.run(10'000'000);
  }
  serial.device.reset(ResetKind::PowerOn);
  EXPECT_EQ(serial.status(), 0x60u);
}

}  // namespace
}  // namespace relic86
