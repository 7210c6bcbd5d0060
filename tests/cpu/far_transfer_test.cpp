// Far JMP, CALL, RET and IRET between rings and modes (SDM 3A 5.8, 20.2).
#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace relic86 {
namespace {

using M = ProtectedMachine;
constexpr u32 kTarget = 0x3000;

// JMP FAR ptr16:32 and CALL FAR from CPL 3 or 0 to one descriptor.
struct DirectCase {
  const char* what;
  bool user;
  u16 selector;
  u8 access;
  u32 offset;
  int vector;  // -1: arrives
  u32 error;
};
constexpr DirectCase kDirect[] = {
    {"same ring", false, M::kSpare, 0x9B, kTarget, -1, 0},
    {"offset beyond the limit", false, M::kSpare, 0x9B, 0x100000, 13, 0},
    {"data segment", false, M::kSpare, 0x93, kTarget, 13, M::kSpare},
    {"not present", false, M::kSpare, 0x1B, kTarget, 11, M::kSpare},
    {"null", false, 0, 0x9B, kTarget, 13, 0},
    {"beyond the GDT", false, 0x1000, 0x9B, kTarget, 13, 0x1000},
    {"RPL above CPL", false, M::kSpare | 3, 0x9B, kTarget, 13, M::kSpare},
    {"outer ring", false, M::kSpare, 0xFB, kTarget, 13, M::kSpare},
    {"inner ring", true, M::kSpare, 0x9B, kTarget, 13, M::kSpare},
    {"conforming inner ring", true, M::kSpare, 0x9F, kTarget, -1, 0},
    {"conforming outer ring", false, M::kSpare, 0xFF, kTarget, 13, M::kSpare},
    {"LDT descriptor", false, M::kSpare, 0x82, kTarget, 13, M::kSpare},
    {"interrupt gate", false, M::kSpare, 0x8E, kTarget, 13, M::kSpare},
};

TEST(FarTransfer, DirectJumpsAndCalls) {
  for (const DirectCase& c : kDirect) {
    for (const u8 opcode : {u8{0xEA}, u8{0x9A}}) {
      SCOPED_TRACE(::testing::Message() << c.what << (opcode == 0xEA ? " JMP" : " CALL"));
      M m;
      if (c.selector >= M::kSpare && c.selector < 0x100) m.descriptor(c.selector, 0, 0xFFFFF, c.access, 0x4);
      const auto byte_of = [](u32 value, unsigned n) { return static_cast<u8>(value >> n * 8); };
      const std::initializer_list<u8> bytes = {opcode,
                                               byte_of(c.offset, 0),
                                               byte_of(c.offset, 1),
                                               byte_of(c.offset, 2),
                                               byte_of(c.offset, 3),
                                               byte_of(c.selector, 0),
                                               byte_of(c.selector, 1)};
      if (c.user) {
        m.ring3(bytes);
      } else {
        m.ring0(bytes);
      }
      const u32 esp = m.state().gpr32(kEsp);
      const u16 cs = m.selector(kCs);
      m.poke<u16>(kTarget, 0xFEEB);  // JMP $
      if (c.vector < 0) {
        EXPECT_EQ(m.run(2), ExitReason::BudgetSpent);
        EXPECT_EQ(m.state().rip, c.offset);
        EXPECT_EQ(m.selector(kCs), (c.selector & ~3) | (c.user ? 3 : 0));
        EXPECT_EQ(m.state().mode.cpl, c.user ? 3 : 0);
        EXPECT_EQ(m.state().gpr32(kEsp), opcode == 0x9A ? esp - 8 : esp);
        if (opcode == 0x9A) {
          EXPECT_EQ(m.frame(0), M::kCodeAt + 7);
          EXPECT_EQ(m.frame(1), cs);
        }
      } else {
        EXPECT_EQ(m.run_to_handler(), c.vector);
        EXPECT_EQ(m.frame(0), c.error);
        EXPECT_EQ(m.frame(1), M::kCodeAt);
        EXPECT_EQ(m.frame(2), cs);
        if (!c.user) {
          EXPECT_EQ(m.state().gpr32(kEsp), esp - 16);
        }
      }
    }
  }
}

constexpr std::initializer_list<u8> kCallSpare = {0x9A, 0, 0, 0, 0, M::kSpare | 3, 0};

TEST(FarTransfer, CallGateSwitchesStackAndCopiesParameters) {
  M m;
  m.call_gate(M::kSpare, M::kCode0, kTarget, 0xEC, 3);
  m.poke<u8>(kTarget, 0xF4);
  m.ring3(kCallSpare);
  for (u32 i = 0; i < 3; ++i) m.poke<u32>(M::kStack3 + i * 4, 0x11111111 * (i + 1));
  EXPECT_EQ(m.run(10), ExitReason::Halted);
  EXPECT_EQ(m.state().mode.cpl, 0);
  EXPECT_EQ(m.selector(kCs), M::kCode0);
  EXPECT_EQ(m.selector(kSs), M::kData0);
  EXPECT_EQ(m.state().gpr32(kEsp), M::kStack0 - 28);
  EXPECT_EQ(m.frame(0), M::kCodeAt + 7);
  EXPECT_EQ(m.frame(1), M::kCode3);
  for (u32 i = 0; i < 3; ++i) EXPECT_EQ(m.frame(2 + i), 0x11111111 * (i + 1));
  EXPECT_EQ(m.frame(5), M::kStack3);
  EXPECT_EQ(m.frame(6), M::kData3);
}

TEST(FarTransfer, SixteenBitCallGatePushesWords) {
  M m;
  m.call_gate(M::kSpare, M::kCode0, 0xFFFF0000 | kTarget, 0xE4, 2);  // the upper half of the offset does not count
  m.poke<u8>(kTarget, 0xF4);
  m.ring3(kCallSpare);
  m.poke<u32>(M::kStack3, 0x22221111);
  EXPECT_EQ(m.run(10), ExitReason::Halted);
  EXPECT_EQ(m.state().gpr32(kEsp), M::kStack0 - 12);
  EXPECT_EQ(m.frame16(0), M::kCodeAt + 7);
  EXPECT_EQ(m.frame16(1), M::kCode3);
  EXPECT_EQ(m.frame16(2), 0x1111);
  EXPECT_EQ(m.frame16(3), 0x2222);
  EXPECT_EQ(m.frame16(4), M::kStack3);
  EXPECT_EQ(m.frame16(5), M::kData3);
}

TEST(FarTransfer, CallGateToRing1AndBack) {
  M m;
  m.call_gate(M::kSpare, M::kCode1 & ~3, kTarget, 0xEC, 1);
  m.write(kTarget, std::vector<u8>{0x8E, 0xD9, 0xCA, 0x04, 0x00});  // MOV DS,CX; RETF 4
  m.ring3({0x9A, 0, 0, 0, 0, M::kSpare | 3, 0, 0x90, 0xFA});
  m.reg(kEcx) = M::kData1;
  EXPECT_EQ(m.run(1), ExitReason::BudgetSpent);
  EXPECT_EQ(m.state().mode.cpl, 1);
  EXPECT_EQ(m.selector(kCs), M::kCode1);
  EXPECT_EQ(m.selector(kSs), M::kData1);
  EXPECT_EQ(m.run(2), ExitReason::BudgetSpent);
  EXPECT_EQ(m.state().mode.cpl, 3);
  EXPECT_EQ(m.selector(kCs), M::kCode3);
  EXPECT_EQ(m.state().gpr32(kEsp), M::kStack3 + 4);  // the parameter is released on both stacks
  EXPECT_EQ(m.selector(kDs), 0);                     // ring 1's data is out of reach
  EXPECT_EQ(m.selector(kEs), M::kData3);
  EXPECT_EQ(m.run_to_handler(), 13);
}

struct GateCase {
  const char* what;
  u8 gate_access;
  u16 target;
  u8 target_access;
  u16 stack;  // SS0 in the TSS
  u8 stack_access;
  int vector;
  u32 error;
};
constexpr GateCase kGates[] = {
    {"gate of DPL 0", 0x8C, M::kSpare2, 0x9B, M::kSpare3, 0x93, 13, M::kSpare},
    {"gate not present", 0x6C, M::kSpare2, 0x9B, M::kSpare3, 0x93, 11, M::kSpare},
    {"to a null selector", 0xEC, 0, 0x9B, M::kSpare3, 0x93, 13, 0},
    {"to data", 0xEC, M::kSpare2, 0x93, M::kSpare3, 0x93, 13, M::kSpare2},
    {"to code not present", 0xEC, M::kSpare2, 0x1B, M::kSpare3, 0x93, 11, M::kSpare2},
    {"null stack", 0xEC, M::kSpare2, 0x9B, 0, 0x93, 10, 0},
    {"stack beyond the GDT", 0xEC, M::kSpare2, 0x9B, 0x1000, 0x93, 10, 0x1000},
    {"stack of the wrong RPL", 0xEC, M::kSpare2, 0x9B, M::kSpare3 | 1, 0x93, 10, M::kSpare3},
    {"stack of the wrong DPL", 0xEC, M::kSpare2, 0x9B, M::kSpare3, 0xB3, 10, M::kSpare3},
    {"stack is code", 0xEC, M::kSpare2, 0x9B, M::kSpare3, 0x9B, 10, M::kSpare3},
    {"stack is read-only", 0xEC, M::kSpare2, 0x9B, M::kSpare3, 0x91, 10, M::kSpare3},
    {"stack not present", 0xEC, M::kSpare2, 0x9B, M::kSpare3, 0x13, 12, M::kSpare3},
};

// The handlers run as a task of their own: the ring-0 stack under test may be unusable.
void handle_in_task(M& m, u8 vector) {
  m.interrupt_gate(vector, M::kOtherTss, 0, 0x85);
  m.poke<u32>(M::kOtherTssBase + 32, M::kHandlers + vector * 16u);
  m.poke<u32>(M::kOtherTssBase + 56, 0x9000);
  m.poke<u16>(M::kOtherTssBase + 76, M::kCode0);
  m.poke<u16>(M::kOtherTssBase + 80, M::kData0);
}

TEST(FarTransfer, CallGateChecks) {
  for (const GateCase& c : kGates) {
    SCOPED_TRACE(c.what);
    M m;
    m.call_gate(M::kSpare, c.target, kTarget, c.gate_access);
    m.descriptor(M::kSpare2, 0, 0xFFFFF, c.target_access, 0xC);
    m.descriptor(M::kSpare3, 0, 0xFFFFF, c.stack_access, 0xC);
    m.poke<u16>(M::kTssBase + 8, c.stack);
    handle_in_task(m, static_cast<u8>(c.vector));
    m.ring3(kCallSpare);
    EXPECT_EQ(m.run_to_handler(), c.vector);
    EXPECT_EQ(m.frame(0), c.error);
    EXPECT_EQ(m.peek<u32>(M::kTssBase + 32), M::kCodeAt);
    EXPECT_EQ(m.peek<u32>(M::kTssBase + 56), M::kStack3);
    EXPECT_EQ(m.peek<u16>(M::kTssBase + 76), M::kCode3);
    EXPECT_EQ(m.peek<u16>(M::kTssBase + 80), M::kData3);
  }
}

TEST(FarTransfer, CallGateOntoAStackTooSmallNamesTheStack) {
  M m;
  m.call_gate(M::kSpare, M::kCode0, kTarget, 0xEC);
  m.descriptor(M::kSpare3, 0, 0xFFF, 0x93, 0x4);
  m.poke<u32>(M::kTssBase + 4, 8);
  m.poke<u16>(M::kTssBase + 8, M::kSpare3);
  handle_in_task(m, 12);
  m.ring3(kCallSpare);
  EXPECT_EQ(m.run_to_handler(), 12);
  EXPECT_EQ(m.frame(0), M::kSpare3);
  EXPECT_EQ(m.peek<u32>(M::kTssBase + 56), M::kStack3);
}

TEST(FarTransfer, JumpThroughAGateKeepsTheRing) {
  M m;
  m.call_gate(M::kSpare, M::kCode0, kTarget, 0xEC);
  m.ring3({0xEA, 0, 0, 0, 0, M::kSpare | 3, 0});
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.frame(0), M::kCode0);
  m.call_gate(M::kSpare, M::kConforming, kTarget, 0xEC);
  m.poke<u16>(kTarget, 0xFEEB);
  m.ring3({0xEA, 0, 0, 0, 0, M::kSpare | 3, 0});
  EXPECT_EQ(m.run(3), ExitReason::BudgetSpent);
  EXPECT_EQ(m.selector(kCs), M::kConforming | 3);
  EXPECT_EQ(m.state().mode.cpl, 3);
}

