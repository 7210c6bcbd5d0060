// The interrupt controllers, as BIOSes and kernels program them.
#include "devices/chipset/i8259.h"

#include <gtest/gtest.h>

#include "devices/chipset/coprocessor_error.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using test::load;
using test::saved;
using test::TestBoard;

struct Interrupts : ::testing::Test {
  Interrupts() {
    EXPECT_TRUE(device.attach(board.attachment).ok());
    device.set_output([this](bool level) { intr = level; });
    device.reset(ResetKind::PowerOn);
    initialize(0x01);
  }
  // As a BIOS does it: vectors 08h and 70h, cascade on 2, ICW4 as given for both, nothing masked.
  void initialize(u8 master_icw4, u8 slave_icw4 = 0x01) {
    board.out(0x20, 0x11), board.out(0xA0, 0x11);
    board.out(0x21, 0x08), board.out(0xA1, 0x70);
    board.out(0x21, 0x04), board.out(0xA1, 0x02);
    board.out(0x21, master_icw4), board.out(0xA1, slave_icw4);
    board.out(0x21, 0), board.out(0xA1, 0);
  }
  void raise(unsigned irq) { device.set_irq(irq, true); }
  void lower(unsigned irq) { device.set_irq(irq, false); }
  u32 request(u16 port) {
    board.out(port, 0x0A);
    return board.in(port);
  }
  u32 service(u16 port) {
    board.out(port, 0x0B);
    return board.in(port);
  }
  TestBoard board;
  I8259Pair device;
  bool intr = false;
};

TEST_F(Interrupts, DeliversByPriorityAndBlocksLowerOnesUntilTheEnd) {
  raise(6), raise(1);
  EXPECT_TRUE(intr);
  EXPECT_EQ(request(0x20), 0x42u);
  EXPECT_EQ(device.acknowledge(), 0x09);
  EXPECT_FALSE(intr);
  EXPECT_EQ(service(0x20), 0x02u);
  raise(0);
  EXPECT_TRUE(intr);
  EXPECT_EQ(device.acknowledge(), 0x08);
  board.out(0x20, 0x20);
  EXPECT_EQ(service(0x20), 0x02u);
  EXPECT_FALSE(intr);
  board.out(0x20, 0x20);
  EXPECT_EQ(device.acknowledge(), 0x0E);
  board.out(0x20, 0x66);  // specific
  EXPECT_EQ(service(0x20), 0u);
  EXPECT_FALSE(intr);  // an edge counts once
}

TEST_F(Interrupts, MaskHoldsARequestBack) {
  board.out(0x21, 0x10);
  EXPECT_EQ(board.in(0x21), 0x10u);
  raise(4);
  EXPECT_FALSE(intr);
  EXPECT_EQ(request(0x20), 0x10u);
  board.out(0x21, 0);
  EXPECT_TRUE(intr);
}

TEST_F(Interrupts, SlaveComesThroughInputTwo) {
  raise(12);
  EXPECT_EQ(device.acknowledge(), 0x74);
  EXPECT_EQ(service(0x20), 0x04u);
  EXPECT_EQ(service(0xA0), 0x10u);
  raise(8);  // higher at the slave, but the master has it in service
  EXPECT_FALSE(intr);
  raise(3);
  EXPECT_FALSE(intr);
  board.out(0xA0, 0x20), board.out(0x20, 0x20);
  EXPECT_EQ(device.acknowledge(), 0x70);
  board.out(0xA0, 0x20), board.out(0x20, 0x20);
  EXPECT_EQ(device.acknowledge(), 0x0B);
}

TEST_F(Interrupts, InputTwoItselfIsNotConnected) {
  raise(2);
  EXPECT_FALSE(intr);
}

TEST_F(Interrupts, WithdrawnRequestsAreSpurious) {
  raise(5);
  lower(5);
  EXPECT_FALSE(intr);
  EXPECT_EQ(device.acknowledge(), 0x0F);
  EXPECT_EQ(service(0x20), 0u);
  // What the slave's input withdraws, it withdraws at the master, too.
  board.out(0x4D1, 0x02);
  raise(9);
  EXPECT_TRUE(intr);
  lower(9);
  EXPECT_FALSE(intr);
  EXPECT_EQ(request(0x20), 0u);
}

