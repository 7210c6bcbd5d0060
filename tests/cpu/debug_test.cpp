// Debug exceptions: single step, breakpoints of DR0-DR3, general detect, RF (SDM 3B chapter 17).
#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace relic86 {
namespace {

using M = ProtectedMachine;
constexpr u32 kBs = 1u << 14, kBd = 1u << 13, kBt = 1u << 15;
constexpr u64 kDr6Fixed = 0xFFFF0FF0;

void set_dr7(M& m, u32 dr7, u32 dr0 = 0) {
  m.state().dr[0] = dr0;
  m.state().dr[7] = dr7 | 0x400;
  m.cpu().update_access_checks();
}

TEST(Debug, SingleStepTrapsAfterOneInstruction) {
  M m;
  m.ring0({0x40, 0x40, 0xF4});
  m.cpu().set_eflags(kTF);
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.frame(0), M::kCodeAt + 1);
  EXPECT_EQ(m.frame(2) & (kTF | kRF), kTF);
  EXPECT_EQ(m.state().dr[6], kDr6Fixed | kBs);
  EXPECT_EQ(m.state().gpr32(kEax), 1u);
}

TEST(Debug, PopfSetsTfForTheInstructionAfterTheNext) {
  M m;
  m.ring0({0x9D, 0x40, 0x40});
  m.reg(kEsp) -= 4;
  m.poke<u32>(M::kStack0 - 4, kTF);
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.frame(0), M::kCodeAt + 2);
}

TEST(Debug, InterruptInstructionIsNotFollowedByATrap) {
  M m;
  m.ring0({0xCD, 0x80});
  m.cpu().set_eflags(kTF);
  EXPECT_EQ(m.run_to_handler(), 0x80);
  EXPECT_EQ(m.frame(0), M::kCodeAt + 2);
  EXPECT_EQ(m.frame(2) & kTF, kTF);
  EXPECT_EQ(m.state().dr[6] & kBs, 0u);
}

TEST(Debug, FaultingInstructionDoesNotTrap) {
  M m;
  m.ring0({0x0F, 0x0B});
  m.cpu().set_eflags(kTF);
  EXPECT_EQ(m.run_to_handler(), 6);
  EXPECT_EQ(m.state().dr[6] & kBs, 0u);
}

TEST(Debug, RepeatedInstructionTrapsAfterEachIteration) {
  M m;
  m.ring0({0xF3, 0xAA, 0xF4});  // REP STOSB
  m.cpu().set_eflags(kTF);
  m.reg(kEcx) = 3;
  m.reg(kEdi) = 0x3000;
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.state().gpr32(kEcx), 2u);
  EXPECT_EQ(m.frame(0), M::kCodeAt);
  EXPECT_EQ(m.frame(2) & kRF, kRF);  // iterations are left
}

TEST(Debug, MovSsDelaysTheTrap) {
  M m;
  m.ring0({0x8E, 0xD0, 0x43, 0x43});  // MOV SS,AX; INC EBX
  m.cpu().set_eflags(kTF);
  m.reg(kEax) = M::kData0;
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.frame(0), M::kCodeAt + 3);
  EXPECT_EQ(m.ebx(), 1u);
}

TEST(Debug, InstructionBreakpointIsAFaultWithRfClear) {
  M m;
  m.ring0({0x40, 0x43, 0xF4});
  set_dr7(m, 1, M::kCodeAt + 1);
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.frame(0), M::kCodeAt + 1);
  EXPECT_EQ(m.frame(2) & kRF, 0u);
  EXPECT_EQ(m.state().dr[6], kDr6Fixed | 1);
  EXPECT_EQ(m.ebx(), 0u);
}

TEST(Debug, MatchesAreThoseOfTheLastException) {
  M m;
  m.ring0({0x40, 0x43, 0xF4});
  set_dr7(m, 1, M::kCodeAt + 1);
  m.state().dr[6] = kDr6Fixed | kBs | 2;
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.state().dr[6], kDr6Fixed | kBs | 1);
}

TEST(Debug, WhatMovSsMatchedComesWithInt1) {
  M m;
  m.ring0({0x8E, 0x13, 0xF1, 0x43});  // MOV SS,[EBX]; INT1
  m.reg(kEbx) = 0x3000;
  m.poke<u16>(0x3000, M::kData0);
  set_dr7(m, 0xF0002, 0x3000);
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.frame(0), M::kCodeAt + 3);
  EXPECT_EQ(m.state().dr[6], kDr6Fixed | 1);
  EXPECT_EQ(m.state().pending & kPendingDataBreak, 0u);
}

