// Accesses of 2 and 4 bytes over the end of a page: as fast code, and at any distance from it.
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kFrom = 0x20000, kTo = 0x30000;  // ends of pages
constexpr u32 kRounds = 200;

class SplitAccess : public testing::TestWithParam<bool> {
 protected:
  SplitAccess() {
    m_.flat32();
    for (u32 i = 0; i < 16; ++i) m_.poke<u8>(kFrom - 8 + i, static_cast<u8>(0x10 * i + 3));
  }
  // The code kRounds times; ECX counts.
  void rounds(std::vector<u8> code) {
    code.insert(code.begin(), {0xB9, kRounds & 0xFF, 0, 0, 0});  // mov ecx, rounds
    code.insert(code.end(),
                {0x49, 0x75, static_cast<u8>(5 - static_cast<int>(code.size()) - 3), 0xF4});  // dec; jnz; hlt
    m_.write(m_.linear_ip(), code);
    if (!GetParam()) {
      ASSERT_EQ(m_.run(1'000'000), ExitReason::Halted);
      return;
    }
    jit::Translator translator(m_.cpu(), m_.bus(), jit::eager_options());
    ASSERT_EQ(translator.run(1'000'000), ExitReason::Halted);
    const jit::TranslatorStatistics& statistics = translator.statistics();
    EXPECT_GT(statistics.translated, 0u);
    EXPECT_LT(statistics.loads + statistics.stores + statistics.probes, 20u);
  }
  static void put(std::vector<u8>& code, u32 value) {
    for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(value >> (8 * i)));
  }

  CpuTestMachine m_;
};

TEST_P(SplitAccess, DwordsAndWordsAtEachDistance) {
  for (u32 distance = 1; distance < 4; ++distance) {
    std::vector<u8> code{0x8B, 0x15};  // mov edx, [from]
    put(code, kFrom - distance);
    code.insert(code.end(), {0x89, 0x15});  // mov [to], edx
    put(code, kTo - distance);
    code.insert(code.end(), {0x66, 0x8B, 0x1D});  // mov bx, [from]
    put(code, kFrom - 1);
    code.insert(code.end(), {0x66, 0x89, 0x1D});  // mov [to + 1000h], bx
    put(code, kTo + kPageSize - 1);
    m_.poke<u64>(kTo - 4, ~u64{0});
    m_.poke<u64>(kTo + kPageSize - 4, ~u64{0});
    m_.state().halted = false;
    m_.state().rip = 0x1000;
    rounds(code);
    EXPECT_EQ(m_.peek<u32>(kTo - distance), m_.peek<u32>(kFrom - distance)) << distance;
    EXPECT_EQ(m_.peek<u8>(kTo - distance - 1), 0xFF) << distance;
    EXPECT_EQ(m_.peek<u8>(kTo - distance + 4), 0xFF) << distance;
    EXPECT_EQ(m_.peek<u16>(kTo + kPageSize - 1), m_.peek<u16>(kFrom - 1));
    EXPECT_EQ(m_.peek<u8>(kTo + kPageSize - 2), 0xFF);
    EXPECT_EQ(m_.peek<u8>(kTo + kPageSize + 1), 0xFF);
  }
}

// Both pages lie side by side in memory.
TEST_P(SplitAccess, OperandsThatAreReadAndWritten) {
  for (u32 distance = 1; distance < 4; ++distance) {
    std::vector<u8> code{0x01, 0x0D};  // add [to], ecx
    put(code, kTo - distance);
    code.insert(code.end(), {0x66, 0x83, 0x05});  // add word [to + 1000h], 3
    put(code, kTo + kPageSize - 1);
    code.push_back(3);
    m_.poke<u64>(kTo - 4, ~u64{0});
    m_.poke<u64>(kTo + kPageSize - 4, ~u64{0});
    m_.state().halted = false;
    m_.state().rip = 0x1000;
    rounds(code);
    EXPECT_EQ(m_.peek<u32>(kTo - distance), kRounds * (kRounds + 1) / 2 - 1) << distance;
    EXPECT_EQ(m_.peek<u8>(kTo - distance - 1), 0xFF) << distance;
    EXPECT_EQ(m_.peek<u8>(kTo - distance + 4), 0xFF) << distance;
    EXPECT_EQ(m_.peek<u16>(kTo + kPageSize - 1), 3 * kRounds - 1);
    EXPECT_EQ(m_.peek<u8>(kTo + kPageSize - 2), 0xFF);
    EXPECT_EQ(m_.peek<u8>(kTo + kPageSize + 1), 0xFF);
  }
}

TEST_P(SplitAccess, TheStack) {
  m_.reg(kEsp) = kTo + 2;
  rounds({0x51, 0x58, 0x66, 0x51, 0x66, 0x5B});  // push ecx; pop eax; push cx; pop bx
  EXPECT_EQ(m_.reg(kEsp), kTo + 2);
  EXPECT_EQ(m_.reg(kEax), 1u);
  EXPECT_EQ(m_.reg(kEbx) & 0xFFFF, 1u);
}

INSTANTIATE_TEST_SUITE_P(Engines, SplitAccess, testing::Bool(), [](const testing::TestParamInfo<bool>& engine) {
  return engine.param ? "Translator" : "Interpreter";
});

}  // namespace

}  // namespace relic86
