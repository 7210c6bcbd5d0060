// The engine: budget, code cache, self-modifying code, page borders, limits, shadows and single step.
#include <gtest/gtest.h>

#include <random>

#include "tests/cpu/cpu_test_machine.h"

namespace relic86 {
namespace {

class InterpreterTest : public ::testing::Test {
 protected:
  InterpreterTest() { machine.flat32(); }
  u32 reg(Gpr index) { return machine.state().gpr32(index); }

  CpuTestMachine machine;
};

TEST_F(InterpreterTest, StopsExactlyAtTheBudget) {
  machine.code({0x40, 0x40, 0x40, 0x40, 0xEB, 0xFA});
  for (u64 budget = 1; budget < 20; ++budget) {
    const u64 before = machine.cpu().instruction_count();
    EXPECT_EQ(machine.run(budget), ExitReason::BudgetSpent);
    EXPECT_EQ(machine.cpu().instruction_count() - before, budget);
  }
}

// When it runs for the second time, and never again.
TEST_F(InterpreterTest, DecodesUnmodifiedCodeOnce) {
  machine.code({0x40, 0x41, 0xF4});  // INC EAX; INC ECX; HLT
  u64 decoded[3] = {};
  for (u64& each : decoded) {
    machine.state().halted = false;
    machine.state().rip = 0x1000;
    EXPECT_EQ(machine.run(1000), ExitReason::Halted);
    each = machine.interpreter().decoded_instructions();
  }
  EXPECT_EQ(reg(kEax), 3u);
  EXPECT_EQ(decoded[0], 0u);
  EXPECT_EQ(decoded[1], 3u);
  EXPECT_EQ(decoded[2], 3u);
}

TEST_F(InterpreterTest, DecodesALoopOnce) {
  machine.reg(kEcx) = 100;
  machine.code({0x40, 0x49, 0x75, 0xFC, 0xF4});  // INC EAX; DEC ECX; JNZ; HLT
  EXPECT_EQ(machine.run(1000), ExitReason::Halted);
  EXPECT_EQ(reg(kEax), 100u);
  EXPECT_EQ(machine.interpreter().decoded_instructions(), 4u);
}

// Whoever runs into empty memory has not come to other code.
TEST_F(InterpreterTest, ZerosCountAsNoDecodedInstructions) {
  constexpr u32 kAdds = 8, kRound = kAdds + 1;
  machine.poke<u16>(0x1000 + 2 * kAdds, 0xEEEB);  // eight times ADD [EAX],AL, then JMP to the first
  machine.reg(kEax) = 0x700000;
  EXPECT_EQ(machine.run(3 * kRound), ExitReason::BudgetSpent);
  EXPECT_EQ(machine.interpreter().decoded_instructions(), 1u);
}

// Whatever else runs, and however its places are hashed, each piece of a loop has its block soon.
TEST_F(InterpreterTest, AllPiecesOfALongLoopGetBlocks) {
  constexpr u32 kStart = 0x1000, kPieces = 50'000, kJump = 5;
  constexpr u64 kRounds = 4;
  for (u32 i = 0; i + 1 < kPieces; ++i) {  // JMP to the next
    machine.poke<u8>(kStart + i * kJump, 0xE9);
    machine.poke<u32>(kStart + i * kJump + 1, 0);
  }
  const u32 last = kStart + (kPieces - 1) * kJump;
  machine.poke<u8>(last, 0xE9);
  machine.poke<u32>(last + 1, kStart - (last + kJump));
  machine.flat32(kStart, 0x800000);
  EXPECT_EQ(machine.run(kRounds * kPieces), ExitReason::BudgetSpent);
  const u64 decoded = machine.interpreter().decoded_instructions();
  EXPECT_EQ(decoded, kPieces);
  machine.run(kPieces);
  EXPECT_EQ(machine.interpreter().decoded_instructions(), decoded);
}

TEST_F(InterpreterTest, WriteToTheNextInstructionIsSeenAtOnce) {
  // MOV byte [1007],43h (INC EBX); INC EAX at 1007 becomes INC EBX.
  machine.code({0xC6, 0x05, 0x07, 0x10, 0x00, 0x00, 0x43, 0x40, 0xF4});
  EXPECT_EQ(machine.run(10), ExitReason::Halted);
  EXPECT_EQ(reg(kEax), 0u);
  EXPECT_EQ(reg(kEbx), 1u);
  // And again, now that the code is known.
  machine.poke<u8>(0x1007, 0x40);
  machine.state().halted = false;
  machine.state().rip = 0x1000;
  EXPECT_EQ(machine.run(10), ExitReason::Halted);
  EXPECT_EQ(reg(kEax), 0u);
  EXPECT_EQ(reg(kEbx), 2u);
}

TEST_F(InterpreterTest, DmaIntoCodeIsSeen) {
  machine.code({0x40, 0xF4});
  machine.run(10);
  machine.state().halted = false;
  machine.state().rip = 0x1000;
  machine.poke<u8>(0x1000, 0x43);
  machine.run(10);
  EXPECT_EQ(reg(kEax), 1u);
  EXPECT_EQ(reg(kEbx), 1u);
}

TEST_F(InterpreterTest, InstructionAcrossAPageBorder) {
  machine.state().rip = 0x1FFE;
  machine.code({0xB8, 0x11, 0x22, 0x33, 0x44, 0xF4});  // MOV EAX,44332211h
  EXPECT_EQ(machine.run(10), ExitReason::Halted);
  EXPECT_EQ(reg(kEax), 0x44332211u);
  for (const u32 address : {0x1FFFu, 0x2001u}) {  // either part changes
    machine.poke<u8>(address, 0x99);
    machine.state().halted = false;
    machine.state().rip = 0x1FFE;
    EXPECT_EQ(machine.run(10), ExitReason::Halted);
    EXPECT_EQ(machine.peek<u8>(address), reg(kEax) >> (8 * (address - 0x1FFF)) & 0xFF);
  }
}

TEST_F(InterpreterTest, SegmentLimitCutsTheInstruction) {
  machine.state().rip = 0x1000;
  machine.code({0x40, 0xB8, 0, 0, 0, 0});
  machine.state().segment[kCs].limit = 0x1003;
  machine.run(1);
  EXPECT_EQ(reg(kEax), 1u);
  machine.cpu().raise(Vector::Debug);
  machine.run(1);
  EXPECT_EQ(machine.cpu().fault().vector, Vector::GeneralProtection);
}

TEST_F(InterpreterTest, TooLongIsGeneralProtection) {
  std::vector<u8> bytes(15, 0x66);
  bytes.push_back(0x90);
  CpuTestMachine real;
  real.set_segment(kSs, 0);
  real.real_mode(0x100, 0);
  real.reg(kEsp) = 0x400;
  real.poke<u32>(13 * 4, 0x500);
  real.poke<u8>(0x500, 0xF4);
  real.write(0x1000, bytes);
  EXPECT_EQ(real.run(10), ExitReason::Halted);
  EXPECT_EQ(real.cpu().fault().vector, Vector::GeneralProtection);
}

TEST_F(InterpreterTest, CodeInUnmappedMemoryRunsUncached) {
  // All ones: FF FF is group 5 /7, undefined. Must fault, not hang.
  machine.state().rip = 0x20000000;
  EXPECT_EQ(machine.run(3), ExitReason::Halted);
  EXPECT_EQ(machine.cpu().fault().vector, Vector::InvalidOpcode);
  EXPECT_EQ(machine.interpreter().cached_blocks(), 0u);  // the handler's HLT has run but once
}

TEST_F(InterpreterTest, SingleStepTrapsAfterEachInstruction) {
  CpuTestMachine real;
  real.set_segment(kSs, 0);
  real.real_mode(0x100, 0);
  real.reg(kEsp) = 0x800;
  real.poke<u32>(1 * 4, 0x500);
  real.poke<u8>(0x500, 0xF4);
  real.code({0x40, 0x40, 0x40});
  real.cpu().set_eflags(kTF);
  EXPECT_EQ(real.run(10), ExitReason::Halted);
  EXPECT_EQ(real.state().gpr32(kEax), 1u);
  EXPECT_EQ(real.peek<u16>(0x7FA), 1u);  // pushed IP
  EXPECT_TRUE(real.state().dr[6] & (1u << 14));
}

TEST_F(InterpreterTest, SingleStepTrapsAfterEachRepIteration) {
  CpuTestMachine real;
  real.set_segment(kSs, 0);
  real.set_segment(kEs, 0);
  real.real_mode(0x100, 0);
  real.reg(kEsp) = 0x800;
  real.reg(kEcx) = 5;
  real.reg(kEdi) = 0x600;
  real.poke<u32>(1 * 4, 0x500);
  real.poke<u8>(0x500, 0xF4);
  real.code({0xF3, 0xAA});
  real.cpu().set_eflags(kTF);
  EXPECT_EQ(real.run(10), ExitReason::Halted);
  EXPECT_EQ(real.reg(kEcx), 4u);
  EXPECT_EQ(real.peek<u16>(0x7FA), 0u);
}

TEST_F(InterpreterTest, BreakpointStopsBeforeTheInstruction) {
  machine.code({0x40, 0x40, 0x40, 0xF4});
  machine.interpreter().set_breakpoints({LinAddr(0x1002)});
  EXPECT_EQ(machine.run(10), ExitReason::Breakpoint);
  EXPECT_EQ(machine.state().eip(), 0x1002u);
  EXPECT_EQ(machine.run(10), ExitReason::Halted);
  EXPECT_EQ(reg(kEax), 3u);
}

TEST_F(InterpreterTest, InterruptWaitsOneInstructionAfterSti) {
  machine.code({0xFB, 0x40, 0x40});  // STI; INC EAX; INC EAX
  machine.cpu().set_intr(true);
  while (machine.run(10) == ExitReason::BudgetSpent) {
  }
  EXPECT_EQ(reg(kEax), 1u);
  EXPECT_EQ(machine.peek<u32>(reg(kEsp)), 0x1002u);  // return address
}

TEST_F(InterpreterTest, InterruptWaitsOneInstructionAfterMovSs) {
  machine.cpu().set_eflags(kIF);
  machine.reg(kEdx) = 0x10;
  machine.code({0x8E, 0xD2, 0x40, 0x40});  // MOV SS,DX; INC EAX; INC EAX
  machine.run(1);
  machine.cpu().set_intr(true);
  while (machine.run(10) == ExitReason::BudgetSpent) {
  }
  EXPECT_EQ(reg(kEax), 1u);
}

TEST_F(InterpreterTest, InterruptComesBetweenRepIterations) {
  machine.cpu().set_eflags(kIF);
  machine.reg(kEcx) = 1000;
  machine.reg(kEdi) = 0x5000;
  machine.code({0xF3, 0xAA});
  machine.run(10);
  machine.cpu().set_intr(true);
  while (machine.run(10) == ExitReason::BudgetSpent) {
  }
  EXPECT_EQ(reg(kEcx), 990u);
  EXPECT_EQ(machine.peek<u32>(reg(kEsp)), 0x1000u);
}

TEST_F(InterpreterTest, InterruptWakesHalt) {
  machine.cpu().set_eflags(kIF);
  machine.code({0xF4, 0x40});
  EXPECT_EQ(machine.run(10), ExitReason::Halted);
  EXPECT_EQ(machine.state().eip(), 0x1001u);
  machine.cpu().set_intr(true);
  while (machine.run(10) == ExitReason::BudgetSpent) {
  }
  EXPECT_EQ(machine.state().eip(), CpuTestMachine::kHandler + 1);
}

TEST_F(InterpreterTest, PageFaultOfTheSecondPageOfAnInstructionIsAFetchFault) {
  // Identity-mapped 4 KiB pages; the page at 2000 is absent.
  machine.poke<u32>(0x20000, 0x21003);
  for (u32 page = 0; page < 1024; ++page) machine.poke<u32>(0x21000 + page * 4, page << 12 | (page == 2 ? 0u : 3u));
  // GDT, IDT and handler lie in the fourth 4 MiB.
  machine.poke<u32>(0x2000C, 0x22003);
  for (u32 page = 0; page < 1024; ++page) machine.poke<u32>(0x22000 + page * 4, (0xC00 + page) << 12 | 3);
  machine.state().rip = 0x1FFE;
  machine.code({0xB8, 0x11, 0x22, 0x33, 0x44});
  machine.state().cr3 = 0x20000;
  ASSERT_TRUE(machine.cpu().mmu().load_cr3(0x20000));
  machine.state().cr0 |= 0x80000000;
  machine.cpu().update_mode();
  EXPECT_EQ(machine.run(5), ExitReason::Halted);
  EXPECT_EQ(machine.cpu().fault().vector, Vector::PageFault);
  EXPECT_EQ(machine.state().cr2, 0x2000u);
  EXPECT_EQ(machine.peek<u32>(reg(kEsp) + 4), 0x1FFEu);
}

TEST_F(InterpreterTest, HandlersThatFaultAtOnceDoNotHang) {
  CpuTestMachine real;
  real.set_segment(kSs, 0x2000);
  real.real_mode(0x100, 0);
  real.reg(kEsp) = 0x8000;
  real.poke<u32>(6 * 4, 0x500);  // #UD leads to another undefined opcode
  real.write(0x500, std::vector<u8>{0x0F, 0x0B});
  real.code({0x0F, 0x0B});
  EXPECT_EQ(real.run(1000), ExitReason::BudgetSpent);
}

// Garbage as code, in real and protected mode: every run ends, and ASan and UBSan find nothing.
TEST_F(InterpreterTest, RandomCodeEnds) {
  std::mt19937 random(2024);
  for (int round = 0; round < 300; ++round) {
    CpuTestMachine m;
    std::vector<u8> bytes(0x4000);
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    m.write(0x500, bytes);
    if (round % 2 == 0) {
      m.flat32(0x1000 + random() % 0x1000, 0x8000);
    } else {
      m.real_mode(static_cast<u16>(random() % 0x200), static_cast<u16>(random() % 0x1000));
    }
    for (unsigned index = kEax; index <= kEdi; ++index) m.reg(static_cast<Gpr>(index)) = random() % 0x20000;
    m.cpu().set_eflags(random() & (kArithmeticFlags | kDF | (round % 16 == 0 ? u32{kTF} : 0u)));
    for (int slice = 0; slice < 20; ++slice) {
      const u64 before = m.cpu().instruction_count();
      const ExitReason reason = m.run(500);
      ASSERT_LE(m.cpu().instruction_count() - before, 501u) << round;
      if (reason != ExitReason::BudgetSpent) break;
    }
  }
}

}  // namespace
}  // namespace relic86