// RETF and IRET to ring 3 with one thing wrong.
struct ReturnCase {
  const char* what;
  u16 cs, ss;
  u8 code_access, stack_access;
  u32 eip;
  int vector;
  u32 error;
};
constexpr ReturnCase kReturns[] = {
    {"to ring 3", M::kSpare2 | 3, M::kSpare3 | 3, 0xFB, 0xF3, kTarget, -1, 0},
    {"null CS", 0, M::kSpare3 | 3, 0xFB, 0xF3, kTarget, 13, 0},
    {"CS is data", M::kSpare2 | 3, M::kSpare3 | 3, 0xF3, 0xF3, kTarget, 13, M::kSpare2},
    {"CS of DPL 0", M::kSpare2 | 3, M::kSpare3 | 3, 0x9B, 0xF3, kTarget, 13, M::kSpare2},
    {"CS not present", M::kSpare2 | 3, M::kSpare3 | 3, 0x7B, 0xF3, kTarget, 11, M::kSpare2},
    {"null SS", M::kSpare2 | 3, 3, 0xFB, 0xF3, kTarget, 13, 0},
    {"SS of RPL 0", M::kSpare2 | 3, M::kSpare3, 0xFB, 0xF3, kTarget, 13, M::kSpare3},
    {"SS of DPL 0", M::kSpare2 | 3, M::kSpare3 | 3, 0xFB, 0x93, kTarget, 13, M::kSpare3},
    {"SS read-only", M::kSpare2 | 3, M::kSpare3 | 3, 0xFB, 0xF1, kTarget, 13, M::kSpare3},
    {"SS not present", M::kSpare2 | 3, M::kSpare3 | 3, 0xFB, 0x73, kTarget, 12, M::kSpare3},
    {"EIP beyond the limit", M::kSpare2 | 3, M::kSpare3 | 3, 0xFB, 0xF3, 0x10000000, 13, 0},
};