TEST_F(Interrupts, LevelsAskAgainAfterTheEnd) {
  board.out(0x4D0, 0xFF), board.out(0x4D1, 0xFF);
  EXPECT_EQ(board.in(0x4D0), 0xF8u);
  EXPECT_EQ(board.in(0x4D1), 0xDEu);
  raise(11);
  EXPECT_EQ(device.acknowledge(), 0x73);
  EXPECT_FALSE(intr);
  board.out(0xA0, 0x20), board.out(0x20, 0x20);
  EXPECT_TRUE(intr);
  EXPECT_EQ(device.acknowledge(), 0x73);
  lower(11);
  board.out(0xA0, 0x20), board.out(0x20, 0x20);
  EXPECT_FALSE(intr);
}

TEST_F(Interrupts, ChangingTheTriggerModeChangesTheRequest) {
  raise(10);
  EXPECT_EQ(device.acknowledge(), 0x72);
  board.out(0xA0, 0x20), board.out(0x20, 0x20);
  EXPECT_FALSE(intr);
  board.out(0x4D1, 0x04);
  EXPECT_TRUE(intr);
  board.out(0x4D1, 0x00);
  EXPECT_FALSE(intr);
}

TEST_F(Interrupts, InitializationForgetsEdgesAndMasks) {
  raise(1);
  board.out(0x21, 0xFF);
  initialize(0x01);
  EXPECT_FALSE(intr);
  EXPECT_EQ(board.in(0x21), 0u);
  lower(1), raise(1);
  EXPECT_TRUE(intr);
}

// A PCI line may be high while a kernel initializes the controllers: it must not be lost.
TEST_F(Interrupts, SlaveLevelSurvivesInitialization) {
  board.out(0x4D1, 0x08);
  raise(11);
  initialize(0x01);
  EXPECT_TRUE(intr);
  EXPECT_EQ(device.acknowledge(), 0x73);
}

TEST_F(Interrupts, AutomaticEndAndRotation) {
  initialize(0x03);
  raise(3);
  EXPECT_EQ(device.acknowledge(), 0x0B);
  EXPECT_EQ(service(0x20), 0u);
  board.out(0x20, 0x80);  // rotate in automatic end
  lower(3), raise(3);
  EXPECT_EQ(device.acknowledge(), 0x0B);
  lower(3), raise(3), raise(4);
  EXPECT_EQ(device.acknowledge(), 0x0C);
  EXPECT_EQ(device.acknowledge(), 0x0B);
}

TEST_F(Interrupts, RotatesOnEndAndByCommand) {
  raise(0);
  device.acknowledge();
  board.out(0x20, 0xA0);  // non-specific end, 0 becomes the lowest
  lower(0), raise(0), raise(1);
  EXPECT_EQ(device.acknowledge(), 0x09);
  board.out(0x20, 0xE1);  // specific end, 1 becomes the lowest
  EXPECT_EQ(device.acknowledge(), 0x08);
  board.out(0x20, 0x20);
  board.out(0x20, 0xC5);  // set priority: 6 is the highest
  lower(0), raise(0), raise(6);
  EXPECT_EQ(device.acknowledge(), 0x0E);
}

TEST_F(Interrupts, SpecialMaskLetsLowerOnesIn) {
  raise(3);
  EXPECT_EQ(device.acknowledge(), 0x0B);
  raise(6);
  EXPECT_FALSE(intr);
  board.out(0x21, 0x08);
  board.out(0x20, 0x68);
  EXPECT_TRUE(intr);
  EXPECT_EQ(device.acknowledge(), 0x0E);
  raise(7);
  EXPECT_FALSE(intr);     // 6 is in service and not masked
  board.out(0x20, 0x20);  // ends 6: the masked 3 must be named
  EXPECT_EQ(service(0x20), 0x08u);
  EXPECT_EQ(device.acknowledge(), 0x0F);
  board.out(0x20, 0x20), board.out(0x20, 0x63);
  EXPECT_EQ(service(0x20), 0u);
}

TEST_F(Interrupts, SpecialFullyNestedLetsTheSlaveInterruptItself) {
  initialize(0x11);
  raise(12);
  EXPECT_EQ(device.acknowledge(), 0x74);
  raise(3);
  EXPECT_FALSE(intr);  // below input 2
  raise(14);
  EXPECT_FALSE(intr);  // below 12 at the slave
  raise(8);
  EXPECT_TRUE(intr);
  EXPECT_EQ(device.acknowledge(), 0x70);
  raise(1);
  EXPECT_EQ(device.acknowledge(), 0x09);
}

