// Integer instructions: the forms that once broke an emulator (shift counts, bit strings, POP [ESP], same registers
// ...).
#include <gtest/gtest.h>

#include "tests/cpu/cpu_test_machine.h"

namespace relic86 {
namespace {

class IntegerInstructions : public ::testing::Test {
 protected:
  IntegerInstructions() { machine.flat32(); }
  // One instruction.
  void step(std::initializer_list<u8> bytes) {
    machine.state().rip = next;
    machine.code(bytes);
    machine.run(1);
    next += 0x20;
  }
  u32 reg(Gpr index) { return machine.state().gpr32(index); }
  void set(Gpr index, u32 value) { machine.reg(index) = value; }
  u32 flags() { return machine.cpu().eflags() & kArithmeticFlags; }
  void set_flags(u32 value) { machine.cpu().set_eflags(value); }

  CpuTestMachine machine;
  u32 next = 0x1000;
};

TEST_F(IntegerInstructions, AddDefinesAllSixFlags) {
  set(kEax, 0x7FFFFFFF);
  step({0x83, 0xC0, 0x01});
  EXPECT_EQ(reg(kEax), 0x80000000u);
  EXPECT_EQ(flags(), u32{kOF | kSF | kAF | kPF});
  set(kEax, 0xFF);
  step({0x04, 0x01});  // ADD AL,1
  EXPECT_EQ(reg(kEax), 0u);
  EXPECT_EQ(flags(), u32{kCF | kZF | kAF | kPF});
}

TEST_F(IntegerInstructions, IncAndDecKeepCarry) {
  set_flags(kCF);
  set(kEax, 0xFFFFFFFF);
  step({0x40});
  EXPECT_EQ(reg(kEax), 0u);
  EXPECT_EQ(flags(), u32{kCF | kZF | kAF | kPF});
  set_flags(0);
  step({0x48});
  EXPECT_EQ(flags(), u32{kSF | kAF | kPF});
}

TEST_F(IntegerInstructions, AdcSbbWithCarryAndFullOperand) {
  set_flags(kCF);
  set(kEax, 5);
  step({0x15, 0xFF, 0xFF, 0xFF, 0xFF});  // ADC EAX,-1
  EXPECT_EQ(reg(kEax), 5u);
  EXPECT_TRUE(flags() & kCF);
  step({0x1D, 0xFF, 0xFF, 0xFF, 0xFF});  // SBB EAX,-1 with CF
  EXPECT_EQ(reg(kEax), 5u);
  EXPECT_TRUE(flags() & kCF);
}

TEST_F(IntegerInstructions, ShiftByZeroLeavesFlags) {
  set_flags(kArithmeticFlags);
  set(kEcx, 0x20);  // 32 counts as 0
  set(kEax, 1);
  step({0xD3, 0xE0});  // SHL EAX,CL
  EXPECT_EQ(reg(kEax), 1u);
  EXPECT_EQ(flags(), u32{kArithmeticFlags});
  step({0xD3, 0xD8});  // RCR EAX,CL
  EXPECT_EQ(flags(), u32{kArithmeticFlags});
  step({0x0F, 0xA5, 0xC8});  // SHLD EAX,ECX,CL
  EXPECT_EQ(flags(), u32{kArithmeticFlags});
}

TEST_F(IntegerInstructions, ByteShiftByMoreThanEight) {
  set(kEax, 0xFF);
  step({0xC0, 0xE0, 0x08});  // SHL AL,8: the last bit out is bit 0
  EXPECT_EQ(reg(kEax), 0u);
  EXPECT_TRUE(flags() & kCF);
  set(kEax, 0xFF);
  step({0xC0, 0xE0, 0x09});
  EXPECT_FALSE(flags() & kCF);
  set(kEax, 0x80);
  step({0xC0, 0xF8, 0x1F});  // SAR AL,31
  EXPECT_EQ(reg(kEax), 0xFFu);
  EXPECT_TRUE(flags() & kCF);
}

TEST_F(IntegerInstructions, RotateThroughCarryIsModuloNineAndSeventeen) {
  set_flags(kCF);
  set(kEax, 0x12);
  step({0xC0, 0xD0, 0x09});  // RCL AL,9
  EXPECT_EQ(reg(kEax), 0x12u);
  EXPECT_TRUE(flags() & kCF);
  set(kEax, 0x1234);
  step({0x66, 0xC1, 0xD8, 0x11});  // RCR AX,17
  EXPECT_EQ(reg(kEax), 0x1234u);
  EXPECT_TRUE(flags() & kCF);
  set_flags(kCF);
  set(kEax, 0);
  step({0xC0, 0xD0, 0x0A});  // RCL AL,10 = by 1
  EXPECT_EQ(reg(kEax), 1u);
  set_flags(0);
  set(kEax, 0x80000001);
  step({0xC1, 0xD8, 0x1F});  // RCR EAX,31: the ring of 33 bits two to the left
  EXPECT_EQ(reg(kEax), 0x5u);
}

TEST_F(IntegerInstructions, RotateByOperandSizeSetsCarry) {
  set_flags(0);
  set(kEax, 0x01);
  step({0xC0, 0xC0, 0x08});  // ROL AL,8
  EXPECT_EQ(reg(kEax), 1u);
  EXPECT_TRUE(flags() & kCF);
}

TEST_F(IntegerInstructions, DoubleShift16ByMoreThan16) {
  set(kEax, 0x1234);
  set(kEdx, 0xABCD);
  step({0x66, 0x0F, 0xA4, 0xD0, 0x14});  // SHLD AX,DX,20
  EXPECT_EQ(reg(kEax), 0xBCD1u);  // the destination follows the source, as on Intel's parts
  set(kEax, 0x1234);
  step({0x66, 0x0F, 0xAC, 0xD0, 0x04});  // SHRD AX,DX,4
  EXPECT_EQ(reg(kEax), 0xD123u);
  EXPECT_FALSE(flags() & kCF);
}

TEST_F(IntegerInstructions, BitTestReachesBeyondTheOperand) {
  machine.poke<u32>(0x4000, 0);
  machine.poke<u32>(0x4004, 1u << 3);
  machine.poke<u32>(0x3FFC, 1u << 31);
  set(kEbx, 0x4000);
  set(kEcx, 35);
  step({0x0F, 0xA3, 0x0B});  // BT [EBX],ECX
  EXPECT_TRUE(flags() & kCF);
  set(kEcx, 0xFFFFFFFF);     // bit -1
  step({0x0F, 0xB3, 0x0B});  // BTR [EBX],ECX
  EXPECT_TRUE(flags() & kCF);
  EXPECT_EQ(machine.peek<u32>(0x3FFC), 0u);
  step({0x0F, 0xBA, 0x2B, 0x23});  // BTS dword [EBX],35: immediates stay within
  EXPECT_EQ(machine.peek<u32>(0x4000), 8u);
  set(kEax, 0);
  set(kEcx, 33);
  step({0x0F, 0xAB, 0xC8});  // BTS EAX,ECX wraps
  EXPECT_EQ(reg(kEax), 2u);
}

TEST_F(IntegerInstructions, BitScanOfZeroKeepsTheDestination) {
  set(kEax, 0x55);
  set(kEdx, 0);
  step({0x0F, 0xBC, 0xC2});
  EXPECT_EQ(reg(kEax), 0x55u);
  EXPECT_TRUE(flags() & kZF);
  set(kEdx, 0x80000000);
  step({0xF3, 0x0F, 0xBC, 0xC2});  // with F3 still BSF, not TZCNT
  EXPECT_EQ(reg(kEax), 31u);
  EXPECT_FALSE(flags() & kZF);
  step({0x0F, 0xBD, 0xC2});
  EXPECT_EQ(reg(kEax), 31u);
}

TEST_F(IntegerInstructions, DivisionOverflowFaults) {
  set(kEax, 0x80000000);
  set(kEdx, 0xFFFFFFFF);
  set(kEcx, 0xFFFFFFFF);
  step({0xF7, 0xF9});  // IDIV: -2^31 / -1
  EXPECT_EQ(machine.cpu().fault().vector, Vector::DivideError);
  EXPECT_EQ(reg(kEax), 0x80000000u);
}

TEST_F(IntegerInstructions, SignedByteDivision) {
  set(kEax, 0xFF80);  // AX = -128
  set(kEcx, 1);
  step({0xF6, 0xF9});
  EXPECT_EQ(reg(kEax), 0x0080u);  // AL = -128: fits
}

TEST_F(IntegerInstructions, AamZeroFaults) {
  set(kEax, 0x1234);
  step({0xD4, 0x00});
  EXPECT_EQ(machine.cpu().fault().vector, Vector::DivideError);
  EXPECT_EQ(reg(kEax), 0x1234u);
}

TEST_F(IntegerInstructions, PopThroughStackPointer) {
  machine.poke<u32>(0x7000, 0xCAFEBABE);
  set(kEsp, 0x7000);
  step({0x8F, 0x04, 0x24});  // POP [ESP]: the address uses ESP after the pop
  EXPECT_EQ(machine.peek<u32>(0x7004), 0xCAFEBABEu);
  EXPECT_EQ(reg(kEsp), 0x7004u);
  machine.poke<u32>(0x7004, 0x12345678);
  step({0x5C});  // POP ESP
  EXPECT_EQ(reg(kEsp), 0x12345678u);
}

TEST_F(IntegerInstructions, PushStackPointerStoresTheOldValue) {
  set(kEsp, 0x7000);
  step({0x54});
  EXPECT_EQ(machine.peek<u32>(0x6FFC), 0x7000u);
  EXPECT_EQ(reg(kEsp), 0x6FFCu);
  step({0xFF, 0x34, 0x24});  // PUSH [ESP]
  EXPECT_EQ(machine.peek<u32>(0x6FF8), 0x7000u);
}

TEST_F(IntegerInstructions, PushOfSignedByteWithWordOperand) {
  set(kEsp, 0x7000);
  step({0x66, 0x6A, 0x80});
  EXPECT_EQ(machine.peek<u16>(0x6FFE), 0xFF80u);
  EXPECT_EQ(reg(kEsp), 0x6FFEu);
}

TEST_F(IntegerInstructions, EnterWithNesting) {
  set(kEsp, 0x7000);
  set(kEbp, 0x6000);
  machine.poke<u32>(0x5FFC, 0x11111111);
  machine.poke<u32>(0x5FF8, 0x22222222);
  step({0xC8, 0x10, 0x00, 0x03});  // ENTER 16,3
  EXPECT_EQ(machine.peek<u32>(0x6FFC), 0x6000u);
  EXPECT_EQ(machine.peek<u32>(0x6FF8), 0x11111111u);
  EXPECT_EQ(machine.peek<u32>(0x6FF4), 0x22222222u);
  EXPECT_EQ(machine.peek<u32>(0x6FF0), 0x6FFCu);
  EXPECT_EQ(reg(kEbp), 0x6FFCu);
  EXPECT_EQ(reg(kEsp), 0x6FE0u);
  step({0xC9});  // LEAVE
  EXPECT_EQ(reg(kEsp), 0x7000u);
  EXPECT_EQ(reg(kEbp), 0x6000u);
}

TEST_F(IntegerInstructions, PushaPopaSkipStackPointer) {
  set(kEsp, 0x7000);
  set(kEax, 1);
  set(kEdi, 8);
  step({0x60});
  EXPECT_EQ(machine.peek<u32>(0x6FEC), 0x7000u);
  set(kEax, 0);
  set(kEdi, 0);
  machine.poke<u32>(0x6FEC, 0xBAD);
  step({0x61});
  EXPECT_EQ(reg(kEsp), 0x7000u);
  EXPECT_EQ(reg(kEax), 1u);
  EXPECT_EQ(reg(kEdi), 8u);
}

TEST_F(IntegerInstructions, ExchangesWithTheSameRegister) {
  set(kEax, 5);
  step({0x0F, 0xC1, 0xC0});  // XADD EAX,EAX
  EXPECT_EQ(reg(kEax), 10u);
  set(kEbx, 7);
  step({0x0F, 0xB1, 0xDB});  // CMPXCHG EBX,EBX: EAX (10) differs, EAX := 7
  EXPECT_EQ(reg(kEax), 7u);
  EXPECT_EQ(reg(kEbx), 7u);
  step({0x0F, 0xB1, 0xC0});  // CMPXCHG EAX,EAX
  EXPECT_EQ(reg(kEax), 7u);
  EXPECT_TRUE(flags() & kZF);
}

TEST_F(IntegerInstructions, ExchangeWhoseAddressUsesTheSameRegister) {
  machine.poke<u32>(0x4000, 0x99);
  set(kEbx, 0x4000);
  step({0x87, 0x1B});  // XCHG [EBX],EBX
  EXPECT_EQ(machine.peek<u32>(0x4000), 0x4000u);
  EXPECT_EQ(reg(kEbx), 0x99u);
  machine.poke<u32>(0x4000, 0x99);
  set(kEax, 0x4000);
  step({0x0F, 0xB1, 0x08});  // CMPXCHG [EAX],ECX
  EXPECT_EQ(machine.peek<u32>(0x4000), 0x99u);
  EXPECT_EQ(reg(kEax), 0x99u);
}

TEST_F(IntegerInstructions, Cmpxchg8b) {
  machine.poke<u64>(0x4000, 0x1122334455667788);
  set(kEdi, 0x4000);
  set(kEdx, 0x11223344);
  set(kEax, 0x55667788);
  set(kEcx, 1);
  set(kEbx, 2);
  set_flags(kCF);
  step({0x0F, 0xC7, 0x0F});
  EXPECT_EQ(machine.peek<u64>(0x4000), 0x0000000100000002u);
  EXPECT_EQ(flags(), u32{kCF | kZF});
  step({0x0F, 0xC7, 0x0F});
  EXPECT_EQ(reg(kEdx), 1u);
  EXPECT_EQ(reg(kEax), 2u);
  EXPECT_EQ(flags(), u32{kCF});
}

TEST_F(IntegerInstructions, HighByteRegisters) {
  set(kEax, 0x11223344);
  step({0x88, 0xE0});  // MOV AL,AH
  EXPECT_EQ(reg(kEax), 0x11223333u);
  step({0x0F, 0xB6, 0xFC});  // MOVZX EDI,AH
  EXPECT_EQ(reg(kEdi), 0x33u);
  step({0xB7, 0x80});        // MOV BH,80h
  step({0x0F, 0xBE, 0xCF});  // MOVSX ECX,BH
  EXPECT_EQ(reg(kEcx), 0xFFFFFF80u);
}

TEST_F(IntegerInstructions, SixteenBitAddressesWrap) {
  machine.poke<u32>(0x0010, 0xABCD);
  set(kEbx, 0x1FFF0);
  set(kEsi, 0x20);
  step({0x67, 0x8B, 0x00});  // MOV EAX,[BX+SI]
  EXPECT_EQ(reg(kEax), 0xABCDu);
}

TEST_F(IntegerInstructions, BranchTargetIsTruncatedToTheOperandSize) {
  machine.state().rip = 0x1F000;
  next = 0x1F000;
  step({0x66, 0xEB, 0x00});
  EXPECT_EQ(machine.state().eip(), 0xF003u);
}

TEST_F(IntegerInstructions, LoopCountsByAddressSize) {
  set(kEcx, 0x10000);
  step({0x67, 0xE2, 0x10});  // LOOP with CX: 0 - 1 = FFFFh
  EXPECT_EQ(reg(kEcx), 0x1FFFFu);
  EXPECT_EQ(machine.state().eip(), 0x1013u);
  set(kEcx, 0x10000);
  next = 0x1100;
  step({0x67, 0xE3, 0x10});  // JCXZ
  EXPECT_EQ(machine.state().eip(), 0x1113u);
}

TEST_F(IntegerInstructions, IllegalEncodingsAreUndefined) {
  const std::initializer_list<u8> forms[] = {
      {0xF0, 0x01, 0xD8},  // LOCK ADD EAX,EBX
      {0xF0, 0x3B, 0x03},  // LOCK CMP
      {0xF0, 0x90},        // LOCK NOP
      {0x8D, 0xC0},        // LEA EAX,EAX
      {0x62, 0xC0},        // BOUND with a register
      {0x0F, 0xFF},        // UD0
      {0x0F, 0x0B},        // UD2
      {0xFF, 0xF8},        // group 5 /7
      {0xFE, 0xD0},        // group 4 /2
      {0x8F, 0xC8},        // group 1A /1
      {0x0F, 0x05},        // SYSCALL is not in the model
      {0xC5, 0xF8, 0x77},  // VEX
      {0x0F, 0xC7, 0xC8},  // CMPXCHG8B with a register
  };
  for (const auto& form : forms) {
    step(form);
    EXPECT_EQ(machine.cpu().fault().vector, Vector::InvalidOpcode) << std::hex << unsigned{*form.begin()};
    machine.cpu().reset();
    machine.flat32();
    machine.cpu().raise(Vector::Debug);
  }
}

TEST_F(IntegerInstructions, LockOnMemoryWorks) {
  set(kEbx, 0x4000);
  machine.poke<u32>(0x4000, 1);
  step({0xF0, 0xFF, 0x03});  // LOCK INC dword [EBX]
  EXPECT_EQ(machine.peek<u32>(0x4000), 2u);
}

}  // namespace
}  // namespace relic86
