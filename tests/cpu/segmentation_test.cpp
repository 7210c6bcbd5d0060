// Loading of segment registers, limit and type checks of every segment type (SDM 3A chapters 3 and 5).
#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace relic86 {
namespace {

using M = ProtectedMachine;
constexpr int kNone = -1;

// MOV sreg,AX at a privilege level with one descriptor: what it raises.
struct LoadCase {
  const char* what;
  u8 modrm;  // D8 DS, C0 ES, D0 SS
  bool user;
  u16 selector;
  u8 access;
  int vector;
  u32 error;
};
constexpr LoadCase kLoads[] = {
    {"data", 0xD8, false, M::kSpare, 0x93, kNone, 0},
    {"null DS", 0xD8, false, 3, 0x93, kNone, 0},
    {"null SS", 0xD0, false, 0, 0x93, 13, 0},
    {"readable code", 0xD8, false, M::kSpare, 0x9B, kNone, 0},
    {"execute-only code", 0xD8, false, M::kSpare, 0x99, 13, M::kSpare},
    {"system segment", 0xD8, false, M::kSpare, 0x82, 13, M::kSpare},
    {"not present DS", 0xD8, false, M::kSpare, 0x13, 11, M::kSpare},
    {"not present SS", 0xD0, false, M::kSpare, 0x13, 12, M::kSpare},
    {"read-only SS", 0xD0, false, M::kSpare, 0x91, 13, M::kSpare},
    {"code SS", 0xD0, false, M::kSpare, 0x9B, 13, M::kSpare},
    {"SS with RPL 3 at CPL 0", 0xD0, false, M::kSpare | 3, 0x93, 13, M::kSpare},
    {"SS with DPL 3 at CPL 0", 0xD0, false, M::kSpare, 0xF3, 13, M::kSpare},
    {"DPL 0 with RPL 3", 0xD8, false, M::kSpare | 3, 0x93, 13, M::kSpare},
    {"DPL 0 at CPL 3", 0xD8, true, M::kSpare, 0x93, 13, M::kSpare},
    {"DPL 3 at CPL 3", 0xD8, true, M::kSpare | 3, 0xF3, kNone, 0},
    {"conforming code of DPL 0 at CPL 3", 0xD8, true, M::kSpare | 3, 0x9F, kNone, 0},
    {"privilege comes before presence", 0xD8, true, M::kSpare, 0x13, 13, M::kSpare},
    {"beyond the GDT", 0xD8, false, 0x1000, 0x93, 13, 0x1000},
    {"beyond the LDT", 0xC0, false, 0x44, 0x93, 13, 0x44},
    {"in the LDT", 0xC0, false, 0x0C, 0x93, kNone, 0},
};

TEST(Segmentation, LoadChecks) {
  for (const LoadCase& c : kLoads) {
    SCOPED_TRACE(c.what);
    M m;
    const bool reachable = (c.selector & 4) != 0 ? c.selector < 0x40 : c.selector < 0x100;
    if (reachable && c.selector > 3) m.descriptor(c.selector, 0x1234, 0xFFF, c.access, 0x4);
    if (c.user) {
      m.ring3({0x8E, c.modrm, 0x90, 0xFA});
    } else {
      m.ring0({0x8E, c.modrm, 0x90, 0xF4});
    }
    const u16 old = m.selector(static_cast<SegmentName>(c.modrm >> 3 & 7));
    m.reg(kEax) = c.selector;
    const int reached = m.run_to_handler();
    const auto name = static_cast<SegmentName>(c.modrm >> 3 & 7);
    if (c.vector == kNone) {
      EXPECT_EQ(reached, c.user ? 13 : kNone);  // CLI at CPL 3 ends the program
      EXPECT_EQ(m.selector(name), c.selector);
      if (c.selector > 3) {
        EXPECT_EQ(m.state().segment[name].base, 0x1234u);
        EXPECT_EQ(m.access_byte(c.selector) & 1, 1);
      }
    } else {
      EXPECT_EQ(reached, c.vector);
      EXPECT_EQ(m.frame(0), c.error);
      EXPECT_EQ(m.frame(1), M::kCodeAt);
      if (name != kSs || !c.user) {
        EXPECT_EQ(m.selector(name), old);
      }
    }
  }
}

TEST(Segmentation, AccessedBitIsSetByTheLoad) {
  M m;
  m.descriptor(M::kSpare, 0, 0xFFF, 0x92, 0x4);
  m.ring0({0x8E, 0xD8, 0xF4});
  m.reg(kEax) = M::kSpare;
  m.run(5);
  EXPECT_EQ(m.access_byte(M::kSpare), 0x93);
}

// One access of EAX at [EBX] through DS with a descriptor: allowed, or which vector.
struct AccessCase {
  const char* what;
  u8 access, flags;
  u32 limit, offset;
  bool write;
  int vector;
};
constexpr AccessCase kAccesses[] = {
    {"last dword", 0x93, 0x4, 0xFFF, 0xFFC, false, kNone},
    {"one byte beyond", 0x93, 0x4, 0xFFF, 0xFFD, false, 13},
    {"wrap of the offset", 0x93, 0x4, 0xFFF, 0xFFFFFFFE, false, 13},
    {"write to read-only data", 0x91, 0x4, 0xFFF, 0, true, 13},
    {"read of read-only data", 0x91, 0x4, 0xFFF, 0, false, kNone},
    {"write to code", 0x9B, 0x4, 0xFFF, 0, true, 13},
    {"read of code", 0x9B, 0x4, 0xFFF, 0, false, kNone},
    {"granular limit", 0x93, 0xC, 0x1, 0x1FFC, false, kNone},
    {"beyond the granular limit", 0x93, 0xC, 0x1, 0x1FFD, false, 13},
    {"expand-down at its limit", 0x97, 0x4, 0xFFF, 0xFFF, false, 13},
    {"expand-down above its limit", 0x97, 0x4, 0xFFF, 0x1000, true, kNone},
    {"expand-down straddling its limit", 0x97, 0x4, 0xFFF, 0xFFD, true, 13},
    {"16-bit expand-down to FFFFh", 0x97, 0x0, 0xFFF, 0xFFFC, true, kNone},
    {"16-bit expand-down beyond FFFFh", 0x97, 0x0, 0xFFF, 0xFFFD, true, 13},
    {"16-bit expand-down at 10000h", 0x97, 0x0, 0xFFF, 0x10000, false, 13},
    {"read-only expand-down, write", 0x95, 0x4, 0xFFF, 0x1000, true, 13},
};

TEST(Segmentation, LimitsAndTypes) {
  for (const AccessCase& c : kAccesses) {
    SCOPED_TRACE(c.what);
    M m;
    m.descriptor(M::kSpare, 0x100000, c.limit, c.access, c.flags);
    m.ring0({static_cast<u8>(c.write ? 0x89 : 0x8B), 0x03, 0x90, 0xF4});  // MOV [EBX],EAX or MOV EAX,[EBX]
    m.load_hidden(kDs, M::kSpare);
    m.reg(kEbx) = c.offset;
    EXPECT_EQ(m.run_to_handler(), c.vector);
    if (c.vector != kNone) {
      EXPECT_EQ(m.frame(0), 0u);
    }
  }
}

TEST(Segmentation, StackSegmentViolationsAreStackFaults) {
  M m;
  m.descriptor(M::kSpare, 0x100000, 0xFFF, 0x93, 0x4);
  m.interrupt_gate(12, M::kOtherTss, 0, 0x85);  // the stack is bad: a task takes it
  m.poke<u32>(M::kOtherTssBase + 32, M::kHandlers + 12 * 16);
  m.poke<u32>(M::kOtherTssBase + 56, 0x9000);
  m.poke<u16>(M::kOtherTssBase + 76, M::kCode0);
  m.poke<u16>(M::kOtherTssBase + 80, M::kData0);
  m.ring0({0x50, 0xF4});  // PUSH EAX
  m.load_hidden(kSs, M::kSpare);
  m.reg(kEsp) = 0x1004;
  EXPECT_EQ(m.run_to_handler(), 12);
  EXPECT_EQ(m.frame(0), 0u);
  EXPECT_EQ(m.peek<u32>(M::kTssBase + 32), M::kCodeAt);  // restartable: EIP and ESP as before
  EXPECT_EQ(m.peek<u32>(M::kTssBase + 56), 0x1004u);
}

TEST(Segmentation, SixteenBitStackWraps) {
  M m;
  m.ring0({0x50, 0xF4});
  m.load_hidden(kSs, M::kData16);
  m.cpu().update_mode();
  m.reg(kEsp) = 0xABCD0000;
  m.reg(kEax) = 0x11223344;
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_EQ(m.state().gpr32(kEsp), 0xABCDFFFCu);
  EXPECT_EQ(m.peek<u32>(0x2FFFC), 0x11223344u);
}

TEST(Segmentation, NullSegmentFaultsOnUse) {
  M m;
  m.ring0({0x8E, 0xD8, 0x8B, 0x03, 0xF4});  // MOV DS,AX; MOV EAX,[EBX]
  m.reg(kEax) = 0;
  m.reg(kEbx) = 0x100;
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.frame(0), 0u);
  EXPECT_EQ(m.frame(1), M::kCodeAt + 2);
}