TEST(FarTransfer, ReturnsToTheOuterRing) {
  for (const ReturnCase& c : kReturns) {
    for (const u8 opcode : {u8{0xCB}, u8{0xCF}}) {
      SCOPED_TRACE(::testing::Message() << c.what << (opcode == 0xCB ? " RETF" : " IRET"));
      M m;
      m.descriptor(M::kSpare2, 0, 0xFFFF, c.code_access, 0xC);
      m.descriptor(M::kSpare3, 0, 0xFFFFF, c.stack_access, 0xC);
      m.ring0({opcode});
      std::vector<u32> frame = {c.eip, c.cs};
      if (opcode == 0xCF) frame.push_back(0x3246 | kNT | kRF);
      frame.push_back(M::kStack3);
      frame.push_back(c.ss);
      const u32 esp = M::kStack0 - static_cast<u32>(frame.size()) * 4;
      for (u32 i = 0; i < frame.size(); ++i) m.poke<u32>(esp + i * 4, frame[i]);
      m.reg(kEsp) = esp;
      m.poke<u16>(kTarget, 0xFEEB);
      if (c.vector < 0) {
        EXPECT_EQ(m.run(1), ExitReason::BudgetSpent);
        EXPECT_EQ(m.state().mode.cpl, 3);
        EXPECT_EQ(m.state().rip, c.eip);
        EXPECT_EQ(m.state().gpr32(kEsp), M::kStack3);
        EXPECT_EQ(m.selector(kSs), c.ss);
        EXPECT_EQ(m.selector(kDs), 0);  // ring 0's data segments become null
        EXPECT_EQ(m.cpu().eflags(), opcode == 0xCF ? 0x3246u | kNT | kRF : 2u);
      } else {
        EXPECT_EQ(m.run_to_handler(), c.vector);
        EXPECT_EQ(m.frame(0), c.error);
        EXPECT_EQ(m.frame(1), M::kCodeAt);
        EXPECT_EQ(m.state().gpr32(kEsp), esp - 16);
        EXPECT_EQ(m.selector(kDs), M::kData0);
      }
    }
  }
}

