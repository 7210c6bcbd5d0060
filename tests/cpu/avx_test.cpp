// VEX, XSAVE and AVX beside what the native oracles compare: where they are undefined, what XCR0 and the areas of XSAVE
// are, and how masked moves and gathers meet a fault.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "cpu/control_bits.h"
#include "cpu/executable_memory.h"
#include "cpu/vex_unit.h"
#include "tests/cpu/long_machine.h"
#include "tests/cpu/protected_machine.h"

namespace relic86 {
namespace {

constexpr int kInvalidOpcode = 6, kNotAvailable = 7, kGeneralProtection = 13;
constexpr u64 kTs = 1u << 3, kAllStates = 7;

class AvxMachine : public ProtectedMachine {
 public:
  explicit AvxMachine(const char* model = "max") : ProtectedMachine(make_cpu_model(model).value()) {
    state().cr4 |= kCr4OsFxsr | kCr4OsXsave;
    state().xcr0 = kAllStates;
    state().cr0 &= ~u64{0xC};
    cpu().update_mode();
  }
  // Of the code in ring 0; -1: it ran to its HLT.
  int outcome(std::initializer_list<u8> bytes) {
    ring0(bytes);
    return run_to_handler();
  }
};

constexpr const char* kIntel = "max,vendor=GenuineIntel,family=6,model=207";
constexpr const char* kAmd = "max,vendor=AuthenticAMD,family=25,model=1";

// 64-bit code, with no page at kHole.
class LongAvxMachine : public LongMachine {
 public:
  static constexpr u64 kHole = 0x400000;
  explicit LongAvxMachine(const char* model) : LongMachine(model) {
    poke<u64>(kTop + 0x2000 + (kHole >> 21) * 8, 0);
    state().cr4 |= kCr4OsFxsr | kCr4OsXsave;
    state().xcr0 = kAllStates;
    state().cr0 &= ~u64{0xC};
    cpu().update_mode();
  }
  void run_at_hole(const std::vector<u8>& bytes, u64 before) {
    write(kCode, bytes);
    reg(kEbx) = kHole - before;
    step();
  }
};

bool host_has_avx2() { return present_host_units().avx2; }

void fill(FxState::Slot& slot, u8 value) { std::memset(slot.bytes, value, sizeof slot.bytes); }

// ANDN EAX, ECX, EBX and its prefixes.
TEST(Vex, WhereItIsUndefined) {
  AvxMachine m;
  EXPECT_EQ(m.outcome({0xC4, 0xE2, 0x70, 0xF2, 0xC3, 0xF4}), -1);
  EXPECT_EQ(m.outcome({0x66, 0xC4, 0xE2, 0x70, 0xF2, 0xC3, 0xF4}), kInvalidOpcode);
  EXPECT_EQ(m.outcome({0xF2, 0xC4, 0xE2, 0x70, 0xF2, 0xC3, 0xF4}), kInvalidOpcode);
  EXPECT_EQ(m.outcome({0xF3, 0xC4, 0xE2, 0x70, 0xF2, 0xC3, 0xF4}), kInvalidOpcode);
  EXPECT_EQ(m.outcome({0xF0, 0xC4, 0xE2, 0x70, 0xF2, 0xC3, 0xF4}), kInvalidOpcode);
  EXPECT_EQ(m.outcome({0xC4, 0xE2, 0x74, 0xF2, 0xC3, 0xF4}), kInvalidOpcode);     // VEX.L
  EXPECT_EQ(m.outcome({0xC4, 0xE4, 0x70, 0xF2, 0xC3, 0xF4}), kInvalidOpcode);     // map 4
  EXPECT_EQ(m.outcome({0xC4, 0xE3, 0x73, 0xF0, 0xC3, 1, 0xF4}), kInvalidOpcode);  // RORX has no VEX.vvvv
  AvxMachine without("max,-bmi1");
  EXPECT_EQ(without.outcome({0xC4, 0xE2, 0x70, 0xF2, 0xC3, 0xF4}), kInvalidOpcode);
  AvxMachine old("pentium3");
  EXPECT_EQ(old.outcome({0xC4, 0xE2, 0x70, 0xF2, 0xC3, 0xF4}), kInvalidOpcode);
}

// A first byte that names memory is LES or LDS outside of 64-bit mode.
TEST(Vex, LesAndLdsStay) {
  AvxMachine m;
  m.ring0({0xC4, 0x05, 0x00, 0x20, 0x00, 0x00, 0xC5, 0x0D, 0x00, 0x20, 0x00, 0x00, 0xF4});
  m.poke<u32>(0x2000, 0x12345678);
  m.poke<u16>(0x2004, ProtectedMachine::kData0);
  EXPECT_EQ(m.run_to_handler(), -1);
  EXPECT_EQ(m.reg(kEax), 0x12345678u);
  EXPECT_EQ(m.reg(kEcx), 0x12345678u);
}

TEST(Vex, NotInRealAddressAndVirtual8086Mode) {
  AvxMachine m;
  m.v86({0xC4, 0xE2, 0x70, 0xF2, 0xC3, 0xF4});
  EXPECT_EQ(m.run_to_handler(), kInvalidOpcode);
  m.v86({0xC5, 0xF8, 0x57, 0xC0, 0xF4});  // VXORPS
  EXPECT_EQ(m.run_to_handler(), kInvalidOpcode);
  CpuTestMachine real("max");
  real.real_mode(0x1000, 0x0100);
  real.code({0xC4, 0xE2, 0x70, 0xF2, 0xC3});
  real.run(1);
  EXPECT_EQ(real.cpu().fault().vector, Vector::InvalidOpcode);
}

TEST(Avx, NeedsWhatTheSystemEnables) {
  if (!host_has_avx2()) GTEST_SKIP() << "the host has no AVX2";
  AvxMachine m;
  const std::initializer_list<u8> xor_ymm = {0xC5, 0xFC, 0x57, 0xC0, 0xF4};
  EXPECT_EQ(m.outcome(xor_ymm), -1);
  m.state().xcr0 = 3;
  EXPECT_EQ(m.outcome(xor_ymm), kInvalidOpcode);
  m.state().xcr0 = kAllStates;
  m.state().cr0 |= kTs;
  EXPECT_EQ(m.outcome(xor_ymm), kNotAvailable);
  m.state().cr4 &= ~u64{kCr4OsXsave};
  EXPECT_EQ(m.outcome(xor_ymm), kInvalidOpcode);
  AvxMachine without("max,-avx2");
  EXPECT_EQ(without.outcome({0xC5, 0xFD, 0xEF, 0xC0, 0xF4}), kInvalidOpcode);  // VPXOR of 256 bits
  EXPECT_EQ(without.outcome({0xC5, 0xF9, 0xEF, 0xC0, 0xF4}), -1);              // of 128
}

// 128-bit forms clear the upper half, instructions without VEX leave it.
TEST(Avx, UpperHalves) {
  if (!host_has_avx2()) GTEST_SKIP() << "the host has no AVX2";
  AvxMachine m;
  CpuState& s = m.state();
  for (auto& slot : s.ymm_high) fill(slot, 0x5A);
  fill(s.fx.xmm[2], 1);
  EXPECT_EQ(m.outcome({0x0F, 0x28, 0xC2, 0xC5, 0xF8, 0x28, 0xCA, 0xC5, 0xFC, 0x28, 0xDA, 0xF4}), -1);
  EXPECT_EQ(s.fx.xmm[0].bytes[0], 1);
  EXPECT_EQ(s.ymm_high[0].bytes[0], 0x5A);  // MOVAPS XMM0, XMM2
  EXPECT_EQ(s.fx.xmm[1].bytes[0], 1);
  EXPECT_EQ(s.ymm_high[1].bytes[0], 0);                // VMOVAPS XMM1, XMM2
  EXPECT_EQ(s.ymm_high[3].bytes[0], 0x5A);             // VMOVAPS YMM3, YMM2
  EXPECT_EQ(m.outcome({0xC5, 0xF8, 0x77, 0xF4}), -1);  // VZEROUPPER
  EXPECT_EQ(s.ymm_high[3].bytes[0], 0);
  EXPECT_EQ(s.ymm_high[8].bytes[0], 0x5A);  // of 64-bit mode
  EXPECT_EQ(s.fx.xmm[1].bytes[0], 1);
}

TEST(Avx, OnlyAlignedMovesWantAlignment) {
  if (!host_has_avx2()) GTEST_SKIP() << "the host has no AVX2";
  AvxMachine m;
  EXPECT_EQ(m.outcome({0xC5, 0xFC, 0x58, 0x05, 0x01, 0x20, 0x00, 0x00, 0xF4}), -1);  // VADDPS YMM0, YMM0, [2001h]
  EXPECT_EQ(m.outcome({0xC5, 0xFC, 0x28, 0x05, 0x10, 0x20, 0x00, 0x00, 0xF4}), kGeneralProtection);
  EXPECT_EQ(m.outcome({0xC5, 0xF8, 0x28, 0x05, 0x10, 0x20, 0x00, 0x00, 0xF4}), -1);
}

// What is masked out is not accessed; a store writes nothing when a part of it faults.
TEST(Avx, MaskedMovesAtTheEndOfASegment) {
  if (!host_has_avx2()) GTEST_SKIP() << "the host has no AVX2";
  AvxMachine m;
  const auto at_end = [&](u8 opcode, u8 lanes) {
    m.ring0({0xC4, 0xE2, 0x71, opcode, 0x05, 0xF8, 0x2F, 0x00, 0x00, 0xF4});  // XMM0, mask XMM1, [2FF8h]
    Segment& ds = m.state().segment[kDs];
    ds.limit = 0x2FFF;
    derive_limits(m.state(), ds);
    m.state().fx.xmm[1] = {};
    for (unsigned i = 0; i < 4; i++) m.state().fx.xmm[1].bytes[i * 4 + 3] = (lanes >> i & 1) != 0 ? 0x80 : 0;
    return m.run_to_handler();
  };
  m.poke<u32>(0x2FF8, 0x11111111);
  m.poke<u32>(0x2FFC, 0x22222222);
  fill(m.state().fx.xmm[0], 0xEE);
  EXPECT_EQ(at_end(0x2C, 2), -1);
  EXPECT_EQ(m.state().fx.xmm[0].bytes[0], 0);
  EXPECT_EQ(m.state().fx.xmm[0].bytes[4], 0x22);
  EXPECT_EQ(at_end(0x2C, 4), kGeneralProtection);
  fill(m.state().fx.xmm[0], 0x33);
  EXPECT_EQ(at_end(0x2E, 5), kGeneralProtection);
  EXPECT_EQ(m.peek<u32>(0x2FF8), 0x11111111u);
  EXPECT_EQ(at_end(0x2E, 1), -1);
  EXPECT_EQ(m.peek<u32>(0x2FF8), 0x33333333u);
  EXPECT_EQ(m.peek<u32>(0x2FFC), 0x22222222u);
}

// VPGATHERDD XMM0, [EBX+XMM2*4], XMM1: what came before the fault is kept, and its mask is cleared. What the mask's
// other elements are then depends on the vendor.
void gather_goes_on_after_a_fault(const char* model, u8 selected) {
  AvxMachine m(model);
  CpuState& s = m.state();
  const std::initializer_list<u8> gather = {0xC4, 0xE2, 0x71, 0x90, 0x04, 0x93, 0xF4};
  m.ring0(gather);
  m.reg(kEbx) = 0x2000;
  m.poke<u32>(0x2000, 0x01010101);
  m.poke<u32>(0x2FFC, 0x02020202);
  fill(s.fx.xmm[0], 0xEE);
  fill(s.fx.xmm[1], 0x80);
  for (auto& slot : s.ymm_high) fill(slot, 0x5A);
  const u32 indices[4] = {0, 0x3FF, 0x400, 1};
  std::memcpy(s.fx.xmm[2].bytes, indices, sizeof indices);
  s.segment[kDs].limit = 0x2FFF;
  derive_limits(s, s.segment[kDs]);
  EXPECT_EQ(m.run_to_handler(), kGeneralProtection);
  EXPECT_EQ(s.fx.xmm[0].bytes[0], 1);
  EXPECT_EQ(s.fx.xmm[0].bytes[4], 2);
  EXPECT_EQ(s.fx.xmm[0].bytes[8], 0xEE);
  EXPECT_EQ(s.fx.xmm[1].bytes[7], 0);
  EXPECT_EQ(s.fx.xmm[1].bytes[11], selected);
  m.poke<u32>(0x2000, 0xFFFFFFFF);  // is not read again
  m.ring0(gather);
  EXPECT_EQ(m.run_to_handler(), -1);
  EXPECT_EQ(s.fx.xmm[0].bytes[0], 1);
  EXPECT_EQ(s.ymm_high[0].bytes[0], 0);
  EXPECT_EQ(s.fx.xmm[1].bytes[15], 0);
  EXPECT_EQ(m.outcome({0xC4, 0xE2, 0x71, 0x90, 0x04, 0x8B, 0xF4}),
            kInvalidOpcode);  // mask and indices are one register
}

TEST(Avx, GatherGoesOnAfterAFault) {
  if (!host_has_avx2()) GTEST_SKIP() << "the host has no AVX2";
  gather_goes_on_after_a_fault(kIntel, 0xFF);
  gather_goes_on_after_a_fault(kAmd, 0x80);
}

// VMASKMOVPS [RBX], XMM1, XMM0, whose third element is the first in the hole.
TEST(Avx, MaskedStoreOverTwoPagesTellsWhereItFaults) {
  if (!host_has_avx2()) GTEST_SKIP() << "the host has no AVX2";
  for (const auto& [model, place] : {std::pair{kIntel, 7}, std::pair{kAmd, 0}}) {
    LongAvxMachine m(model);
    fill(m.state().fx.xmm[1], 0x80);
    m.run_at_hole({0xC4, 0xE2, 0x71, 0x2E, 0x03}, 8);
    EXPECT_EQ(m.state().cr2, LongAvxMachine::kHole + static_cast<u64>(place)) << model;
  }
}

// VCVTPS2PH [RBX], XMM0 of numbers that are not exact.
TEST(Avx, ConversionThatCannotBeStored) {
  if (!present_host_units().f16c) GTEST_SKIP() << "the host has no F16C";
  constexpr u32 kMxcsr = 0x1F80, kPrecision = 0x20;
  for (const auto& [model, flags] : {std::pair{kIntel, kPrecision}, std::pair{kAmd, 0u}}) {
    LongAvxMachine m(model);
    fill(m.state().fx.xmm[0], 0x3F);
    m.state().fx.mxcsr = kMxcsr;
    m.run_at_hole({0xC4, 0xE3, 0x79, 0x1D, 0x03, 0x00}, 0);
    EXPECT_EQ(m.state().cr2, LongAvxMachine::kHole) << model;
    EXPECT_EQ(m.state().fx.mxcsr, kMxcsr | flags) << model;
  }
}

// VPEXTRD EAX, XMM0, 0 with VEX.W.
TEST(Avx, ExtractOfADoublewordWithW) {
  if (!host_has_avx2()) GTEST_SKIP() << "the host has no AVX2";
  AvxMachine intel(kIntel), amd(kAmd);
  EXPECT_EQ(intel.outcome({0xC4, 0xE3, 0xF9, 0x16, 0xC0, 0x00, 0xF4}), -1);
  EXPECT_EQ(amd.outcome({0xC4, 0xE3, 0xF9, 0x16, 0xC0, 0x00, 0xF4}), kInvalidOpcode);
}

TEST(Xsave, Xcr0TakesWhatTheModelHas) {
  AvxMachine m;
  const auto set = [&](u32 value, u32 which = 0) {
    m.ring0({0x0F, 0x01, 0xD1, 0x0F, 0x01, 0xD0, 0xF4});  // XSETBV, XGETBV
    m.reg(kEax) = value;
    m.reg(kEcx) = which;
    m.reg(kEdx) = 0;
    return m.run_to_handler();
  };
  EXPECT_EQ(set(7), -1);
  EXPECT_EQ(m.reg(kEax), 7u);
  EXPECT_EQ(set(3), -1);
  EXPECT_EQ(set(1), -1);
  EXPECT_EQ(m.state().xcr0, 1u);
  for (const u32 refused : {0u, 2u, 5u, 15u}) EXPECT_EQ(set(refused), kGeneralProtection) << refused;
  EXPECT_EQ(set(1, 1), kGeneralProtection);
  m.ring3({0x0F, 0x01, 0xD1, 0xF4});
  EXPECT_EQ(m.run_to_handler(), kGeneralProtection);
  m.state().cr4 &= ~u64{kCr4OsXsave};
  EXPECT_EQ(set(7), kInvalidOpcode);
  AvxMachine without("max,-xsave");
  EXPECT_EQ(without.outcome({0x0F, 0x01, 0xD0, 0xF4}), kInvalidOpcode);
  EXPECT_EQ(without.cpu().model().cr4_bits() & kCr4OsXsave, 0u);
}

class XsaveArea : public ::testing::TestWithParam<u8> {};

// XSAVE, XSAVEOPT and, with another opcode, XSAVEC into an area of ones; XRSTOR brings back what was there.
TEST_P(XsaveArea, KeepsAllStates) {
  AvxMachine m;
  CpuState& s = m.state();
  const bool compacted = GetParam() == 0xC7;
  for (unsigned i = 0; i < 8; i++)
    fill(s.fx.xmm[i], static_cast<u8>(i + 1)), fill(s.ymm_high[i], static_cast<u8>(i + 0x11));
  s.fx.mxcsr = 0x3F80;
  s.fx.control = 0x27F;
  for (u32 at = 0x4000; at < 0x4400; at += 4) m.poke<u32>(at, 0xFFFFFFFF);
  for (u32 at = 0x4200; at < 0x4240; at += 4) m.poke<u32>(at, 0);
  const u8 modrm = GetParam() == 0x30 ? 0x35 : 0x25;  // XSAVEOPT is /6
  const auto run = [&](u8 opcode, u8 form, u32 states) {
    m.ring0({0x0F, opcode, form, 0x00, 0x40, 0x00, 0x00, 0xF4});
    m.reg(kEax) = states;
    m.reg(kEdx) = 0;
    return m.run_to_handler();
  };
  const u8 opcode = compacted ? 0xC7 : 0xAE;
  ASSERT_EQ(run(opcode, modrm, 0xFFFFFFFF), -1);
  EXPECT_EQ(m.peek<u64>(0x4200), kAllStates);
  EXPECT_EQ(m.peek<u64>(0x4208), compacted ? u64{1} << 63 | kAllStates : 0);
  EXPECT_EQ(m.byte(0x40A0), 1);     // XMM0
  EXPECT_EQ(m.byte(0x4240), 0x11);  // YMM0's upper half
  EXPECT_EQ(m.byte(0x4240 + 128), 0xFF);
  for (unsigned i = 0; i < 8; i++) s.fx.xmm[i] = s.ymm_high[i] = {};
  s.fx.mxcsr = 0x1F80;
  ASSERT_EQ(run(0xAE, 0x2D, 4), -1);
  EXPECT_EQ(s.ymm_high[7].bytes[3], 0x18);
  EXPECT_EQ(s.fx.xmm[7].bytes[3], 0);
  ASSERT_EQ(run(0xAE, 0x2D, 7), -1);
  EXPECT_EQ(s.fx.xmm[7].bytes[3], 8);
  EXPECT_EQ(s.fx.mxcsr, 0x3F80u);
  EXPECT_EQ(s.fx.control, 0x27F);
  m.poke<u64>(0x4200, 3);  // AVX as after reset
  ASSERT_EQ(run(0xAE, 0x2D, 7), -1);
  EXPECT_EQ(s.ymm_high[7].bytes[3], 0);
  m.poke<u64>(0x4200, 8);  // a state that is not enabled
  EXPECT_EQ(run(0xAE, 0x2D, 7), kGeneralProtection);
  m.poke<u64>(0x4200, 7);
  m.poke<u64>(0x4210, 1);
  EXPECT_EQ(run(0xAE, 0x2D, 7), kGeneralProtection);
  m.ring0({0x0F, 0xAE, 0x2D, 0x10, 0x40, 0x00, 0x00, 0xF4});  // not at a multiple of 64
  EXPECT_EQ(m.run_to_handler(), kGeneralProtection);
}

INSTANTIATE_TEST_SUITE_P(Instructions, XsaveArea, ::testing::Values(u8{0x20}, u8{0x30}, u8{0xC7}));

TEST(Xsave, LeafOfTheStates) {
  struct Row {
    u32 part, eax, ebx, ecx;
  };
  AvxMachine m;
  const auto leaf = [&](u32 number, u32 part) {
    m.ring0({0x0F, 0xA2, 0xF4});
    m.reg(kEax) = number;
    m.reg(kEcx) = part;
    m.run_to_handler();
  };
  for (const Row& row : {Row{0, 7, 832, 832}, Row{1, 7, 832, 0}, Row{2, 256, 576, 0}, Row{3, 0, 0, 0}}) {
    leaf(13, row.part);
    EXPECT_EQ(m.reg(kEax), row.eax) << row.part;
    EXPECT_EQ(m.reg(kEbx), row.ebx) << row.part;
    EXPECT_EQ(m.reg(kEcx), row.ecx) << row.part;
  }
  m.state().xcr0 = 3;
  leaf(13, 0);
  EXPECT_EQ(m.reg(kEbx), 576u);
  leaf(1, 0);
  EXPECT_NE(m.reg(kEcx) & kCpuidOsxsave, 0u);
  m.state().cr4 &= ~u64{kCr4OsXsave};
  leaf(1, 0);
  EXPECT_EQ(m.reg(kEcx) & kCpuidOsxsave, 0u);
}

// Code for the host's unit never stands in memory that is both writable and executable, and a process made by fork
// does not write into its parent's.
TEST(VexUnit, WritesNowhereThatMayBeExecuted) {
  if (!host_has_avx2()) GTEST_SKIP() << "the host has no AVX2";
  const ExecutableMemory memory(kPageSize);
  ASSERT_NE(memory.executable(), nullptr);
  EXPECT_FALSE(memory.shared_with_another_process());
  const auto rights_at = [](const void* place) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      unsigned long first = 0, last = 0;
      char rights[5] = "";
      if (std::sscanf(line.c_str(), "%lx-%lx %4s", &first, &last, rights) != 3) continue;
      const auto address = reinterpret_cast<unsigned long>(place);
      if (address >= first && address < last) return std::string(rights);
    }
    return std::string();
  };
  EXPECT_EQ(rights_at(memory.writable()), "rw-s");
  EXPECT_EQ(rights_at(memory.executable()), "r-xs");
  memory.writable()[0] = 0xC3;
  EXPECT_EQ(memory.executable()[0], 0xC3);
  VexUnit unit;
  VexEncoding add;  // VADDPS
  add.opcode = 0x58;
  add.has_vex = true;
  EXPECT_EQ(rights_at(reinterpret_cast<const void*>(unit.function(add))), "r-xs");
}

// A saved processor keeps XCR0 and the upper halves.
TEST(Xsave, SavedProcessor) {
  AvxMachine m;
  for (unsigned i = 0; i < 16; i++) fill(m.state().ymm_high[i], static_cast<u8>(i));
  StateWriter save;
  m.cpu().state_archive(save);
  AvxMachine other;
  StateReader load = StateReader::parse(save.data()).value();
  other.state().xcr0 = 1;
  other.cpu().state_archive(load);
  EXPECT_EQ(other.state().xcr0, kAllStates);
  EXPECT_EQ(std::memcmp(other.state().ymm_high.data(), m.state().ymm_high.data(), sizeof m.state().ymm_high), 0);
}

}  // namespace
}  // namespace relic86