TEST(Debug, RfLetsOneInstructionPass) {
  M m;
  m.ring0({0x43, 0xEB, 0xFD});  // INC EBX; JMP back
  set_dr7(m, 1, M::kCodeAt);
  m.cpu().set_eflags(kRF);
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.ebx(), 1u);
}

TEST(Debug, RfWithoutABreakpointLastsAsLong) {
  M m;
  m.ring0({0xCF});  // IRET to INC EBX
  m.reg(kEsp) -= 12;
  const u32 frame[] = {0x3000, M::kCode0, kFixed1 | kRF};
  for (u32 i = 0; i < 3; ++i) m.poke<u32>(M::kStack0 - 12 + i * 4, frame[i]);
  m.poke<u32>(0x3000, 0xF44343);
  EXPECT_EQ(m.run(1), ExitReason::BudgetSpent);
  EXPECT_EQ(m.cpu().eflags() & kRF, kRF);
  EXPECT_EQ(m.run(1), ExitReason::BudgetSpent);
  EXPECT_EQ(m.ebx(), 1u);
  EXPECT_EQ(m.cpu().eflags() & kRF, 0u);
}

TEST(Debug, FaultsPushRfSetWhateverItWas) {
  for (const u32 flags : {0u, u32{kRF}}) {
    M m;
    m.ring0({0x0F, 0x0B});
    m.cpu().set_eflags(flags);
    EXPECT_EQ(m.run_to_handler(), 6);
    EXPECT_EQ(m.frame(2) & kRF, kRF);
  }
}

TEST(Debug, RfDoesNotOutlastTheInstructionThatEnablesABreakpoint) {
  M m;
  m.ring0({0x0F, 0x23, 0xF8, 0x43, 0xF4});  // MOV DR7,EAX; INC EBX
  set_dr7(m, 0, M::kCodeAt + 3);
  m.reg(kEax) = 0x401;
  m.cpu().set_eflags(kRF);
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.frame(0), M::kCodeAt + 3);
  EXPECT_EQ(m.ebx(), 0u);
}

TEST(Debug, MovSsHidesAnInstructionBreakpointOfIntelParts) {
  struct Case {
    const char* model;
    int handler;  // -1: none ran
    u32 ebx;
  };
  for (const Case& row : {Case{"pentium3", -1, 1}, Case{"qemu64", 1, 0}}) {
    M m(row.model);
    m.ring0({0x8E, 0xD0, 0x43, 0xF4});  // MOV SS,AX; INC EBX
    set_dr7(m, 1, M::kCodeAt + 2);
    m.reg(kEax) = M::kData0;
    EXPECT_EQ(m.run_to_handler(), row.handler) << row.model;
    EXPECT_EQ(m.ebx(), row.ebx) << row.model;
  }
}

struct DataCase {
  const char* what;
  u32 dr7;
  u32 dr0;
  bool write;
  bool hits;
};
constexpr DataCase kData[] = {
    {"write, 4 bytes", 0xD0001, 0x3000, true, true},
    {"read does not match a write breakpoint", 0xD0001, 0x3000, false, false},
    {"read of a read/write breakpoint", 0xF0001, 0x3000, false, true},
    {"last byte of the access", 0x10001, 0x3003, true, true},
    {"one byte behind the access", 0x10001, 0x3004, true, false},
    {"two bytes before the access", 0x50001, 0x2FFE, true, false},
    {"address aligned to the length", 0xD0001, 0x3002, true, true},
    {"globally enabled", 0xD0002, 0x3000, true, true},
    {"not enabled", 0xD0000, 0x3000, true, false},
};

TEST(Debug, DataBreakpointsTrap) {
  for (const DataCase& c : kData) {
    SCOPED_TRACE(c.what);
    M m;
    m.ring0({static_cast<u8>(c.write ? 0x89 : 0x8B), 0x03, 0x90, 0xF4});
    m.reg(kEbx) = 0x3000;
    m.reg(kEax) = 0x12345678;
    set_dr7(m, c.dr7, c.dr0);
    EXPECT_EQ(m.run_to_handler(), c.hits ? 1 : -1);
    if (c.hits) {
      EXPECT_EQ(m.frame(0), M::kCodeAt + 2);
      EXPECT_EQ(m.state().dr[6], kDr6Fixed | 1);
      EXPECT_EQ(m.frame(2) & kRF, 0u);
    }
    if (c.write) {
      EXPECT_EQ(m.peek<u32>(0x3000), 0x12345678u);
    }
  }
}

