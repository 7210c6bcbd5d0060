// x87 and SIMD instructions through the interpreter: results, stack, exceptions, availability.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "cpu/simd_unit.h"
#include "cpu/x87_unit.h"
#include "tests/cpu/cpu_test_machine.h"

namespace relic86 {
namespace {

constexpr u64 kCr0Ne = 1u << 5, kCr4Osfxsr = 1u << 9;

class FpuTest : public ::testing::Test {
 protected:
  FpuTest() {
    machine_.flat32();
    machine_.state().cr4 |= kCr4Osfxsr;
    machine_.state().cr0 |= kCr0Ne;
    machine_.code({0xDB, 0xE3});
    run(1);
  }
  void run(u64 count) { machine_.run(count); }
  void code(std::initializer_list<u8> bytes) { machine_.code(bytes); }
  void store_double(u32 at, double value) {
    u8 bytes[8];
    std::memcpy(bytes, &value, 8);
    machine_.write(at, bytes);
  }
  double load_double(u32 at) {
    double value = 0;
    u8 bytes[8];
    machine_.bus().read_block(PhysAddr(at), bytes);
    std::memcpy(&value, bytes, 8);
    return value;
  }
  FxState& fx() { return machine_.state().fx; }
  CpuTestMachine machine_;
};

TEST_F(FpuTest, LoadsAddsAndStores) {
  store_double(0x4000, 1.5);
  store_double(0x4008, 2.25);
  code({0xDD, 0x05, 0x00, 0x40, 0, 0, 0xDC, 0x05, 0x08, 0x40, 0, 0, 0xDD, 0x1D, 0x10, 0x40, 0, 0});
  run(3);
  EXPECT_EQ(load_double(0x4010), 3.75);
  EXPECT_EQ(fx().tags, 0);
  EXPECT_EQ(fx().top(), 0u);
}

TEST_F(FpuTest, StackFaultSetsInvalidAndStackBits) {
  code({0xD8, 0xC1});  // FADD ST0, ST1 of an empty stack
  run(1);
  EXPECT_EQ(fx().status & 0x241, 0x41);
}

TEST_F(FpuTest, UnmaskedExceptionIsRaisedByTheNextWaitingInstruction) {
  store_double(0x4000, 0.0);
  fx().control = 0x37B;  // zero divide unmasked
  code({0xD9, 0xE8, 0xDC, 0x35, 0x00, 0x40, 0, 0, 0xD9, 0xE8});
  run(2);
  EXPECT_NE(fx().status & 0x80, 0);
  run(1);
  EXPECT_EQ(machine_.cpu().fault().vector, Vector::X87Error);
}

TEST_F(FpuTest, StoreThatFaultsKeepsTheStack) {
  code({0xD9, 0xE8, 0xDD, 0x1D, 0x00, 0x40, 0, 0});
  run(1);
  machine_.state().segment[kDs].write_end = machine_.state().segment[kDs].read_end = 0;
  machine_.state().segment[kDs].limit = 0x100;
  const u16 status = fx().status;
  run(1);
  EXPECT_EQ(fx().tags, 0x80);
  EXPECT_EQ(fx().status, status);
}

TEST_F(FpuTest, FcomiSetsIntegerFlags) {
  code({0xD9, 0xE8, 0xD9, 0xEE, 0xDB, 0xF1});  // FLD1, FLDZ, FCOMI ST1: 0 < 1
  run(3);
  EXPECT_TRUE(machine_.state().flags.cf());
  EXPECT_FALSE(machine_.state().flags.zf());
}

TEST_F(FpuTest, MmxAliasesTheX87AndEmmsEmptiesIt) {
  machine_.reg(kEax) = 0x12345678;
  code({0x0F, 0x6E, 0xC8, 0x0F, 0xFE, 0xC9, 0x0F, 0x7E, 0xCB, 0x0F,
        0x77});  // MOVD MM1,EAX; PADDD MM1,MM1; MOVD EBX,MM1; EMMS
  run(3);
  EXPECT_EQ(machine_.reg(kEbx), 0x2468ACF0u);
  EXPECT_EQ(fx().tags, 0xFF);
  EXPECT_EQ(fx().st[1].bytes[9], 0xFF);
  run(1);
  EXPECT_EQ(fx().tags, 0);
}

TEST_F(FpuTest, SseAddsWithTheGuestsRounding) {
  const float one = 1.0f, tiny = 1e-10f;
  std::memcpy(fx().xmm[0].bytes, &one, 4);
  std::memcpy(fx().xmm[1].bytes, &tiny, 4);
  fx().mxcsr = 0x1F80 | 0x4000;  // round up
  code({0xF3, 0x0F, 0x58, 0xC1});
  run(1);
  float sum = 0;
  std::memcpy(&sum, fx().xmm[0].bytes, 4);
  EXPECT_GT(sum, 1.0f);
  EXPECT_EQ(fx().mxcsr & 0x3F, 0x20u);
}

TEST_F(FpuTest, TagWordOfFnstenvClassifies) {
  code({0xD9, 0xE8, 0xD9, 0xEE, 0xD9, 0x35, 0x00, 0x40, 0, 0});  // FLD1, FLDZ, FNSTENV
  run(3);
  u8 image[28];
  machine_.bus().read_block(PhysAddr(0x4000), image);
  EXPECT_EQ(image[8] | image[9] << 8, 0x1FFF);  // R7 valid (00), R6 zero (01), others empty
}

// Every plain form that a row names exists on this host and runs.
// State images that wrap at the end of a 64 KiB segment, as an AMD part loads them.
class WrappingImage : public ::testing::Test {
 protected:
  WrappingImage() {
    for (u32 vector = 0; vector < 32; ++vector) machine_.poke<u32>(vector * 4, 0x500);
    machine_.poke<u8>(0x500, 0xF4);
    machine_.set_segment(kDs, 0x1000);
    machine_.set_segment(kSs, 0x2000);
    machine_.reg(kEsp) = 0x8000;
    machine_.real_mode(0x3000, 0x100);
    machine_.code({0xDB, 0xE3});
    machine_.run(1);
    for (u32 at = 0x10000; at < 0x20010; ++at) machine_.poke<u8>(at, 0xF4);
  }
  FxState& fx() { return machine_.state().fx; }
  CpuTestMachine machine_;
};

TEST_F(WrappingImage, AWrappedExponentFaults) {
  machine_.code({0x66, 0xDD, 0x26, 0x95, 0xFF});  // FRSTOR of 108 bytes at FF95h: ST(7) lies at FFF7h to 0
  machine_.run(10);
  EXPECT_EQ(machine_.cpu().fault().vector, Vector::GeneralProtection);
  EXPECT_EQ(fx().control, 0x37F);
  EXPECT_EQ(fx().st[6].bytes[9], 0xF4);
  EXPECT_EQ(fx().st[7].bytes[9], 0);
}

TEST_F(WrappingImage, WhatPrecedesTheFaultIsLoadedSaveTheControlWord) {
  machine_.code({0xDD, 0x26, 0xDC, 0xFF});  // FRSTOR of 94 bytes at FFDCh: the mantissa of ST(2) wraps
  machine_.run(10);
  EXPECT_EQ(machine_.cpu().fault().vector, Vector::GeneralProtection);
  EXPECT_EQ(fx().control, 0x37F);
  EXPECT_EQ(fx().status, 0x7474);
  EXPECT_EQ(fx().st[1].bytes[9], 0xF4);
  EXPECT_EQ(fx().st[2].bytes[9], 0);
}

TEST(SimdUnit, EveryRowHasAnOperation) {
  unsigned checked = 0;
  for (const InstructionRow& row : instruction_table()) {
    const std::string meaning = row.meaning;
    const auto map = row.map == OpcodeMap::Escape38 ? simd_unit::Map::Escape38 : simd_unit::Map::TwoByte;
    if (meaning.starts_with("simd_mmx_")) {
      u64 value = 0x0102030405060708;
      const auto operation = simd_unit::mmx_operation(map, row.opcode);
      ASSERT_NE(operation, nullptr) << row.mnemonic;
      operation(value, 3);
      checked++;
    } else if (meaning.starts_with("simd_xmm_") || meaning.starts_with("simd_floating_")) {
      const auto prefix = (row.match & kMatchF3) != 0   ? simd_unit::Prefix::PF3
                          : (row.match & kMatchF2) != 0 ? simd_unit::Prefix::PF2
                          : (row.match & kMatch66) != 0 ? simd_unit::Prefix::P66
                                                        : simd_unit::Prefix::None;
      FxState::Slot value{}, source{};
      const auto operation = simd_unit::xmm_operation(map, prefix, row.opcode);
      ASSERT_NE(operation, nullptr) << row.mnemonic;
      operation(value, source);
      checked++;
    }
  }
  EXPECT_GT(checked, 150u);
}

// The quick paths against the whole unit: random stacks of interesting values, every form, every rounding and
// precision.
class X87Quick : public ::testing::Test {
 protected:
  u64 next() { return random_(); }
  FxState state() {
    static constexpr u16 kExponents[] = {0, 1, 0x3FFF, 0x4000, 0x3FFE, 0x7FFE, 0x7FFF, 0x401E, 0x403E, 0x3FBF};
    static constexpr u64 kMantissas[] = {
        0, 1, u64{1} << 63, ~u64{0}, 0xC000000000000000, 0x8000000000000001, 0x4000000000000000};
    FxState fx;
    fx.control = static_cast<u16>(0x7F | (next() & 0xF00) | (next() % 8 == 0 ? 0 : 0x300));
    if ((fx.control & 0x300) == 0x100) fx.control |= 0x300;  // precision control 01b is reserved
    fx.status = static_cast<u16>(next() & 0x7F3F & ~0x40u);
    fx.tags = static_cast<u8>(next() | next());
    for (auto& slot : fx.st) {
      const u64 mantissa = next() % 3 == 0 ? kMantissas[next() % std::size(kMantissas)] : next() | u64{1} << 63;
      const u16 exponent = static_cast<u16>(
          (next() % 3 == 0 ? kExponents[next() % std::size(kExponents)] : 0x3FC0 + next() % 0x80) | (next() & 0x8000));
      std::memcpy(slot.bytes, &mantissa, 8);
      std::memcpy(slot.bytes + 8, &exponent, 2);
      std::memset(slot.bytes + 10, 0, 6);
    }
    return fx;
  }
  static bool meaning_compares(std::string_view mnemonic) {
    return mnemonic.starts_with("fcom") || mnemonic.starts_with("fucom");
  }
  static void expect_same(const FxState& quick, const FxState& whole, const FxState& before, u8 escape, unsigned modrm,
                          u16 ignored) {
    EXPECT_EQ(quick.status & ~ignored, whole.status & ~ignored)
        << std::hex << unsigned{escape} << " " << modrm << " control " << before.control << " status " << before.status;
    EXPECT_EQ(quick.tags, whole.tags) << std::hex << unsigned{escape} << " " << modrm;
    EXPECT_EQ(quick.control, whole.control);
    for (unsigned i = 0; i < 8; i++) {
      EXPECT_EQ(std::memcmp(quick.st[i].bytes, whole.st[i].bytes, 10), 0)
          << std::hex << unsigned{escape} << " " << modrm << " st" << i;
    }
  }
  std::mt19937_64 random_{42};
};

TEST_F(X87Quick, RegisterFormsAreTheWholeUnits) {
  for (const InstructionRow& row : instruction_table()) {
    const std::string meaning = row.meaning;
    if (!meaning.starts_with("x87_register<")) continue;
    for (unsigned round = 0; round < 400; round++) {
      const unsigned rm = (row.match & kMatchRm) != 0 ? row.match >> 4 & 7u : static_cast<unsigned>(next() % 8);
      const u8 modrm = static_cast<u8>(0xC0 | (row.match & 7) << 3 | rm);
      const FxState before = state();
      FxState quick = before, whole = before;
      const u32 flags = x87_unit::execute_register(quick, row.opcode, modrm, 0);
      const u32 expected = x87_unit::execute_register_whole(whole, row.opcode, modrm, 0);
      const bool to_eflags = row.flags_written != 0;
      if (to_eflags) {
        EXPECT_EQ(flags, expected);
      }
      // C0, C2, C3 are undefined after arithmetic (SDM 1 table 8-2).
      expect_same(quick, whole, before, row.opcode, modrm, meaning_compares(row.mnemonic) ? 0 : 0x4500);
      if (HasFailure()) return;
    }
  }
}

TEST_F(X87Quick, MemoryFormsAreTheWholeUnits) {
  for (const InstructionRow& row : instruction_table()) {
    const std::string meaning = row.meaning;
    if (!meaning.starts_with("x87_memory<")) continue;
    for (unsigned round = 0; round < 400; round++) {
      const u8 reg = row.match & 7;
      const FxState before = state();
      FxState quick = before, whole = before;
      x87_unit::Operand first;
      for (u8& byte : first.bytes) byte = static_cast<u8>(next());
      if (row.opcode == 0xDF && reg == 4) std::memset(first.bytes, 0x12, 10);  // packed BCD digits
      x87_unit::Operand second = first;
      x87_unit::execute_memory(quick, row.opcode, reg, first);
      x87_unit::execute_memory_whole(whole, row.opcode, reg, second);
      EXPECT_EQ(std::memcmp(first.bytes, second.bytes, 10), 0)
          << std::hex << unsigned{row.opcode} << " /" << unsigned{reg};
      const bool compares = (row.opcode & 1) == 0 && (reg == 2 || reg == 3);
      expect_same(quick, whole, before, row.opcode, reg, compares ? 0 : 0x4500);
      if (HasFailure()) return;
    }
  }
}

TEST(X87Unit, EveryRegisterRowRuns) {
  for (const InstructionRow& row : instruction_table()) {
    const std::string meaning = row.meaning;
    if (!meaning.starts_with("x87_register<")) continue;
    for (unsigned rm = 0; rm < 8; rm++) {
      if ((row.match & kMatchRm) != 0 && (row.match >> 4 & 7u) != rm) continue;
      FxState fx;
      fx.tags = 0xFF;
      x87_unit::execute_register(fx, row.opcode, static_cast<u8>(0xC0 | (row.match & 7) << 3 | rm), 0);
    }
  }
}

}  // namespace
}  // namespace relic86
