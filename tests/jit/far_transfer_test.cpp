// JMP, CALL and RET far between flat 32-bit code and a code segment with a base and a limit of its own, as DOS extenders
// and programs with an LDT have them: by translated code, once the descriptors are known, exact to the limit.
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {
namespace {

constexpr u32 kTarget = 0x20000, kRounds = 500;
constexpr u16 kSelector = 0x18;
constexpr u32 kEntry = CpuTestMachine::kGdt + kSelector;

u64 code_descriptor(u32 base, u32 limit) {
  return u64{base >> 24} << 56 | u64{0x40 | (limit >> 16)} << 48 | u64{0x9B} << 40 | u64{base & 0xFFFFFF} << 16 |
         (limit & 0xFFFF);
}

class FarTransfer : public testing::TestWithParam<bool> {
 protected:
  FarTransfer() {
    m_.flat32();
    m_.state().gdtr.limit = kSelector + 7;
    m_.poke<u64>(kEntry, code_descriptor(kTarget, 0x0F));
    m_.write(kTarget, std::vector<u8>{0x83, 0xC0, 0x03, 0xCB});  // add eax, 3; retf
  }
  // mov ecx, rounds; again: call far 18h:offset; EDI; dec ecx; jnz again; hlt
  void rounds(u32 offset) {
    m_.code({0xB9, kRounds & 0xFF, kRounds >> 8, 0, 0, 0x9A, static_cast<u8>(offset), static_cast<u8>(offset >> 8), 0,
             0, kSelector, 0, 0x47, 0x49, 0x75, 0xF5, 0xF4});
  }
  bool run() {
    if (!GetParam()) return m_.run(1'000'000) == ExitReason::Halted;
    jit::Translator translator(m_.cpu(), m_.bus(), jit::eager_options());
    const bool halted = translator.run(1'000'000) == ExitReason::Halted;
    EXPECT_GT(translator.statistics().translated, 0u);
    transfers_ = translator.statistics().transfers;
    return halted;
  }

  CpuTestMachine m_;
  u64 transfers_ = 0;
};

TEST_P(FarTransfer, BetweenFlatCodeAndALimitIsNoCallOfCpp) {
  rounds(0);
  ASSERT_TRUE(run());
  EXPECT_EQ(m_.reg(kEax), 3u * kRounds);
  EXPECT_EQ(m_.reg(kEdi), u64{kRounds});
  EXPECT_EQ(m_.reg(kEsp), 0x8000u);
  EXPECT_EQ(m_.state().segment[kCs].selector.raw, 0x08);
  EXPECT_EQ(m_.state().segment[kCs].limit, 0xFFFFFFFFu);
  EXPECT_LT(transfers_, 50u);
}

// The code makes its own segment end at the byte before the RETF, in the last round but one hundred.
TEST_P(FarTransfer, IsExactToTheLimit) {
  rounds(0);
  m_.write(kTarget, std::vector<u8>{0x83, 0xF9, 0x64, 0x75, 0x07,              // cmp ecx, 100; jne
                                    0xC6, 0x05, 0x18, 0x00, 0xF0, 0x00, 0x0E,  // mov byte [entry], 0Eh
                                    0x83, 0xC0, 0x03, 0xCB});                  // add eax, 3; retf
  ASSERT_TRUE(run());
  // The descriptor counts from the next load on: the fault is that of fetching RETF one round later.
  EXPECT_EQ(m_.reg(kEcx), 99u);
  EXPECT_EQ(m_.reg(kEax), 3u * (kRounds - 98));
  EXPECT_EQ(m_.linear_ip(), CpuTestMachine::kHandler + 1);
  EXPECT_EQ(m_.peek<u32>(static_cast<u32>(m_.reg(kEsp)) + 4), 0x0Fu) << "EIP";
  EXPECT_EQ(m_.peek<u32>(static_cast<u32>(m_.reg(kEsp)) + 8) & 0xFFFF, kSelector);
}

TEST_P(FarTransfer, BeyondTheLimitFaultsAtTheCall) {
  m_.poke<u64>(kEntry, code_descriptor(kTarget, 0x103));
  m_.write(kTarget + 0x100, std::vector<u8>{0x83, 0xC0, 0x03, 0xCB});
  // mov ecx, rounds; again: cmp ecx, 50; jne +10; mov word [entry], 0FFh; ...
  m_.code({0xB9, kRounds & 0xFF, kRounds >> 8, 0,    0,    0x83, 0xF9, 0x32, 0x75, 0x09, 0x66, 0xC7,      0x05,
           0x18, 0x00,           0xF0,         0x00, 0xFF, 0x00, 0x9A, 0x00, 0x01, 0,    0,    kSelector, 0,
           0x47, 0x49,           0x75,         0xE7, 0xF4});
  ASSERT_TRUE(run());
  EXPECT_EQ(m_.reg(kEcx), 50u);
  EXPECT_EQ(m_.linear_ip(), CpuTestMachine::kHandler + 1);
  EXPECT_EQ(m_.peek<u32>(static_cast<u32>(m_.reg(kEsp))), 0u) << "error code";
  EXPECT_EQ(m_.peek<u32>(static_cast<u32>(m_.reg(kEsp)) + 4), 0x1013u) << "EIP of the CALL";
  EXPECT_EQ(m_.reg(kEdi), u64{kRounds} - 50);
}

INSTANTIATE_TEST_SUITE_P(Engines, FarTransfer, testing::Bool(),
                         [](const auto& engine) { return engine.param ? "Translator" : "Interpreter"; });

}  // namespace
}  // namespace relic86
