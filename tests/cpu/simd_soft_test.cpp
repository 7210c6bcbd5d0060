// What is made of SSE2 against the host's own SSE3 and SSSE3, and the approximations against their bounds.
#include "cpu/simd_soft.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "cpu/x87_unit.h"

namespace relic86 {
namespace {

using simd_unit::Map;
using simd_unit::Prefix;

Prefix prefix_of(const InstructionRow& row) {
  if ((row.match & kMatchF3) != 0) return Prefix::PF3;
  if ((row.match & kMatchF2) != 0) return Prefix::PF2;
  return (row.match & kMatch66) != 0 ? Prefix::P66 : Prefix::None;
}

class SimdSoft : public testing::Test {
 protected:
  FxState::Slot random_slot() {
    // Ends of ranges and special numbers more often than chance.
    static constexpr u32 kSpecial[] = {0,          0x80000000, 0x3F800000, 0x7F800000, 0xFF800000, 0x7FC00000,
                                       0x7F800001, 1,          0x807FFFFF, 0x7F7FFFFF, 0x7FFF8000, 0x80808080};
    FxState::Slot slot;
    for (unsigned i = 0; i < 4; ++i) {
      const u64 bits = random_();
      const u32 word = (bits & 3) == 0 ? kSpecial[(bits >> 8) % std::size(kSpecial)] : static_cast<u32>(bits >> 32);
      std::memcpy(slot.bytes + 4 * i, &word, 4);
    }
    return slot;
  }
  std::mt19937_64 random_{1};
};

TEST_F(SimdSoft, ComesToWhatTheHostComesTo) {
  const HostUnits present = present_host_units();
  const HostUnits masked = masked_host_units(present, "-sse3").value();
  unsigned compared = 0;
  for (const InstructionRow& row : instruction_table()) {
    const auto soft = simd_soft::xmm_operation(row, masked);
    if (soft == nullptr || (row.feature == Feature::Sse3 ? !present.sse3 : !present.ssse3)) continue;
    if (row.feature == Feature::Ssse3 && prefix_of(row) != Prefix::P66) continue;
    const auto host = simd_unit::xmm_operation(row.map == OpcodeMap::Escape38 ? Map::Escape38 : Map::TwoByte,
                                               prefix_of(row), row.opcode);
    ASSERT_NE(host, nullptr) << row.mnemonic;
    ++compared;
    for (unsigned i = 0; i < 2000; ++i) {
      FxState::Slot a = random_slot(), b = a;
      const FxState::Slot source = random_slot();
      u32 mxcsr_a = 0x1F80 | (i & 3) << 13 | (i & 4) << 13 | (i & 8) << 3, mxcsr_b = mxcsr_a;
      (void)simd_unit::run_floating(soft, mxcsr_a, a, source);
      (void)simd_unit::run_floating(host, mxcsr_b, b, source);
      ASSERT_EQ(std::memcmp(a.bytes, b.bytes, 16), 0) << row.mnemonic << " case " << i;
      ASSERT_EQ(mxcsr_a, mxcsr_b) << row.mnemonic << " case " << i;
    }
  }
  if (present.ssse3) {
    EXPECT_EQ(compared, 24u);
  }
}

TEST_F(SimdSoft, MmxFormsToo) {
  const HostUnits present = present_host_units();
  if (!present.ssse3) GTEST_SKIP() << "the host has no SSSE3 to compare with";
  const HostUnits masked = masked_host_units(present, "-ssse3").value();
  for (const InstructionRow& row : instruction_table()) {
    if (row.feature != Feature::Ssse3 || row.map != OpcodeMap::Escape38 || prefix_of(row) != Prefix::None) continue;
    const auto soft = simd_soft::mmx_operation(row, masked);
    ASSERT_NE(soft, nullptr) << row.mnemonic;
    for (unsigned i = 0; i < 2000; ++i) {
      u64 a = random_(), b = a;
      const u64 source = random_();
      soft(a, source);
      simd_unit::mmx_operation(Map::Escape38, row.opcode)(b, source);
      ASSERT_EQ(a, b) << row.mnemonic << " case " << i;
    }
  }
}

TEST_F(SimdSoft, ApproximationsKeepTheManualsBound) {
  constexpr double kBound = 1.5 / 4096;
  HostUnits exact = present_host_units();
  exact.exact_functions = true;
  for (const InstructionRow& row : instruction_table()) {
    const std::string_view name = row.mnemonic;
    if (name != "rcpss" && name != "rsqrtss") continue;
    const auto operation = simd_soft::xmm_operation(row, exact);
    ASSERT_NE(operation, nullptr);
    for (unsigned i = 0; i < 5000; ++i) {
      const float x = std::ldexp(1 + static_cast<float>(random_() >> 40) / (1 << 24), static_cast<int>(i % 200) - 100);
      FxState::Slot slot{}, source{};
      std::memcpy(source.bytes, &x, 4);
      operation(slot, source);
      float result = 0;
      std::memcpy(&result, slot.bytes, 4);
      const double wanted = name == "rcpss" ? 1.0 / x : 1.0 / std::sqrt(double{x});
      ASSERT_LE(std::abs(result / wanted - 1), kBound) << name << " of " << x;
    }
  }
}

}  // namespace
}  // namespace relic86