TEST(Debug, DataBreakpointOfMovSsWaits) {
  M m;
  m.poke<u16>(0x3000, M::kData0);
  m.ring0({0x8E, 0x13, 0x40, 0x40});  // MOV SS,[EBX]
  m.reg(kEbx) = 0x3000;
  set_dr7(m, 0xF0001, 0x3000);
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.frame(0), M::kCodeAt + 3);
}

TEST(Debug, FaultingInstructionDropsItsDataBreakpoint) {
  M m;
  m.ring0({0xFF, 0x33});  // PUSH [EBX], with a stack that faults
  m.descriptor(M::kSpare, 0, 0xFFFFF, 0x91, 0xC);
  m.reg(kEbx) = 0x3000;
  m.state().segment[kSs].attributes &= static_cast<u16>(~2u);  // SS is no longer writable
  derive_limits(m.state(), m.state().segment[kSs]);
  m.interrupt_gate(13, M::kOtherTss, 0, 0x85);
  m.poke<u32>(M::kOtherTssBase + 32, M::handler(13));
  m.poke<u32>(M::kOtherTssBase + 56, 0x9000);
  m.poke<u16>(M::kOtherTssBase + 76, M::kCode0);
  m.poke<u16>(M::kOtherTssBase + 80, M::kData0);
  set_dr7(m, 0xF0002, 0x3000);
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.state().dr[6] & 15, 0u);
}

TEST(Debug, IoBreakpointsNeedDe) {
  for (const bool de : {false, true}) {
    for (const u8 opcode : {u8{0xEC}, u8{0x6C}}) {  // IN AL,DX; INSB
      M m;
      m.ring0({opcode, 0x90, 0xF4});
      m.reg(kEdx) = 0x3F8;
      m.reg(kEdi) = 0x3000;
      if (de) m.state().cr4 |= 8;
      set_dr7(m, 0x20001, 0x3F8);
      EXPECT_EQ(m.run_to_handler(), de ? 1 : -1);
      if (de) {
        EXPECT_EQ(m.frame(0), M::kCodeAt + 1);
      }
    }
  }
}

TEST(Debug, GeneralDetect) {
  M m;
  m.ring0({0x0F, 0x21, 0xC0});  // MOV EAX,DR0
  set_dr7(m, 1u << 13);
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.frame(0), M::kCodeAt);
  EXPECT_EQ(m.state().dr[6], kDr6Fixed | kBd);
  EXPECT_EQ(m.state().dr[7] & 1u << 13, 0u);
}

TEST(Debug, RegistersFourAndFive) {
  M m;
  m.ring0({0x0F, 0x21, 0xE0, 0xF4});  // MOV EAX,DR4
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_EQ(m.state().gpr32(kEax), kDr6Fixed);
  m.ring0({0x0F, 0x21, 0xE0, 0xF4});
  m.state().cr4 |= 8;
  EXPECT_EQ(m.run_to_handler(), 6);
  m.ring3({0x0F, 0x21, 0xC0});
  EXPECT_EQ(m.run_to_handler(), 13);
}

TEST(Debug, TaskSwitchTrap) {
  M m;
  m.poke<u32>(M::kOtherTssBase + 32, 0x3000);
  m.poke<u32>(M::kOtherTssBase + 56, 0x9000);
  m.poke<u16>(M::kOtherTssBase + 76, M::kCode0);
  m.poke<u16>(M::kOtherTssBase + 80, M::kData0);
  m.poke<u8>(M::kOtherTssBase + 100, 1);
  m.poke<u8>(0x3000, 0x43);
  m.ring0({0xEA, 0, 0, 0, 0, M::kOtherTss, 0});
  EXPECT_EQ(m.run_to_handler(), 1);
  EXPECT_EQ(m.frame(0), 0x3000u);
  EXPECT_EQ(m.state().dr[6], kDr6Fixed | kBt);
  EXPECT_EQ(m.ebx(), 0u);
}

}  // namespace
}  // namespace relic86