TEST_F(Interrupts, PollIsAnAcknowledge) {
  board.out(0x20, 0x0C);
  EXPECT_EQ(board.in(0x20), 0u);
  raise(4);
  board.out(0x20, 0x0C);
  EXPECT_EQ(board.in(0x20), 0x84u);
  EXPECT_FALSE(intr);
  EXPECT_EQ(service(0x20), 0x10u);
  board.out(0x20, 0x20);
  raise(13);
  board.out(0x20, 0x0C);
  EXPECT_EQ(board.in(0x20), 0x82u);
  board.out(0xA0, 0x0C);
  EXPECT_EQ(board.in(0xA0), 0x85u);
  raise(9);
  board.out(0x20, 0x20);
  EXPECT_TRUE(intr);
}

TEST_F(Interrupts, Describes) {
  raise(1);
  const std::string text = device.describe();
  EXPECT_NE(text.find("pic0: irr=02 imr=00 isr=00"), std::string::npos) << text;
  EXPECT_NE(text.find("irq_base=70"), std::string::npos) << text;
}

TEST_F(Interrupts, ResetEndsEverything) {
  raise(1);
  device.acknowledge();
  raise(0);
  device.reset(ResetKind::Hard);
  EXPECT_FALSE(intr);
  EXPECT_EQ(service(0x20), 0u);
  EXPECT_EQ(board.in(0x4D0), 0u);
}

void exercise(Interrupts& test, std::mt19937& random, unsigned steps) {
  constexpr u16 kPorts[] = {0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1};
  for (unsigned i = 0; i < steps; i++) {
    const u16 port = kPorts[random() % 6];
    switch (random() % 4) {
      case 0: test.board.out(port, static_cast<u32>(random())); break;
      case 1: test.board.in(port); break;
      case 2: test.device.set_irq(random() % 16, random() % 2 == 0); break;
      default:
        if (test.intr) test.device.acknowledge();
        break;
    }
  }
}

TEST_F(Interrupts, FuzzAndSavedState) {
  std::mt19937 random(21);
  for (unsigned round = 0; round < 50; round++) {
    exercise(*this, random, 2000);
    const auto state = saved(device);
    TestBoard other_board;
    I8259Pair other;
    bool other_intr = !intr;
    ASSERT_TRUE(other.attach(other_board.attachment).ok());
    other.set_output([&](bool level) { other_intr = level; });
    EXPECT_TRUE(load(other, state));
    EXPECT_EQ(saved(other), state);
    EXPECT_EQ(other_intr, intr);
  }
  device.reset(ResetKind::Hard);
  initialize(0x01);
  for (unsigned irq = 0; irq < 16; irq++) lower(irq);
  raise(7);
  EXPECT_EQ(device.acknowledge(), 0x0F);
  EXPECT_EQ(service(0x20), 0x80u);
}

TEST_F(Interrupts, ForeignStateIsContained) {
  std::mt19937 random(22);
  for (unsigned round = 0; round < 300; round++) {
    auto state = saved(device);
    for (unsigned i = 0; i < 60; i++) state[state.size() - 1 - random() % state.size()] = static_cast<u8>(random());
    load(device, state);
    exercise(*this, random, 50);
  }
  device.reset(ResetKind::PowerOn);
  EXPECT_EQ(board.in(0x21), 0u);
}

TEST(CoprocessorError, RaisesIrq13UntilAcknowledged) {
  TestBoard board;
  CoprocessorError device;
  ASSERT_TRUE(device.attach(board.attachment).ok());
  device.reset(ResetKind::PowerOn);
  device.set_ferr(true);
  EXPECT_TRUE(board.irqs.levels[13]);
  board.out(0xF1, 0);
  EXPECT_TRUE(board.irqs.levels[13]);
  EXPECT_FALSE(device.ignore_error());
  board.out(0xF0, 0);
  EXPECT_FALSE(board.irqs.levels[13]);
  EXPECT_TRUE(device.ignore_error());
  device.set_ferr(false);
  EXPECT_FALSE(device.ignore_error());
  device.set_ferr(true);
  EXPECT_EQ(board.irqs.rises[13], 2u);
  const auto state = saved(device);
  CoprocessorError other;
  EXPECT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  device.reset(ResetKind::Hard);
  EXPECT_FALSE(board.irqs.levels[13]);
}

}  // namespace
}  // namespace relic86
