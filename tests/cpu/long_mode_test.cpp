// Long mode beside what tests/system shows of it: CPUID of qemu64, SMM, and what a saved processor keeps.
#include <gtest/gtest.h>

#include "tests/cpu/long_machine.h"

namespace relic86 {
namespace {

struct Leaf {
  u32 number, sub, eax, ebx, ecx, edx;
};

// As QEMU 7.2's TCG tells them of qemu64, but: VME, no hypervisor bit, no SVM, our name, one logical processor, the
// APIC timer that never stops.
TEST(LongMode, CpuidOfQemu64) {
  static constexpr Leaf kLeaves[] = {
      {0, 0, 0xD, 0x68747541, 0x444D4163, 0x69746E65},
      {1, 0, 0x00060FB1, 0x00010800, 0x00002001, 0x078BFBFF & ~(1u << 9)},  // the machine here has no APIC
      {2, 0, 0, 0, 0, 0},
      {4, 0, 0, 0, 0, 0},
      {5, 0, 0, 0, 3, 0},
      {6, 0, 4, 0, 0, 0},
      {7, 0, 0, 0, 0, 0},
      {0xB, 0, 0, 1, 0x100, 0},
      {0xB, 1, 0, 1, 0x201, 0},
      {0xB, 2, 0, 0, 2, 0},
      {0xD, 0, 0, 0, 0, 0},
      {0x80000001, 0, 0x00060FB1, 0, 1, 0x2193FBFF},
      {0x80000005, 0, 0x01FF01FF, 0x01FF01FF, 0x40020140, 0x40020140},
      {0x80000006, 0, 0, 0x42004200, 0x02008140, 0x00808140},
      {0x80000007, 0, 0, 0, 0, 0},
      {0x80000008, 0, 0x3028, 0, 0, 0},
  };
  CpuTestMachine m("qemu64");
  for (const Leaf& leaf : kLeaves) {
    m.flat32();
    m.reg(kEax) = leaf.number;
    m.reg(kEcx) = leaf.sub;
    m.code({0x0F, 0xA2});
    m.run(1);
    EXPECT_EQ(m.reg(kEax), leaf.eax) << std::hex << leaf.number << "." << leaf.sub;
    EXPECT_EQ(m.reg(kEbx), leaf.ebx) << std::hex << leaf.number << "." << leaf.sub;
    EXPECT_EQ(m.reg(kEcx), leaf.ecx) << std::hex << leaf.number << "." << leaf.sub;
    EXPECT_EQ(m.reg(kEdx), leaf.edx) << std::hex << leaf.number << "." << leaf.sub;
  }
}

TEST(LongMode, SystemManagementModeAndBack) {
  LongMachine m;
  CpuState& s = m.state();
  for (unsigned i = 0; i < 16; i++) s.gpr[i] = 0x0101010101010101 * (i + 1);
  s.rip = LongMachine::kHigh + LongMachine::kCode;
  s.segment[kGs].base = 0xFFFF888812345678;
  s.idtr.base = LongMachine::kHigh + 0x5000;
  m.write(LongMachine::kCode, std::vector<u8>{0x48, 0xFF, 0xC0});  // inc rax
  m.write(0x38000, std::vector<u8>{0x0F, 0xAA});                   // rsm
  const auto gpr = s.gpr;
  m.cpu().request(kPendingSmi);
  EXPECT_EQ(m.run(1), ExitReason::BudgetSpent);
  EXPECT_FALSE(s.in_smm);  // RSM was the instruction
  EXPECT_EQ(m.peek<u64>(0x38000 + 0x7F78), LongMachine::kHigh + LongMachine::kCode);
  EXPECT_EQ(m.peek<u64>(0x38000 + 0x7ED0), kEferLme | kEferLma | kEferNxe);
  EXPECT_EQ(m.peek<u32>(0x38000 + 0x7EFC), 0x00020064u);
  EXPECT_EQ(m.peek<u64>(0x38000 + 0x7FF8), gpr[kEax]);
  EXPECT_EQ(m.peek<u64>(0x38000 + 0x7F80), gpr[15]);
  EXPECT_TRUE(s.mode.code64);
  EXPECT_EQ(s.gpr, gpr);
  EXPECT_EQ(s.rip, LongMachine::kHigh + LongMachine::kCode);
  EXPECT_EQ(s.segment[kGs].base, 0xFFFF888812345678u);
  EXPECT_EQ(s.idtr.base, LongMachine::kHigh + 0x5000);
  m.step();
  EXPECT_EQ(s.gpr[kEax], gpr[kEax] + 1);
}

TEST(LongMode, Code32SeesNoUpperHalves) {
  LongMachine m;
  CpuState& s = m.state();
  for (unsigned i = 0; i < 16; i++) s.gpr[i] = ~u64{0};
  s.segment[kCs].attributes = 0xC09B;
  m.cpu().update_mode();
  EXPECT_TRUE(s.mode.long_mode);
  EXPECT_FALSE(s.mode.code64);
  for (unsigned i = 0; i < 8; i++) EXPECT_EQ(s.gpr[i], 0xFFFFFFFFu) << i;
  for (unsigned i = 8; i < 16; i++) EXPECT_EQ(s.gpr[i], ~u64{0}) << i;
}

// IRETQ to ring 3 takes the selector of a segment of ring 0 away, and leaves the base to user mode.
TEST(LongMode, OuterReturnKeepsTheBaseOfGs) {
  LongMachine m;
  CpuState& s = m.state();
  m.poke<u64>(CpuTestMachine::kGdt + 0x18, 0x00CFF3000000FFFF);
  m.poke<u64>(CpuTestMachine::kGdt + 0x20, 0x00AFFB000000FFFF);
  s.gdtr.limit = 0x27;
  s.segment[kGs].base = 0xFFFF888812345678;
  m.reg(kEsp) = 0x7FD8;
  const u64 frame[] = {0x2000, 0x23, 2, 0x6000, 0x1B};
  for (u32 i = 0; i < 5; i++) m.poke<u64>(0x7FD8 + i * 8, frame[i]);
  m.write(LongMachine::kCode, std::vector<u8>{0x48, 0xCF});
  m.run(1);
  EXPECT_EQ(s.mode.cpl, 3);
  EXPECT_EQ(s.rip, 0x2000u);
  EXPECT_EQ(s.gpr[kEsp], 0x6000u);
  EXPECT_EQ(s.segment[kGs].selector.raw, 0);
  EXPECT_EQ(s.segment[kGs].base, 0xFFFF888812345678u);
}

// The address space ends at 4 GiB again: what runs over its end goes on at 0.
TEST(LongMode, ResetLeavesNothingOfIt) {
  for (const bool init : {false, true}) {
    LongMachine m;
    EXPECT_TRUE(m.state().mode.code64);
    init ? m.cpu().init() : m.cpu().reset();
    EXPECT_FALSE(m.state().mode.long_mode);
    m.poke<u32>(0, 0x12345678);
    u32 low = 0, over = 0;
    EXPECT_TRUE(m.cpu().mmu().read(LinAddr(0), low, Privilege::Supervisor));
    EXPECT_TRUE(m.cpu().mmu().read(LinAddr(0xFFFFFFFE), over, Privilege::Supervisor));
    EXPECT_EQ(low, 0x12345678u);
    EXPECT_EQ(over, 0x5678FFFFu);  // nothing answers at the top
  }
}

TEST(LongMode, SwapgsSaysWhatAccessesNeed) {
  LongMachine m;
  CpuState& s = m.state();
  s.segment[kGs] = s.segment[kDs];
  m.cpu().update_access_checks();
  const u64 flat = s.segment[kGs].kind;
  s.kernel_gs_base = 0x10001;
  m.write(LongMachine::kCode, std::vector<u8>{0x0F, 0x01, 0xF8, 0x0F, 0x01, 0xF8});
  m.step();
  EXPECT_EQ(s.segment[kGs].base, 0x10001u);
  EXPECT_NE(s.segment[kGs].kind, flat);
  m.step();
  EXPECT_EQ(s.segment[kGs].kind, flat);
}

// SYSCALL that masks TF does not trap, SYSRET that sets it does before the program goes on.
TEST(LongMode, TrapOfSyscallAndSysretIsTfAfterwards) {
  constexpr u64 kBs = 1u << 14;
  LongMachine m;
  CpuState& s = m.state();
  s.efer |= kEferSce;
  s.star = u64{0x23} << 48 | u64{0x08} << 32;
  s.lstar = 0x2000;
  s.fmask = kTF;
  m.code({0x0F, 0x05});             // SYSCALL
  m.poke<u32>(0x2000, 0x90070F48);  // SYSRETQ
  m.cpu().set_eflags(kTF);
  m.step();
  EXPECT_EQ(s.rip, 0x2000u);
  EXPECT_EQ(s.dr[6] & kBs, 0u);
  EXPECT_EQ(s.gpr[11] & kTF, u64{kTF});
  m.step();
  EXPECT_EQ(s.rip, LongMachine::kCode + 2);
  EXPECT_EQ(s.dr[6] & kBs, kBs);  // the trap was on its way; there is no handler here
}

TEST(LongMode, SegmentBasesByInstructions) {
  constexpr u64 kFsgsbase = 1u << 16;
  const auto machine = [](u64 cr4) {
    auto m = std::make_unique<LongMachine>("max");
    m->state().cr4 |= cr4;
    m->state().gpr[kEbx] = LongMachine::kHigh + 0x3000;
    m->state().gpr[kEcx] = ~u64{0};
    m->state().gpr[kEsi] = u64{1} << 56;
    m->state().segment[kGs].base = 0x123456789A;
    m->poke<u64>(0x3008, 0x1122334455667788);
    m->code({0xF3, 0x48, 0x0F, 0xAE, 0xD3});                                                       // WRFSBASE RBX
    m->write(LongMachine::kCode + 5, std::array<u8, 23>{0xF3, 0x48, 0x0F, 0xAE, 0xC0,              // RDFSBASE RAX
                                                        0xF3, 0x0F, 0xAE, 0xC9,                    // RDGSBASE ECX
                                                        0x64, 0x48, 0x8B, 0x14, 0x25, 8, 0, 0, 0,  // MOV RDX,FS:[8]
                                                        0xF3, 0x48, 0x0F, 0xAE, 0xDE});            // WRGSBASE RSI
    return m;
  };
  const auto without = machine(0);
  without->step();
  EXPECT_TRUE(without->state().shutdown);  // #UD, and no handler
  const auto m = machine(kFsgsbase);
  const CpuState& s = m->state();
  for (int i = 0; i < 4; i++) m->step();
  EXPECT_EQ(s.gpr[kEax], LongMachine::kHigh + 0x3000);
  EXPECT_EQ(s.gpr[kEcx], 0x3456789Au);
  EXPECT_EQ(s.gpr[kEdx], 0x1122334455667788u);
  m->step();
  EXPECT_TRUE(s.shutdown);  // not canonical
  EXPECT_EQ(s.segment[kGs].base, 0x123456789Au);
}

// What PCIDs ask of CR3, CR4 and CR0, and of INVPCID's descriptor (SDM 3A 4.10.1; SDM 2, INVPCID).
TEST(LongMode, ProcessContextIdentifiers) {
  constexpr u64 kPcide = 1u << 17, kNoFlush = u64{1} << 63;
  constexpr u64 kTop = LongMachine::kTop;
  const auto accepted = [](const std::vector<u8>& code, u64 rax, auto prepare) {
    LongMachine m("max");
    m.write(LongMachine::kCode, code);
    m.state().gpr[kEax] = rax;
    m.state().gpr[kEbx] = 0x3000;
    prepare(m);
    const u64 before = m.cpu().instruction_count();
    m.step();
    return m.cpu().instruction_count() != before;
  };
  const auto nothing = [](LongMachine&) {};
  const auto on = [](LongMachine& m) { m.state().cr4 |= kPcide; };
  const std::vector<u8> to_cr0{0x0F, 0x22, 0xC0}, to_cr3{0x0F, 0x22, 0xD8}, to_cr4{0x0F, 0x22, 0xE0};
  EXPECT_TRUE(accepted(to_cr4, 0x20 | kPcide, nothing));
  EXPECT_FALSE(accepted(to_cr4, 0x20 | kPcide, [](LongMachine& m) { m.state().cr3 |= 1; }));
  EXPECT_TRUE(accepted(to_cr3, kNoFlush | kTop | 5, on));
  EXPECT_FALSE(accepted(to_cr3, kNoFlush | kTop, nothing));
  EXPECT_FALSE(accepted(to_cr0, 0x11, on));
  const std::vector<u8> invpcid{0x66, 0x0F, 0x38, 0x82, 0x03};  // INVPCID RAX,[RBX]
  const auto descriptor = [](u64 pcid, u64 linear) {
    return [=](LongMachine& m) {
      m.poke<u64>(0x3000, pcid);
      m.poke<u64>(0x3008, linear);
    };
  };
  for (u64 type = 0; type < 4; type++) EXPECT_TRUE(accepted(invpcid, type, descriptor(0, LongMachine::kHigh))) << type;
  EXPECT_FALSE(accepted(invpcid, 4, descriptor(0, 0)));
  EXPECT_FALSE(accepted(invpcid, 2, descriptor(0x1000, 0)));
  EXPECT_FALSE(accepted(invpcid, 1, descriptor(1, 0)));
  constexpr u64 kNotCanonical = u64{1} << 56;  // of a processor that has LA57, whatever paging is in force
  EXPECT_FALSE(accepted(invpcid, 0, descriptor(0, kNotCanonical)));
  EXPECT_TRUE(accepted(invpcid, 1, descriptor(0, kNotCanonical)));
  EXPECT_TRUE(accepted(invpcid, 0, descriptor(0, u64{1} << 47)));
}

// The same numbers after the same seed, other ones each time, and CF: there always is one.
TEST(LongMode, RandomNumbers) {
  const auto draw = [] {
    LongMachine m("max");
    m.code(
        {0x48, 0x0F, 0xC7, 0xF0, 0x48, 0x0F, 0xC7, 0xFB, 0x66, 0x0F, 0xC7, 0xF1});  // RDRAND RAX; RDSEED RBX; RDRAND CX
    m.state().gpr[kEcx] = ~u64{0};
    for (int i = 0; i < 3; i++) {
      m.cpu().set_eflags(kArithmeticFlags);
      m.step();
      EXPECT_EQ(m.cpu().eflags() & kArithmeticFlags, u32{kCF});
    }
    EXPECT_EQ(m.state().gpr[kEcx] >> 16, ~u64{0} >> 16);
    return std::pair(m.state().gpr[kEax], m.state().gpr[kEbx]);
  };
  EXPECT_EQ(draw(), draw());
  EXPECT_NE(draw().first, draw().second);
}

// EFER.FFXSR: FXSAVE and FXRSTOR of ring 0 leave the XMM registers alone.
TEST(LongMode, FastFxsave) {
  LongMachine m;
  CpuState& s = m.state();
  s.cr4 |= 0x200;
  s.cr0 &= ~u64{0xC};
  s.efer |= kEferFfxsr;
  m.cpu().update_mode();
  s.fx.xmm[0].bytes[0] = 0x5A;
  m.reg(kEax) = 0x4000;
  m.write(LongMachine::kCode, std::vector<u8>{0x0F, 0xAE, 0x00, 0x0F, 0xAE, 0x08});  // fxsave [rax]; fxrstor [rax]
  m.step();
  EXPECT_EQ(m.peek<u16>(0x4000), s.fx.control);
  EXPECT_EQ(m.peek<u8>(0x4000 + 160), 0);
  m.step();
  EXPECT_EQ(s.fx.xmm[0].bytes[0], 0x5A);
}

TEST(LongMode, ModelsWithoutItRefuseIt) {
  EXPECT_EQ(find_cpu_model("qemu32")->efer_bits(), 0u);
  EXPECT_EQ(find_cpu_model("coreduo")->efer_bits(), kEferNxe);
  EXPECT_EQ(find_cpu_model("qemu64")->efer_bits(), kEferSce | kEferLme | kEferLma | kEferNxe);
  EXPECT_EQ(find_cpu_model("qemu32")->physical_bits(), 36u);
  EXPECT_EQ(find_cpu_model("qemu64")->physical_bits(), 40u);
}

}  // namespace
}  // namespace relic86
