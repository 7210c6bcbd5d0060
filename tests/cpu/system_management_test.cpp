// SMI#, the save map in SMRAM and RSM (SDM 3C chapter 34).
#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace relic86 {
namespace {

using M = ProtectedMachine;
constexpr u32 kBase = 0x30000, kHandler = kBase + 0x8000, kMap = kBase + 0x8000;

void handler(M& m, std::initializer_list<u8> bytes) { m.write(kHandler, std::vector<u8>(bytes)); }
void request_smi(M& m) { m.cpu().request(kPendingSmi); }
// One instruction, and what is pending behind it.
void step(M& m) {
  const u64 before = m.cpu().instruction_count();
  while (m.cpu().instruction_count() == before && m.run(1) == ExitReason::BudgetSpent) {
  }
}

TEST(SystemManagement, EntryState) {
  M m;
  m.ring3({0x40, 0x40});
  m.state().cr0 |= 0x8000000E;  // PG, TS, EM, MP; identity mapped below
  m.poke<u32>(0x700000, 0x87);
  m.state().cr4 = 0x10;
  m.state().cr3 = 0x700000;
  m.poke<u32>(0x700000 + 0x380 * 4, 0x87);
  m.cpu().update_mode();
  m.cpu().mmu().load_cr3(0x700000);
  m.cpu().set_eflags(kIF | kDF | 0x41);
  m.state().dr[7] = 0x402;
  m.cpu().update_access_checks();
  handler(m, {0x90, 0x90});
  request_smi(m);
  step(m);
  CpuState& s = m.state();
  EXPECT_TRUE(s.in_smm);
  EXPECT_TRUE(s.nmi_blocked);
  EXPECT_EQ(m.linear_ip(), kHandler + 1);
  EXPECT_EQ(s.rip, 0x8001u);
  EXPECT_EQ(s.segment[kCs].selector.raw, 0x3000);
  EXPECT_EQ(s.segment[kCs].base, kBase);
  EXPECT_EQ(s.segment[kCs].limit, 0xFFFFFFFFu);
  EXPECT_FALSE(s.mode.code32);
  EXPECT_EQ(s.mode.cpl, 0);
  for (const SegmentName name : {kEs, kSs, kDs, kFs, kGs}) {
    EXPECT_EQ(s.segment[name].selector.raw, 0);
    EXPECT_EQ(s.segment[name].base, 0u);
    EXPECT_EQ(s.segment[name].write_end, u64{1} << 32);
  }
  EXPECT_EQ(s.cr0 & 0x8000000D, 0u);
  EXPECT_EQ(s.cr0 & 2, 2u);  // MP stays
  EXPECT_EQ(s.cr4, 0u);
  EXPECT_EQ(s.dr[7], 0x400u);
  EXPECT_EQ(m.cpu().eflags(), 2u);
  EXPECT_EQ(m.peek<u32>(kMap + 0x7FF0), M::kCodeAt);
  EXPECT_EQ(m.peek<u32>(kMap + 0x7FF4), 0x643u);
  EXPECT_EQ(m.peek<u32>(kMap + 0x7FAC), u32{M::kCode3});
  EXPECT_EQ(m.peek<u32>(kMap + 0x7FE0), M::kStack3);
  EXPECT_EQ(m.peek<u32>(kMap + 0x7FF8), 0x700000u);
  EXPECT_EQ(m.peek<u32>(kMap + 0x7EFC), 0x00020000u);
  EXPECT_EQ(m.peek<u32>(kMap + 0x7EF8), kBase);
  EXPECT_EQ(m.peek<u16>(kMap + 0x7F02), 0);
}

TEST(SystemManagement, RsmPutsEverythingBack) {
  for (const bool v86 : {false, true}) {
    SCOPED_TRACE(v86);
    M m;
    if (v86) {
      m.v86({0x40, 0x43});
    } else {
      m.ring3({0x40, 0x43});
      m.load_hidden(kDs, M::kData16 | 3);
      set_segment_null(m.cpu(), kGs, Selector(0));
    }
    for (unsigned i = 0; i < 8; i++)
      if (i != kEsp) m.reg(static_cast<Gpr>(i)) = 0x11111111u * i;
    m.state().cr2 = 0x1234;
    m.state().dr[6] = 0xFFFF4FF1;
    m.cpu().set_eflags((m.cpu().eflags() & ~kIF) | 0x8D5);
    // XOR AX,AX; MOV DS,AX; MOV ES,AX; XOR ECX,ECX; CLD; RSM
    handler(m, {0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xC0, 0x66, 0x31, 0xC9, 0xFC, 0x0F, 0xAA});
    const CpuState before = m.state();
    const u32 flags = m.cpu().eflags();
    request_smi(m);
    for (int i = 0; i < 6; i++) step(m);
    const CpuState& after = m.state();
    EXPECT_FALSE(after.in_smm);
    EXPECT_EQ(after.gpr, before.gpr);
    EXPECT_EQ(after.rip, before.rip);
    EXPECT_EQ(m.cpu().eflags(), flags);
    EXPECT_EQ(after.cr0, before.cr0);
    EXPECT_EQ(after.cr2, before.cr2);
    EXPECT_EQ(after.cr4, before.cr4);
    EXPECT_EQ(after.dr, before.dr);
    EXPECT_EQ(after.gdtr.base, before.gdtr.base);
    EXPECT_EQ(after.idtr.limit, before.idtr.limit);
    EXPECT_EQ(after.mode.cpl, 3);
    EXPECT_EQ(after.mode.v86, v86);
    for (unsigned i = 0; i < kSegmentCount; i++) {
      SCOPED_TRACE(i);
      EXPECT_EQ(after.segment[i].selector.raw, before.segment[i].selector.raw);
      EXPECT_EQ(after.segment[i].base, before.segment[i].base);
      EXPECT_EQ(after.segment[i].limit, before.segment[i].limit);
      EXPECT_EQ(after.segment[i].attributes, before.segment[i].attributes);
      EXPECT_EQ(after.segment[i].read_end, before.segment[i].read_end);
      EXPECT_EQ(after.segment[i].write_end, before.segment[i].write_end);
    }
  }
}

TEST(SystemManagement, SmbaseRelocation) {
  M m;
  m.ring0({0x40, 0x40, 0x40, 0x40});
  // MOV DWORD [3FEF8h],60000h; RSM
  handler(m, {0x67, 0x66, 0xC7, 0x05, 0xF8, 0xFE, 0x03, 0x00, 0x00, 0x00, 0x06, 0x00, 0x0F, 0xAA});
  m.write(0x68000, std::vector<u8>{0x90, 0x0F, 0xAA});
  request_smi(m);
  step(m);
  EXPECT_EQ(m.state().smbase, kBase);  // in force from RSM on
  step(m);
  EXPECT_EQ(m.state().smbase, 0x60000u);
  request_smi(m);
  step(m);
  EXPECT_EQ(m.linear_ip(), 0x68001u);
  EXPECT_EQ(m.selector(kCs), 0x6000);
  EXPECT_EQ(m.peek<u32>(0x68000 + 0x7EF8), 0x60000u);
  // INIT keeps it, RESET does not (34.11).
  m.cpu().init();
  EXPECT_EQ(m.state().smbase, 0x60000u);
  m.cpu().reset();
  EXPECT_EQ(m.state().smbase, kBase);
}

TEST(SystemManagement, AutoHaltRestart) {
  for (const bool again : {true, false}) {
    M m;
    m.ring0({0xF4, 0x43, 0xF4});
    EXPECT_EQ(m.run(10), ExitReason::Halted);
    if (again) {
      handler(m, {0x0F, 0xAA});
    } else {
      handler(m, {0x67, 0xC7, 0x05, 0x02, 0xFF, 0x03, 0x00, 0x00, 0x00, 0x0F, 0xAA});  // MOV WORD [3FF02h],0; RSM
    }
    request_smi(m);
    ExitReason reason = m.run(10);
    EXPECT_EQ(m.peek<u16>(kMap + 0x7F02), again ? 1 : 0);
    while (reason == ExitReason::BudgetSpent) reason = m.run(10);
    EXPECT_EQ(reason, ExitReason::Halted);
    EXPECT_FALSE(m.state().in_smm);
    EXPECT_EQ(m.ebx(), again ? 0u : 1u);
  }
}

TEST(SystemManagement, RsmOutsideIsUndefined) {
  M m;
  m.ring0({0x0F, 0xAA});
  EXPECT_EQ(m.run_to_handler(), 6);
}

TEST(SystemManagement, BadStateShutsDown) {
  struct Case {
    u32 slot;
    u32 value;
    bool shutdown;
  };
  for (const Case& c : {Case{0x7FFC, 0x80000010, true}, Case{0x7FFC, 0x20000011, true}, Case{0x7F14, 0x80000000, true},
                        Case{0x7FFC, 0x60000011, false}, Case{0x7FF4, 0xFFFDFFFF, false}}) {
    M m;
    m.ring0({0x90, 0xF4});
    handler(m, {0x90, 0x0F, 0xAA});
    request_smi(m);
    step(m);
    m.poke<u32>(kMap + c.slot, c.value);
    step(m);
    EXPECT_FALSE(m.state().in_smm);
    EXPECT_EQ(m.run(1), c.shutdown ? ExitReason::Shutdown : ExitReason::BudgetSpent);
  }
}

TEST(SystemManagement, EventsWait) {
  M m;
  m.ring0({0x43, 0x43, 0x43, 0xF4});
  handler(m, {0x40, 0x40, 0x0F, 0xAA});
  request_smi(m);
  step(m);
  m.cpu().request_nmi();
  request_smi(m);  // one is latched
  step(m);
  EXPECT_EQ(m.state().gpr32(kEax), 2u);  // neither interrupted the handler
  step(m);                               // RSM: the latched SMI comes first
  EXPECT_EQ(m.state().gpr32(kEax), 0u);
  step(m);
  EXPECT_TRUE(m.state().in_smm);
  EXPECT_EQ(m.state().gpr32(kEax), 1u);
  step(m);
  step(m);
  EXPECT_EQ(m.run_to_handler(), 2);
  EXPECT_EQ(m.ebx(), 0u);
}

TEST(SystemManagement, IretInTheHandlerLetsNmisIn) {
  M m;
  m.ring0({0x43, 0xF4});
  // MOV SP,7000h; PUSHF; PUSH CS; PUSH 800Ah; IRET; INC AX
  handler(m, {0xBC, 0x00, 0x70, 0x9C, 0x0E, 0x68, 0x0A, 0x80, 0xCF, 0x90, 0x40});
  m.state().idtr = {0, 0x3FF};
  m.poke<u32>(8, 0x20000000);
  m.poke<u8>(0x20000, 0xF4);
  request_smi(m);
  for (int i = 0; i < 4; i++) step(m);
  m.cpu().request_nmi();
  EXPECT_TRUE(m.state().nmi_blocked);
  ExitReason reason = ExitReason::BudgetSpent;
  while (reason == ExitReason::BudgetSpent) reason = m.run(5);
  EXPECT_EQ(reason, ExitReason::Halted);
  EXPECT_EQ(m.linear_ip(), 0x20001u);
  EXPECT_TRUE(m.state().in_smm);
}

TEST(SystemManagement, NmiBlockingSurvives) {
  for (const bool blocked : {false, true}) {
    M m;
    m.ring0({0x43, 0x43, 0xF4});
    handler(m, {0x0F, 0xAA});
    m.state().nmi_blocked = blocked;
    request_smi(m);
    step(m);
    EXPECT_EQ(m.state().nmi_blocked, blocked);
  }
}

TEST(SystemManagement, ShadowsAndTrapsComeFirst) {
  M m;
  m.ring0({0x8E, 0xD0, 0x43, 0x43});  // MOV SS,AX
  m.reg(kEax) = M::kData0;
  handler(m, {0x40, 0x0F, 0xAA});
  step(m);
  request_smi(m);
  step(m);
  EXPECT_EQ(m.ebx(), 1u);
  step(m);
  EXPECT_TRUE(m.state().in_smm);
  EXPECT_EQ(m.peek<u32>(kMap + 0x7FF0), M::kCodeAt + 3);

  M t;
  t.ring0({0x43, 0x43});
  t.cpu().set_eflags(kTF);
  handler(t, {0x40, 0x0F, 0xAA});
  t.run(1);
  request_smi(t);
  step(t);
  EXPECT_TRUE(t.state().in_smm);
  EXPECT_EQ(t.peek<u32>(kMap + 0x7FF0), M::handler(1));
  EXPECT_EQ(t.state().dr[6] & 0x4000, 0x4000u);
}

}  // namespace
}  // namespace relic86