TEST(FarTransfer, ReturnToAnInnerRingIsRefused) {
  M m;
  m.ring3({0xCB});
  m.poke<u32>(M::kStack3, kTarget);
  m.poke<u32>(M::kStack3 + 4, M::kCode0);
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.frame(0), M::kCode0);
}

TEST(FarTransfer, IretAtCpl3KeepsIoplAndIf) {
  M m;
  m.ring3({0xCF});
  const u32 esp = M::kStack3 - 12;
  m.poke<u32>(esp, kTarget);
  m.poke<u32>(esp + 4, M::kCode3);
  m.poke<u32>(esp + 8, 0x3000 | kVIF | kVIP | kAC | kID | kCF);  // IF clear, IOPL 3
  m.poke<u16>(kTarget, 0xFEEB);
  m.reg(kEsp) = esp;
  EXPECT_EQ(m.run(1), ExitReason::BudgetSpent);
  EXPECT_EQ(m.cpu().eflags(), kIF | kAC | kID | kCF | kFixed1);
}

TEST(FarTransfer, IretToVirtual8086) {
  M m;
  m.ring0({0xCF});
  const u32 values[] = {0x10, 0x0100, kVM | kIF | kFixed1, 0xFFF0, 0x0C00, 0x0E00, 0x0D00, 0x0F00, 0x0F10};
  const u32 esp = M::kStack0 - sizeof values;
  for (u32 i = 0; i < 9; ++i) m.poke<u32>(esp + i * 4, values[i]);
  m.reg(kEsp) = esp;
  EXPECT_EQ(m.run(1), ExitReason::BudgetSpent);
  EXPECT_TRUE(m.state().mode.v86);
  EXPECT_EQ(m.state().mode.cpl, 3);
  EXPECT_EQ(m.state().rip, 0x10u);
  EXPECT_EQ(m.state().gpr32(kEsp), 0xFFF0u);
  const u16 expected[] = {0x0E00, 0x0100, 0x0C00, 0x0D00, 0x0F00, 0x0F10};
  for (unsigned name = kEs; name < kSegmentRegisters; ++name) {
    EXPECT_EQ(m.state().segment[name].selector.raw, expected[name]);
    EXPECT_EQ(m.state().segment[name].base, u64{expected[name]} * 16);
    EXPECT_EQ(m.state().segment[name].limit, 0xFFFFu);
  }
}

