// x87 and SIMD instructions through the interpreter: results, stack, exceptions, availability.
#include <gtest/gtest.h>

#include <cstring>

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
