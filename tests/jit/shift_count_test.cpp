// Counts of shifts in 64-bit code: those of bytes have five bits with REX.W, too, so that 20h is none and leaves the
// flags alone.
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "tests/cpu/long_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u64 kBudget = 100'000;
constexpr u32 kRounds = 100;

// loop: XOR EBX,EBX; the shift of AL; SETZ DL; ADD DH,DL; DEC R8D; JNZ loop; HLT. DH counts the rounds in which ZF has
// come through.
u64 rounds_with_zf(std::initializer_list<u8> shift) {
  LongMachine m;
  std::vector<u8> code = {0x31, 0xDB};
  code.insert(code.end(), shift);
  code.insert(code.end(), {0x0F, 0x94, 0xC2, 0x00, 0xD6, 0x41, 0xFF, 0xC8, 0x75});
  code.push_back(static_cast<u8>(-static_cast<int>(code.size() + 1)));
  code.push_back(0xF4);
  m.write(LongMachine::kCode, code);
  m.reg(kEax) = 0x5A;
  m.reg(kEdx) = 0;
  m.state().gpr[8] = kRounds;
  jit::Translator translator(m.cpu(), m.bus(), jit::eager_options());
  (void)translator.run(kBudget);
  EXPECT_TRUE(m.state().halted);
  EXPECT_GT(translator.statistics().translated, 0u);
  return m.reg(kEdx) >> 8 & 0xFF;
}

TEST(ShiftCount, OfABytePassesFlagsOnIfItIsNone) {
  EXPECT_EQ(rounds_with_zf({0x48, 0xC0, 0xE8, 0x20}), kRounds);  // SHR AL,20h with REX.W
  EXPECT_EQ(rounds_with_zf({0x48, 0xC0, 0xE0, 0x60}), kRounds);  // SHL AL,60h
  EXPECT_EQ(rounds_with_zf({0xC0, 0xE8, 0x20}), kRounds);
  EXPECT_EQ(rounds_with_zf({0x48, 0xC1, 0xE9, 0x40}), kRounds);  // SHR RCX,40h
  EXPECT_EQ(rounds_with_zf({0x48, 0xC0, 0xC8, 0x20}), kRounds);  // ROR AL,20h
}

}  // namespace

}  // namespace relic86
