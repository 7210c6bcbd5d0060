// Regions on both ways: what a loop over several blocks computes does not depend on them, wherever slices end, whatever
// it writes over, and which of its ways it takes.
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kCode = 0x1000, kData = 0x30000, kRounds = 3000;

// 1000: add eax, ecx
// 1002: test cl, 3
// 1005: jnz 100C
// 1007: add [ebx], eax
// 1009: jmp 100F
// 100B: nop
// 100C: add [ebx+4], ecx
// 100F: add ebp, 3
// 1012: dec ecx
// 1013: jnz 1000
// 1015: hlt
constexpr std::initializer_list<u8> kLoop = {0x01, 0xC8, 0xF6, 0xC1, 0x03, 0x75, 0x05, 0x01, 0x03, 0xEB, 0x04,
                                             0x90, 0x01, 0x4B, 0x04, 0x83, 0xC5, 0x03, 0x49, 0x75, 0xEB, 0xF4};

struct Case {
  bool regions;
  u32 threshold;
};

class Region : public testing::TestWithParam<Case> {
 protected:
  Region() {
    machine_.flat32(kCode);
    machine_.code(kLoop);
    machine_.reg(kEbx) = kData;
    machine_.reg(kEcx) = kRounds;
    jit::TranslatorOptions options = jit::eager_options();
    options.regions = GetParam().regions;
    options.region_threshold = GetParam().threshold;
    translator_ = std::make_unique<jit::Translator>(machine_.cpu(), machine_.bus(), options);
  }
  // Slices of all lengths, so that the loop is left and entered anywhere.
  void run(u64 longest = 97) {
    u64 ran = machine_.cpu().instruction_count(), budget = 1;
    const u64 before = ran;
    ExitReason reason = ExitReason::BudgetSpent;
    while (reason == ExitReason::BudgetSpent) {
      reason = translator_->run(budget);
      ran += budget;
      if (reason == ExitReason::BudgetSpent) {
        EXPECT_EQ(machine_.cpu().instruction_count(), ran);
      }
      budget = budget % longest + 1;
      if (ran - before > 10'000) longest = 5000;
    }
    EXPECT_EQ(reason, ExitReason::Halted);
  }
  void expect_sums() {
    u32 eax = 0, often = 0, seldom = 0;
    for (u32 ecx = kRounds; ecx != 0; --ecx) {
      eax += ecx;
      if ((ecx & 3) != 0) {
        often += ecx;
      } else {
        seldom += eax;
      }
    }
    EXPECT_EQ(machine_.state().gpr32(kEax), eax);
    EXPECT_EQ(machine_.state().gpr32(kEbp), 3 * kRounds);
    EXPECT_EQ(machine_.peek<u32>(kData), seldom);
    EXPECT_EQ(machine_.peek<u32>(kData + 4), often);
  }

  CpuTestMachine machine_;
  std::unique_ptr<jit::Translator> translator_;
};

TEST_P(Region, ComputesTheSame) {
  run();
  expect_sums();
  EXPECT_EQ(translator_->statistics().regions != 0, GetParam().regions);
}

TEST_P(Region, AccessesOverTwoPages) {
  for (const u32 place : {kData - 4, kData - 2}) {
    machine_.state().rip = kCode;
    machine_.state().halted = false;
    machine_.reg(kEbx) = place;
    machine_.reg(kEcx) = kRounds;
    machine_.reg(kEax) = 0;
    machine_.poke<u64>(place, 0);
    while (translator_->run(777) == ExitReason::BudgetSpent) {
    }
    const u32 sum = kRounds * (kRounds + 1) / 2;
    EXPECT_EQ(machine_.state().gpr32(kEax), sum);
    EXPECT_EQ(machine_.peek<u32>(place + 4), sum - 4 * (kRounds / 4) * (kRounds / 4 + 1) / 2);
  }
}

// 1000: mov eax, [ebx+8]
// 1003: test al, 7
// 1005: jnz 1009
// 1007: add edi, eax
// 1009: mov ebx, [ebx]
// 100B: dec ecx
// 100C: jnz 1000
// 100E: hlt
// The region, which leaves out the ADD, is shorter than the head's own translation, and leads to it whenever the two
// accesses lie in two pages. Where the slice has room for the one and not for the other, the interpreter goes on.
TEST_P(Region, IsLeftForALongerBlockAtTheEndOfASlice) {
  constexpr u32 kNode = kData - 4;
  machine_.code({0x8B, 0x43, 0x08, 0xA8, 0x07, 0x75, 0x02, 0x01, 0xC7, 0x8B, 0x1B, 0x49, 0x75, 0xF2, 0xF4});
  machine_.reg(kEbx) = kNode;
  machine_.reg(kEdi) = 0;
  machine_.poke<u32>(kNode, kNode);
  machine_.poke<u32>(kNode + 8, 1);
  run();
  EXPECT_EQ(machine_.state().gpr32(kEdi), 0u);
  EXPECT_EQ(machine_.state().gpr32(kEax), 1u);
  EXPECT_EQ(translator_->statistics().regions != 0, GetParam().regions);
}

// 1000: mov edx, 5
// 1005: add eax, edx
// 1007: dec edx
// 1008: jnz 1005
// 100A: add ebp, 3
// 100D: dec ecx
// 100E: jnz 1000
// 1010: hlt
// Around the inner loop, which is one block, goes a path that comes back to its head.
TEST_P(Region, GoesRoundALoopOfOneBlock) {
  machine_.code({0xBA, 5, 0, 0, 0, 0x01, 0xD0, 0x4A, 0x75, 0xFB, 0x83, 0xC5, 0x03, 0x49, 0x75, 0xF0, 0xF4});
  run();
  EXPECT_EQ(machine_.state().gpr32(kEax), 15 * kRounds);
  EXPECT_EQ(machine_.state().gpr32(kEbp), 3 * kRounds);
}

// 1000: test cl, 7
// 1003: jnz 1008
// 1005: add eax, ecx
// 1007: nop
// 1008: inc edx
// 1009: dec ecx
// 100A: jnz 1000
// 100C: hlt
// Seven times of eight one way, then the other, which the first path may have taken.
TEST_P(Region, ASecondOneGoesThroughTheFirst) {
  machine_.code({0xF6, 0xC1, 0x07, 0x75, 0x03, 0x01, 0xC8, 0x90, 0x42, 0x49, 0x75, 0xF4, 0xF4});
  machine_.reg(kEdx) = 0;
  run();
  EXPECT_EQ(machine_.state().gpr32(kEax), 8 * (kRounds / 8) * (kRounds / 8 + 1) / 2);
  EXPECT_EQ(machine_.state().gpr32(kEdx), kRounds);
}

// A bus master changes an instruction in the middle of the region while it is hot.
TEST_P(Region, DiesWithAnyOfItsBlocks) {
  for (unsigned i = 0; i < 40; ++i) ASSERT_EQ(translator_->run(171), ExitReason::BudgetSpent);
  const u32 left = machine_.state().gpr32(kEcx), ebp = machine_.state().gpr32(kEbp);
  ASSERT_GT(left, 100u);
  machine_.poke<u8>(kCode + 0x11, 5);  // add ebp, 5
  while (translator_->run(171) == ExitReason::BudgetSpent) {
  }
  const u32 added = machine_.state().gpr32(kEbp) - ebp;
  EXPECT_GE(added, 5 * (left - 1));
  EXPECT_LE(added, 5 * left);
  EXPECT_EQ(translator_->statistics().regions_died != 0, GetParam().regions);
}

// The program writes over a later block of its own region in each round: what was written last runs.
TEST_P(Region, WritesOverItself) {
  // 1000: mov [1013], cl
  // 1006: test cl, 1
  // 1009: jnz 100F
  // 100B: xor edi, edi
  // 100D: nop
  // 100E: nop
  // 100F: nop
  // 1010: nop
  // 1011: add eax, imm8 that is written
  // 1014: loop 1000
  // 1016: hlt
  machine_.write(kCode, std::vector<u8>{0x88, 0x0D, 0x13, 0x10, 0x00, 0x00, 0xF6, 0xC1, 0x01, 0x75, 0x04, 0x31,
                                        0xFF, 0x90, 0x90, 0x90, 0x90, 0x83, 0xC0, 0x00, 0xE2, 0xEA, 0xF4});
  machine_.reg(kEax) = 0;
  run();
  u32 eax = 0;
  for (u32 ecx = kRounds; ecx != 0; --ecx) eax += static_cast<u32>(static_cast<i8>(ecx));
  EXPECT_EQ(machine_.state().gpr32(kEax), eax);
}

// A fault in the middle: the exception's handler halts, with everything in its place.
TEST_P(Region, FaultsInTheMiddle) {
  machine_.state().segment[kDs].limit = kData + 3;  // [ebx+4] is beyond it
  derive_limits(machine_.state(), machine_.state().segment[kDs]);
  machine_.cpu().update_mode();
  machine_.reg(kEcx) = 4 * 64;
  // Only multiples of four come first: test cl, 3 becomes test cl, 0 until the last round.
  machine_.poke<u8>(kCode + 4, 0);
  for (unsigned i = 0; i < 30; ++i) ASSERT_EQ(translator_->run(40), ExitReason::BudgetSpent);
  machine_.poke<u8>(kCode + 4, 0x20);
  while (translator_->run(40) == ExitReason::BudgetSpent) {
  }
  EXPECT_EQ(machine_.peek<u32>(machine_.state().gpr32(kEsp) + 4), kCode + 0x0Cu);  // EIP, below the error code
  EXPECT_NE(machine_.state().gpr32(kEcx) & 0x20, 0u);
}

TEST_P(Region, SingleStepsAndBreakpoints) {
  while (machine_.state().gpr32(kEcx) > kRounds / 2) ASSERT_EQ(translator_->run(500), ExitReason::BudgetSpent);
  translator_->set_breakpoints({LinAddr(kCode + 0x0C)});
  ExitReason reason = ExitReason::BudgetSpent;
  for (unsigned i = 0; i < 10 && reason == ExitReason::BudgetSpent; ++i) reason = translator_->run(500);
  ASSERT_EQ(reason, ExitReason::Breakpoint);
  EXPECT_EQ(machine_.state().rip, kCode + 0x0Cu);
  (void)translator_->single_step();
  EXPECT_EQ(machine_.state().rip, kCode + 0x0Fu);
  translator_->set_breakpoints({});
  run(97);
}

INSTANTIATE_TEST_SUITE_P(Switch, Region, testing::Values(Case{false, 1000}, Case{true, 0}, Case{true, 50}));

}  // namespace

}  // namespace relic86
