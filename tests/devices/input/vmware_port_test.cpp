#include "devices/input/vmware_port.h"

#include <gtest/gtest.h>

#include <map>

#include "devices/input/pointer.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

constexpr u32 kMagic = 0x564D5868, kIdentify = 0x45414552, kPositions = 0x53424152, kMotion = 0x4C455252, kOff = 0xF5;
constexpr u64 kRam = u64{5} << 30;

class VmwarePortTest : public testing::Test, protected ProcessorRegisters {
 protected:
  VmwarePortTest() {
    EXPECT_TRUE(port.attach(board.attachment));
    EXPECT_TRUE(ps2_mouse.attach(board.attachment));
    port.connect_processor(0, this);
    port.reset(ResetKind::PowerOn);
    ps2_mouse.reset(ResetKind::PowerOn);
  }

  u32 ask(u16 command, u32 parameter = 0) {
    registers = {{Register::Eax, kMagic}, {Register::Ebx, parameter}, {Register::Ecx, command}};
    return static_cast<u32>(board.in(VmwarePort::kPort, 4));
  }
  u32 status() { return ask(40); }
  void command(u32 code) { ask(41, code); }
  using Words = std::vector<u32>;
  Words take(u32 count) {
    Words words{ask(39, count)};
    for (const Register each : {Register::Ebx, Register::Ecx, Register::Edx, Register::Esi, Register::Edi})
      words.push_back(registers[each]);
    words.resize(count);
    return words;
  }
  void listen(u32 mode) {
    command(kIdentify);
    take(1);
    command(mode);
  }

  test::TestBoard board;
  unsigned announced = 0;
  VmwarePort port{kRam, [this] { announced++; }};
  Ps2Mouse ps2_mouse;
  Pointer pointer{ps2_mouse, &port.mouse()};
  std::map<Register, u32> registers;

 private:
  u32 read_register(Register number) const override { return registers.at(number); }
  void write_register(Register number, u32 value) override { registers[number] = value; }
};

TEST_F(VmwarePortTest, MemoryIsWhatARegisterHolds) {
  EXPECT_EQ(ask(20), 0xFFFFFFFFu);
  EXPECT_EQ(registers[Register::Ebx], 0x1177u);
}

TEST_F(VmwarePortTest, ThePointerIsItsAsSoonAsTheDriverAsksForPositions) {
  EXPECT_FALSE(pointer.absolute());
  EXPECT_FALSE(pointer.takes_positions());
  listen(kPositions);
  EXPECT_TRUE(pointer.absolute());
  pointer.point(0x7FFF, 0);
  pointer.point(1000, std::nullopt);
  pointer.point(1000, 0);  // where it is already
  pointer.buttons(Ps2Mouse::kLeft | Ps2Mouse::kMiddle);
  pointer.move(0, 0, 2);
  EXPECT_EQ(announced, 4u);
  EXPECT_EQ(status(), 16u);
  EXPECT_EQ(take(4), (Words{0, 0xFFFE, 0, 0}));
  EXPECT_EQ(take(4), (Words{0, 2000, 0, 0}));
  EXPECT_EQ(take(4), (Words{0x28, 2000, 0, 0}));
  EXPECT_EQ(take(4), (Words{0x28, 2000, 0, 0xFFFFFFFE}));
  EXPECT_EQ(pointer.pressed(), Ps2Mouse::kLeft | Ps2Mouse::kMiddle);
  command(kOff);
  EXPECT_FALSE(pointer.absolute());
  EXPECT_EQ(status(), 0xFFFF0000u);
  pointer.point(5, 5);
  EXPECT_EQ(status(), 0xFFFF0000u);
}

TEST_F(VmwarePortTest, MotionIsItsOnceTheDriverAsksForIt) {
  listen(kMotion);
  EXPECT_FALSE(pointer.absolute());
  EXPECT_TRUE(pointer.uses_vmware_mouse());
  pointer.move(-3, 7, -1);
  pointer.buttons(Ps2Mouse::kRight);
  EXPECT_EQ(take(4), (Words{0x10000, 0xFFFFFFFD, 7, 1}));
  EXPECT_EQ(take(4), (Words{0x10010, 0, 0, 0}));
  command(kOff);
  pointer.buttons(Ps2Mouse::kRight);  // the PS/2 mouse's from now on
  EXPECT_EQ(ps2_mouse.pressed(), Ps2Mouse::kRight);
}

TEST_F(VmwarePortTest, ADriverThatStopsReadingLosesWhatComesLater) {
  listen(kPositions);
  for (unsigned i = 0; i < 2000; i++) pointer.point(i & 0x3FF, i);
  EXPECT_EQ(status(), 1024u);
  EXPECT_EQ(take(4)[2], 2u);  // the first that was elsewhere than at the corner
  command(kIdentify);
  EXPECT_EQ(status(), 1021u);
}

TEST_F(VmwarePortTest, EveryAccessAsks) {
  for (const unsigned width : {1u, 2u, 4u}) {
    for (const bool out : {false, true}) {
      registers = {{Register::Eax, kMagic}, {Register::Ebx, 0}, {Register::Ecx, 10}};
      out ? board.out(VmwarePort::kPort, 0, width) : (void)board.in(VmwarePort::kPort, width);
      EXPECT_EQ(registers[Register::Eax], 6u);
      EXPECT_EQ(registers[Register::Ebx], kMagic);
      EXPECT_EQ(registers[Register::Ecx], 2u);
    }
  }
}

TEST_F(VmwarePortTest, OtherProgramsAskNothing) {
  registers = {{Register::Eax, 1}, {Register::Ebx, 0}, {Register::Ecx, 10}};
  EXPECT_EQ(board.in(VmwarePort::kPort, 4), 0xFFFFFFFFu);
  EXPECT_EQ(registers[Register::Eax], 0xFFFFFFFFu);
  EXPECT_EQ(registers[Register::Ebx], 0u);
  registers[Register::Eax] = kMagic;
  EXPECT_EQ(board.in(VmwarePort::kPort + 1), 0xFFu);
  EXPECT_EQ(registers[Register::Ebx], 0u);
}

TEST_F(VmwarePortTest, ASavedMouseGoesOn) {
  listen(kPositions);
  pointer.point(3, 4);
  const std::vector<u8> saved = test::saved(port);
  port.reset(ResetKind::Hard);
  EXPECT_EQ(status(), 0xFFFF0000u);
  ASSERT_TRUE(test::load(port, saved));
  EXPECT_TRUE(pointer.absolute());
  EXPECT_EQ(take(4), (Words{0, 6, 8, 0}));
}

}  // namespace
}  // namespace relic86
