// Loops whose accesses stay in place: their pages are checked before the loop (jit/x64/memory_sharing.cpp).
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kRounds = 500;

// ECX rounds: add [ebx], ecx; add [ebx+4], ecx; mov eax, [esi]; add esi, 4.
class Loop : public testing::TestWithParam<bool> {
 protected:
  void run(u32 place) {
    machine_.flat32();
    machine_.code({0x01, 0x0B, 0x01, 0x4B, 0x04, 0x8B, 0x06, 0x83, 0xC6, 0x04, 0x49, 0x75, 0xF3, 0xF4});
    machine_.reg(kEbx) = place;
    machine_.reg(kEsi) = 0x50000;
    machine_.reg(kEcx) = kRounds;
    jit::TranslatorOptions options = jit::eager_options();
    options.loops = GetParam();
    jit::Translator translator(machine_.cpu(), machine_.bus(), options);
    // Slices of all lengths: the loop is left and entered anywhere.
    ExitReason reason = ExitReason::BudgetSpent;
    for (u64 budget = 1; reason == ExitReason::BudgetSpent; budget = budget % 61 + 7) reason = translator.run(budget);
    EXPECT_EQ(reason, ExitReason::Halted);
    EXPECT_GT(translator.statistics().translated, 0u);
    EXPECT_EQ(machine_.peek<u32>(place), kRounds * (kRounds + 1) / 2);
    EXPECT_EQ(machine_.peek<u32>(place + 4), kRounds * (kRounds + 1) / 2);
    EXPECT_EQ(machine_.state().gpr32(kEsi), 0x50000 + 4 * kRounds);
  }
  CpuTestMachine machine_;
};

TEST_P(Loop, PlainPage) { run(0x30000); }
TEST_P(Loop, OverTwoPages) { run(0x30FFC); }
TEST_P(Loop, OneAccessOverTwoPages) { run(0x30FFE); }
TEST_P(Loop, PageOfTheCode) { run(0x1800); }

// The count of LOOP: 16 and 32 bits, and flags that it leaves alone.
TEST_P(Loop, CountingKeepsTheFlags) {
  for (const bool narrow : {false, true}) {
    CpuTestMachine machine;
    machine.flat32();
    // 1000: stc; inc dword [ebx]; (67h) loop 1000; pushfd; hlt
    if (narrow) {
      machine.code({0xF9, 0xFF, 0x03, 0x67, 0xE2, 0xFA, 0x9C, 0xF4});
    } else {
      machine.code({0xF9, 0xFF, 0x03, 0xE2, 0xFB, 0x9C, 0xF4});
    }
    machine.reg(kEbx) = 0x30000;
    machine.poke<u32>(0x30000, 0x7FFFFFFF - kRounds);
    machine.reg(kEcx) = 0xABC00000 * (narrow ? 1u : 0u) + kRounds;
    jit::TranslatorOptions options = jit::eager_options();
    options.loops = GetParam();
    jit::Translator translator(machine.cpu(), machine.bus(), options);
    while (translator.run(1000) == ExitReason::BudgetSpent) {
    }
    EXPECT_EQ(machine.peek<u32>(0x30000), 0x7FFFFFFFu);
    EXPECT_EQ(machine.state().gpr32(kEcx), narrow ? 0xABC00000u : 0u);
    EXPECT_EQ(machine.peek<u32>(0x7FFC) & 0x8D5, u32{kCF | kPF});
  }
}

INSTANTIATE_TEST_SUITE_P(Switch, Loop, testing::Bool());

}  // namespace

}  // namespace relic86
