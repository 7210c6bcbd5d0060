// Hardware task switches (SDM 3A chapter 7).
#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace relic86 {
namespace {

using M = ProtectedMachine;
constexpr u32 kNew = M::kOtherTssBase, kOld = M::kTssBase, kEntry = 0x3000, kNewStack = 0x9000;

// A ring-0 task at kEntry (HLT).
void prepare(M& m) {
  m.poke<u32>(kNew + 32, kEntry);
  m.poke<u32>(kNew + 36, kCF | kFixed1);
  for (u32 i = 0; i < 8; ++i) m.poke<u32>(kNew + 40 + i * 4, 0x01010101 * (i + 1));
  m.poke<u32>(kNew + 56, kNewStack);
  m.poke<u16>(kNew + 72, M::kData0);
  m.poke<u16>(kNew + 76, M::kCode0);
  m.poke<u16>(kNew + 80, M::kData0);
  m.poke<u16>(kNew + 84, M::kData0);
  m.poke<u16>(kNew + 88, 0);
  m.poke<u16>(kNew + 92, 0);
  m.poke<u16>(kNew + 96, M::kLdt);
  m.poke<u8>(kEntry, 0xF4);
}
constexpr std::initializer_list<u8> kJump = {0xEA, 0, 0, 0, 0, M::kOtherTss, 0};
constexpr std::initializer_list<u8> kCall = {0x9A, 0, 0, 0, 0, M::kOtherTss, 0};

TEST(TaskSwitch, JumpSavesAndLoadsEverything) {
  M m;
  prepare(m);
  m.ring0(kJump);
  m.cpu().set_eflags(kZF);
  for (const Gpr gpr : {kEax, kEcx, kEdx, kEbx, kEbp, kEsi, kEdi}) m.reg(gpr) = 0xA0000000 + gpr;
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_EQ(m.state().rip, kEntry + 1);
  EXPECT_EQ(m.cpu().eflags(), kCF | kFixed1);
  for (u32 i = 0; i < 8; ++i) EXPECT_EQ(m.state().gpr32(i), i == kEsp ? kNewStack : 0x01010101 * (i + 1));
  EXPECT_EQ(m.selector(kTr), M::kOtherTss);
  EXPECT_EQ(m.selector(relic86::kLdtr), M::kLdt);
  EXPECT_EQ(m.selector(kFs), 0);
  EXPECT_NE(m.state().cr0 & 8, 0u);              // TS
  EXPECT_EQ(m.access_byte(M::kTss), 0x89);       // the old task is free
  EXPECT_EQ(m.access_byte(M::kOtherTss), 0x8B);  // the new one is busy
  EXPECT_EQ(m.peek<u32>(kOld + 32), M::kCodeAt + 7);
  EXPECT_EQ(m.peek<u32>(kOld + 36), kZF | kFixed1);
  EXPECT_EQ(m.peek<u32>(kOld + 40), 0xA0000000u);
  EXPECT_EQ(m.peek<u32>(kOld + 56), M::kStack0);
  EXPECT_EQ(m.peek<u32>(kOld + 68), 0xA0000007u);
  EXPECT_EQ(m.peek<u16>(kOld + 76), M::kCode0);
}

TEST(TaskSwitch, CallNestsAndIretReturns) {
  M m;
  prepare(m);
  m.poke<u8>(kEntry, 0xCF);  // IRET
  m.poke<u8>(kEntry + 1, 0xF4);
  m.ring0({0x9A, 0, 0, 0, 0, M::kOtherTss, 0, 0xF4});
  EXPECT_EQ(m.run(1), ExitReason::BudgetSpent);
  EXPECT_EQ(m.peek<u16>(kNew), M::kTss);  // back link
  EXPECT_EQ(m.cpu().eflags() & kNT, kNT);
  EXPECT_EQ(m.access_byte(M::kTss), 0x8B);
  EXPECT_EQ(m.access_byte(M::kOtherTss), 0x8B);
  m.state().nmi_blocked = true;
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_EQ(m.state().rip, M::kCodeAt + 8);
  EXPECT_EQ(m.selector(kTr), M::kTss);
  EXPECT_EQ(m.cpu().eflags() & kNT, 0u);
  EXPECT_EQ(m.access_byte(M::kOtherTss), 0x89);
  EXPECT_EQ(m.access_byte(M::kTss), 0x8B);
  EXPECT_EQ(m.peek<u32>(kNew + 32), kEntry + 1);  // the callee goes on behind its IRET
  EXPECT_EQ(m.peek<u32>(kNew + 36) & kNT, 0u);
  EXPECT_FALSE(m.state().nmi_blocked);
}

TEST(TaskSwitch, ThroughATaskGateWithErrorCode) {
  M m;
  prepare(m);
  m.interrupt_gate(13, M::kOtherTss, 0, 0x85);
  m.ring3({0xF4});
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_EQ(m.state().gpr32(kEsp), kNewStack - 4);
  EXPECT_EQ(m.frame(0), 0u);
  EXPECT_EQ(m.peek<u32>(kOld + 32), M::kCodeAt);
  EXPECT_EQ(m.peek<u32>(kOld + 36) & kRF, 0u);
  EXPECT_EQ(m.peek<u16>(kOld + 80), M::kData3);
  EXPECT_EQ(m.cpu().eflags() & kNT, kNT);
}

TEST(TaskSwitch, SixteenBitTss) {
  M m;
  m.descriptor(M::kOtherTss, kNew, 43, 0x81, 0);
  m.poke<u16>(kNew + 14, 0x3000);
  m.poke<u16>(kNew + 16, kCF | kFixed1);
  for (u32 i = 0; i < 8; ++i) m.poke<u16>(kNew + 18 + i * 2, static_cast<u16>(0x0101 * (i + 1)));
  m.poke<u16>(kNew + 34, M::kData0);
  m.poke<u16>(kNew + 36, M::kCode0);
  m.poke<u16>(kNew + 38, M::kData0);
  m.poke<u16>(kNew + 40, M::kData0);
  m.poke<u16>(kNew + 42, M::kLdt);
  m.poke<u8>(0x3000, 0xF4);
  m.ring0(kCall);
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_EQ(m.state().rip, 0x3001u);
  EXPECT_EQ(m.state().gpr32(kEdi) & 0xFFFF, 0x0808u);
  EXPECT_EQ(m.selector(kFs), 0);
  EXPECT_EQ(m.peek<u16>(kNew), M::kTss);
  EXPECT_EQ(m.access_byte(M::kOtherTss), 0x83);
}

TEST(TaskSwitch, IntoVirtual8086) {
  M m;
  prepare(m);
  m.poke<u32>(kNew + 36, kVM | kFixed1 | kIF);
  const u16 selectors[] = {0x0E00, 0x0100, 0x0C00, 0x0D00, 0x0F00, 0x0F10};
  for (u32 i = 0; i < 6; ++i) m.poke<u16>(kNew + 72 + i * 4, selectors[i]);
  m.poke<u32>(kNew + 32, 0x20);
  m.poke<u16>(0x1020, 0xFEEB);
  m.ring0(kJump);
  EXPECT_EQ(m.run(3), ExitReason::BudgetSpent);
  EXPECT_TRUE(m.state().mode.v86);
  EXPECT_EQ(m.state().mode.cpl, 3);
  EXPECT_EQ(m.linear_ip(), 0x1020u);
  EXPECT_EQ(m.state().segment[kGs].base, 0xF100u);
}

TEST(TaskSwitch, LocalBreakpointsAreCleared) {
  M m;
  prepare(m);
  m.ring0(kJump);
  m.state().dr[0] = m.state().dr[1] = 0x00700000;
  m.state().dr[7] = 0x400 | 1 | 8;
  m.cpu().update_access_checks();
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_EQ(m.state().dr[7], 0x408u);
}

// A switch refused before it began: faults belong to the old task.
struct EarlyCase {
  const char* what;
  u8 access;
  u32 limit;
  bool user;
  int vector;
  u32 error;
};
constexpr EarlyCase kEarly[] = {
    {"busy", 0x8B, 0x67, false, 13, M::kOtherTss},          {"not present", 0x09, 0x67, false, 11, M::kOtherTss},
    {"too short", 0x89, 0x66, false, 10, M::kOtherTss},     {"16-bit, too short", 0x81, 0x2A, false, 10, M::kOtherTss},
    {"DPL 0 at CPL 3", 0x89, 0x67, true, 13, M::kOtherTss},
};

TEST(TaskSwitch, RefusedSwitchLeavesTheOldTask) {
  for (const EarlyCase& c : kEarly) {
    SCOPED_TRACE(c.what);
    M m;
    prepare(m);
    m.descriptor(M::kOtherTss, kNew, c.limit, c.access, 0);
    if (c.user) {
      m.ring3(kJump);
    } else {
      m.ring0(kJump);
    }
    EXPECT_EQ(m.run_to_handler(), c.vector);
    EXPECT_EQ(m.frame(0), c.error);
    EXPECT_EQ(m.frame(1), M::kCodeAt);
    EXPECT_EQ(m.selector(kTr), M::kTss);
    EXPECT_EQ(m.access_byte(M::kTss), 0x8B);
    EXPECT_EQ(m.access_byte(M::kOtherTss), c.access);
  }
}

// Faults after the commit point belong to the new task: its EIP, its TR.
struct LateCase {
  const char* what;
  u32 offset;
  u16 selector;
  u8 access;  // of kSpare
  int vector;
  u32 error;
};
constexpr LateCase kLate[] = {
    {"LDT is no LDT", 96, M::kSpare, 0x93, 10, M::kSpare},
    {"LDT not present", 96, M::kSpare, 0x02, 10, M::kSpare},
    {"null CS", 76, 0, 0x9B, 10, 0},
    {"CS is data", 76, M::kSpare, 0x93, 10, M::kSpare},
    {"CS of another ring", 76, M::kSpare, 0xFB, 10, M::kSpare},
    {"CS not present", 76, M::kSpare, 0x1B, 11, M::kSpare},
    {"null SS", 80, 0, 0x93, 10, 0},
    {"SS of another ring", 80, M::kSpare, 0xF3, 10, M::kSpare},
    {"SS not present", 80, M::kSpare, 0x13, 12, M::kSpare},
    {"DS is execute-only", 84, M::kSpare, 0x99, 10, M::kSpare},
    {"DS not present", 84, M::kSpare, 0x13, 11, M::kSpare},
};

TEST(TaskSwitch, FaultsOfTheNewTask) {
  for (const LateCase& c : kLate) {
    SCOPED_TRACE(c.what);
    M m;
    prepare(m);
    m.descriptor(M::kSpare, 0, 0xFFFFF, c.access, 0xC);
    m.poke<u16>(kNew + c.offset, c.selector);
    // The new task's stack may be missing: the handler is a third task.
    constexpr u32 kThird = 0x7000;
    m.descriptor(M::kSpare2, kThird, 0x67, 0x89, 0);
    m.interrupt_gate(static_cast<u8>(c.vector), M::kSpare2, 0, 0x85);
    m.poke<u32>(kThird + 32, M::handler(static_cast<u8>(c.vector)));
    m.poke<u32>(kThird + 56, 0xB000);
    m.poke<u16>(kThird + 76, M::kCode0);
    m.poke<u16>(kThird + 80, M::kData0);
    m.ring0(kJump);
    EXPECT_EQ(m.run_to_handler(), c.vector);
    EXPECT_EQ(m.frame(0), c.error);
    EXPECT_EQ(m.peek<u16>(kThird), M::kOtherTss);
    EXPECT_EQ(m.peek<u32>(kNew + 32), kEntry);
    EXPECT_EQ(m.peek<u32>(kNew + 40), 0x01010101u);
    EXPECT_EQ(m.peek<u16>(kNew + c.offset), c.selector);  // selectors are kept though they could not be loaded
  }
}

TEST(TaskSwitch, IretToATaskThatIsNotBusy) {
  M m;
  prepare(m);
  m.poke<u16>(kOld, M::kOtherTss);
  m.ring0({0xCF});
  m.cpu().set_eflags(kNT);
  EXPECT_EQ(m.run_to_handler(), 10);
  EXPECT_EQ(m.frame(0), M::kOtherTss);
}

TEST(TaskSwitch, LoadsCr3WhenPaging) {
  M m;
  prepare(m);
  for (u32 i = 0; i < 4; ++i) {
    m.poke<u32>(0x800000 + i * 4, (0x801000 + i * 0x1000) | 7);
    m.poke<u32>(0x900000 + i * 4, (0x801000 + i * 0x1000) | 7);
  }
  for (u32 i = 0; i < 4096; ++i) m.poke<u32>(0x801000 + i * 4, i << 12 | 7);
  m.cpu().mmu().load_cr3(0x800000);
  m.state().cr3 = 0x800000;
  m.state().cr0 |= 1u << 31;
  m.cpu().update_mode();
  m.poke<u32>(kNew + 28, 0x900000);
  m.ring0(kJump);
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_EQ(m.state().cr3, 0x900000u);
  EXPECT_EQ(m.cpu().mmu().cr3(), 0x900000u);
}

}  // namespace
}  // namespace relic86