TEST(FarTransfer, IretToASixteenBitStackKeepsTheUpperHalfOfEsp) {
  M m;
  m.descriptor(M::kSpare3, 0, 0xFFFF, 0xF3, 0);
  m.ring0({0xCF});
  const u32 values[] = {kTarget, M::kCode3, 2, 0x12345678, M::kSpare3 | 3};
  const u32 esp = M::kStack0 - sizeof values + 0;
  for (u32 i = 0; i < 5; ++i) m.poke<u32>(esp + i * 4, values[i]);
  m.reg(kEsp) = esp;
  m.run(1);
  EXPECT_EQ(m.state().gpr32(kEsp), 0x5678u);  // the upper half is what ring 0's ESP had
}

TEST(FarTransfer, RealModeFarCallAndReturn) {
  CpuTestMachine m;
  m.real_mode(0x100, 0);
  m.set_segment(kSs, 0x300);
  m.reg(kEsp) = 0x100;
  m.code({0x9A, 0x20, 0x00, 0x00, 0x02, 0xF4});  // CALL 0200:0020
  m.write(0x2020, std::vector<u8>{0xCA, 0x06, 0x00});
  EXPECT_EQ(m.run(1), ExitReason::BudgetSpent);
  EXPECT_EQ(m.linear_ip(), 0x2020u);
  EXPECT_EQ(m.peek<u32>(0x30FC), 0x01000005u);
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_EQ(m.state().gpr32(kEsp), 0x106u);
}

}  // namespace
}  // namespace relic86
