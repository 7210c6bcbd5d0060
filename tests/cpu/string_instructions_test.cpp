// String instructions: whole runs must be what single iterations are.
#include <gtest/gtest.h>

#include <random>

#include "tests/cpu/cpu_test_machine.h"

namespace relic86 {
namespace {

class StringInstructions : public ::testing::Test {
 protected:
  StringInstructions() { machine.flat32(); }
  u32 reg(Gpr index) { return machine.state().gpr32(index); }
  void set(Gpr index, u32 value) { machine.reg(index) = value; }

  CpuTestMachine machine;
};

TEST_F(StringInstructions, CountsOneInstructionPerIteration) {
  set(kEcx, 10);
  set(kEsi, 0x4000);
  set(kEdi, 0x5000);
  machine.code({0xF3, 0xA4, 0xF4});
  const u64 before = machine.cpu().instruction_count();
  EXPECT_EQ(machine.run(4), ExitReason::BudgetSpent);
  EXPECT_EQ(machine.cpu().instruction_count() - before, 4u);
  EXPECT_EQ(reg(kEcx), 6u);
  EXPECT_EQ(reg(kEsi), 0x4004u);
  EXPECT_EQ(machine.state().eip(), 0x1000u);
  EXPECT_EQ(machine.run(6), ExitReason::BudgetSpent);
  EXPECT_EQ(reg(kEcx), 0u);
  EXPECT_EQ(machine.state().eip(), 0x1002u);
}

TEST_F(StringInstructions, ZeroCountIsOneInstruction) {
  set(kEcx, 0);
  set(kEdi, 0x5000);
  machine.code({0xF3, 0xAA});
  machine.run(1);
  EXPECT_EQ(reg(kEdi), 0x5000u);
  EXPECT_EQ(machine.state().eip(), 0x1002u);
}

TEST_F(StringInstructions, OverlappingForwardMovePropagates) {
  machine.poke<u8>(0x4000, 0x5A);
  set(kEcx, 300);
  set(kEsi, 0x4000);
  set(kEdi, 0x4001);
  machine.code({0xF3, 0xA4, 0xF4});
  machine.run(1000);
  for (u32 i = 0; i <= 300; ++i) ASSERT_EQ(machine.byte(0x4000 + i), 0x5A) << i;
  EXPECT_EQ(machine.byte(0x4000 + 301), 0);
}

TEST_F(StringInstructions, AddressSizeWrapsTheIndex) {
  set(kEcx, 0x70004);  // CX = 4
  set(kEdi, 0x8FFFE);  // DI = FFFEh, EDI's upper half stays
  set(kEax, 0x77);
  machine.code({0x67, 0xF3, 0xAA});
  machine.run(4);
  EXPECT_EQ(machine.byte(0xFFFE), 0x77);
  EXPECT_EQ(machine.byte(0xFFFF), 0x77);
  EXPECT_EQ(machine.byte(0x0000), 0x77);
  EXPECT_EQ(machine.byte(0x0001), 0x77);
  EXPECT_EQ(reg(kEdi), 0x80002u);
  EXPECT_EQ(reg(kEcx), 0x70000u);
}

TEST_F(StringInstructions, RepneScasbStopsBehindTheMatch) {
  machine.poke<u8>(0x4123, 0x42);
  set(kEcx, 0x1000);
  set(kEdi, 0x4000);
  set(kEax, 0x42);
  machine.code({0xF2, 0xAE, 0xF4});
  machine.run(0x2000);
  EXPECT_EQ(reg(kEdi), 0x4124u);
  EXPECT_EQ(reg(kEcx), 0x1000u - 0x124u);
  EXPECT_TRUE(machine.cpu().eflags() & kZF);
}

TEST_F(StringInstructions, StoringIntoItselfTakesEffectAtTheNextIteration) {
  // REP STOSB over its own bytes with HLT: after the first iteration the instruction is a HLT.
  set(kEcx, 16);
  set(kEdi, 0x1000);
  set(kEax, 0xF4);
  machine.code({0xF3, 0xAA, 0x90});
  EXPECT_EQ(machine.run(100), ExitReason::Halted);
  EXPECT_EQ(reg(kEcx), 15u);
  EXPECT_EQ(machine.state().eip(), 0x1001u);
}

// Random operands, once with a budget of one at a time (single iterations decide the result of a run's first element
// only) and once in one go.
TEST_F(StringInstructions, RunsEqualSingleIterations) {
  std::mt19937 random(12345);
  const u8 opcodes[] = {0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF};
  for (int round = 0; round < 400; ++round) {
    CpuTestMachine single;
    CpuTestMachine whole;
    const u8 opcode = opcodes[random() % sizeof opcodes];
    const u8 repeat = random() % 2 != 0 ? 0xF3 : 0xF2;
    const u8 size = random() % 2 != 0 ? 0x66 : 0x3E;
    const u32 esi = 0x4000 + random() % 0x2000;
    const u32 edi = random() % 2 != 0 ? esi + random() % 16 - 8 : 0x4000 + random() % 0x2000;
    const u32 count = random() % 600;
    const u32 eax = random() % 2;
    const bool down = random() % 2 != 0;
    std::vector<u8> memory(0x4000);
    for (u8& byte : memory) byte = static_cast<u8>(random() % 8 == 0);
    for (CpuTestMachine* m : {&single, &whole}) {
      m->flat32();
      m->code({size, repeat, opcode, 0xF4});
      m->write(0x3000, memory);
      m->reg(kEsi) = esi;
      m->reg(kEdi) = edi;
      m->reg(kEcx) = count;
      m->reg(kEax) = eax;
      m->cpu().set_eflags(down ? u32{kDF} : 0u);
    }
    while (single.run(1) != ExitReason::Halted) {
    }
    while (whole.run(1 + random() % 900) != ExitReason::Halted) {
    }
    for (const Gpr index : {kEax, kEcx, kEsi, kEdi}) ASSERT_EQ(single.reg(index), whole.reg(index)) << round;
    ASSERT_EQ(single.cpu().eflags(), whole.cpu().eflags()) << round;
    ASSERT_EQ(single.cpu().instruction_count(), whole.cpu().instruction_count()) << round;
    for (u32 i = 0; i < memory.size(); ++i) ASSERT_EQ(single.byte(0x3000 + i), whole.byte(0x3000 + i)) << round;
  }
}

}  // namespace
}  // namespace relic86