// Big real mode: a limit loaded in protected mode survives real-mode loads.
TEST(Segmentation, BigRealMode) {
  CpuTestMachine m;
  m.real_mode(0x100, 0);
  Segment& ds = m.state().segment[kDs];
  ds.limit = 0xFFFFFFFF;
  ds.attributes = 0xC093;
  derive_limits(m.state(), ds);
  m.poke<u32>(0x212340, 0xCAFEBABE);
  m.reg(kEax) = 0x1234;
  m.reg(kEbx) = 0x200000;
  m.code({0x8E, 0xD8, 0x66, 0x67, 0x8B, 0x03, 0xF4});  // MOV DS,AX; MOV EAX,[EBX]
  EXPECT_EQ(m.run(10), ExitReason::Halted);
  EXPECT_EQ(m.state().gpr32(kEax), 0xCAFEBABEu);
}

TEST(Segmentation, RealModeLimitFaultsGoThroughVector13) {
  CpuTestMachine m;
  m.real_mode(0x100, 0);
  m.poke<u32>(13 * 4, 0x02000010);
  m.poke<u8>(0x2010, 0xF4);
  m.set_segment(kSs, 0x300);
  m.reg(kEsp) = 0x100;
  m.set_segment(kDs, 0x400);
  m.reg(kEbx) = 0xFFFF;
  m.code({0x8B, 0x07});  // MOV AX,[BX]: a word at FFFFh
  EXPECT_EQ(m.run(10), ExitReason::Halted);
  EXPECT_EQ(m.state().segment[kCs].selector.raw, 0x200);
  EXPECT_EQ(m.state().gpr32(kEsp), 0xFAu);  // no error code in real mode
  EXPECT_EQ(m.peek<u16>(0x30FA), 0);        // IP of the instruction
}

TEST(Segmentation, AlignmentCheckAtCpl3Only) {
  M m;
  m.state().cr0 |= 1u << 18;
  m.ring3({0x8B, 0x03, 0xFA});
  m.cpu().set_eflags(m.cpu().eflags() | kAC);
  m.cpu().update_access_checks();
  m.reg(kEbx) = 0x2001;
  EXPECT_EQ(m.run_to_handler(), 17);
  EXPECT_EQ(m.frame(0), 0u);
  m.ring0({0x8B, 0x03, 0xF4});
  m.cpu().set_eflags(kAC);
  EXPECT_EQ(m.run_to_handler(), kNone);
}

TEST(Segmentation, LarLslVerrVerw) {
  struct Case {
    u16 selector;
    u8 access;
    bool lar, lsl, verr, verw;
  };
  constexpr Case kCases[] = {
      {M::kSpare, 0x93, true, true, true, true},
      {M::kSpare, 0x91, true, true, true, false},
      {M::kSpare, 0x99, true, true, false, false},
      {M::kSpare, 0x9B, true, true, true, false},
      {M::kSpare, 0x82, true, true, false, false},
      {M::kSpare, 0x84, true, false, false, false},
      {M::kSpare, 0x86, false, false, false, false},
      {M::kSpare, 0x8E, false, false, false, false},
      {M::kSpare, 0x89, true, true, false, false},
      {M::kSpare, 0x8C, true, false, false, false},
      {M::kSpare | 3, 0x93, false, false, false, false},
      {M::kSpare | 3, 0x9F, true, true, true, false},
      {0, 0x93, false, false, false, false},
      {0x2000, 0x93, false, false, false, false},
      {M::kSpare, 0x13, true, true, true, true},  // presence does not matter
  };
  for (const Case& c : kCases) {
    const struct {
      u8 map, modrm;
      bool expected;
    } forms[] = {{0x02, 0xD8, c.lar}, {0x03, 0xD8, c.lsl}, {0x00, 0xE0, c.verr}, {0x00, 0xE8, c.verw}};
    for (const auto& form : forms) {
      SCOPED_TRACE(::testing::Message() << std::hex << c.selector << ' ' << int{c.access} << ' ' << int{form.modrm}
                                        << ' ' << int{form.map});
      M m;
      if (c.selector >= M::kSpare && c.selector < 0x100) m.descriptor(c.selector, 0, 0x12345, c.access, 0x4);
      m.ring0({0x0F, form.map, form.modrm, 0xF4});
      m.reg(kEax) = c.selector;
      m.reg(kEbx) = 0xDEADBEEF;
      EXPECT_EQ(m.run(5), ExitReason::Halted);
      EXPECT_EQ(m.state().flags.zf(), form.expected);
      if (form.map == 0x02) {
        EXPECT_EQ(m.ebx(), form.expected ? u32{c.access} << 8 | 0x410000u : 0xDEADBEEFu);
      }
      if (form.map == 0x03) {
        EXPECT_EQ(m.ebx(), form.expected ? 0x12345u : 0xDEADBEEFu);
      }
    }
  }
}

TEST(Segmentation, ArplWritesOnlyWhatItAdjusts) {
  M m;
  m.descriptor(M::kSpare, 0x100000, 0xFFF, 0x91, 0x4);
  m.ring0({0x63, 0x0B, 0xF4});  // ARPL [EBX],CX
  m.load_hidden(kDs, M::kSpare);
  m.reg(kEbx) = 0;
  m.reg(kEcx) = 2;
  m.poke<u16>(0x100000, 0x13);
  EXPECT_EQ(m.run(5), ExitReason::Halted);
  EXPECT_FALSE(m.state().flags.zf());
  m.poke<u16>(0x100000, 0x10);
  m.ring0({0x63, 0x0B, 0xF4});
  m.load_hidden(kDs, M::kSpare);
  EXPECT_EQ(m.run_to_handler(), 13);
}

TEST(Segmentation, LldtAndLtr) {
  struct Case {
    u8 modrm;  // D0 LLDT, D8 LTR
    u16 selector;
    u8 access;
    int vector;
    u32 error;
  };
  constexpr Case kCases[] = {
      {0xD0, M::kSpare, 0x82, kNone, 0},
      {0xD0, 0, 0x82, kNone, 0},
      {0xD0, M::kSpare, 0x89, 13, M::kSpare},
      {0xD0, M::kSpare, 0x02, 11, M::kSpare},
      {0xD0, 0x0C, 0x82, 13, 0x0C},
      {0xD8, M::kSpare, 0x89, kNone, 0},
      {0xD8, M::kSpare, 0x81, kNone, 0},
      {0xD8, M::kSpare, 0x8B, 13, M::kSpare},
      {0xD8, 0, 0x89, 13, 0},
      {0xD8, M::kSpare, 0x09, 11, M::kSpare},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(::testing::Message() << std::hex << int{c.modrm} << ' ' << c.selector << ' ' << int{c.access});
    M m;
    if (c.selector != 0) m.descriptor(c.selector, 0x7000, 0xFF, c.access, 0);
    m.ring0({0x0F, 0x00, c.modrm, 0xF4});
    m.reg(kEax) = c.selector;
    EXPECT_EQ(m.run_to_handler(), c.vector);
    if (c.vector != kNone) {
      EXPECT_EQ(m.frame(0), c.error);
    }
    if (c.vector == kNone && c.modrm == 0xD8) {
      EXPECT_EQ(m.access_byte(c.selector), c.access | 2);
    }
  }
}

TEST(Segmentation, PopOfASegmentThatFaultsKeepsTheStackPointer) {
  M m;
  m.ring0({0x1F, 0xF4});  // POP DS
  m.reg(kEsp) = M::kStack0 - 4;
  m.poke<u32>(M::kStack0 - 4, 0x1000);
  EXPECT_EQ(m.run_to_handler(), 13);
  EXPECT_EQ(m.state().gpr32(kEsp), M::kStack0 - 4 - 16);
}

}  // namespace
}  // namespace relic86
