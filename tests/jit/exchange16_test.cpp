// CMPXCHG16B in translated code, against the interpreter: both outcomes, the flags that it leaves alone, places that lie
// in the code's own page, at a page's end, unaligned, absent, and at no address.
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "jit/x64/host_instructions.h"
#include "tests/cpu/long_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u64 kData = 0x200000, kRounds = 60;

class ExchangeMachine : public LongMachine {
 public:
  // The loop exchanges at kData, and in its last three rounds at `last`.
  explicit ExchangeMachine(u64 last) {
    code({0x41, 0x83, 0xFB, 0x03,        // cmp r11d, 3
          0x49, 0x0F, 0x44, 0xFE,        // cmove rdi, r14
          0xF0, 0x48, 0x0F, 0xC7, 0x0F,  // lock cmpxchg16b [rdi]
          0x9C, 0x41, 0x5C,              // pushfq; pop r12
          0x4F, 0x8D, 0x6C, 0x6D, 0x00,  // lea r13, [r13 + r13 * 2]
          0x4D, 0x01, 0xE5,              // add r13, r12
          0x48, 0xFF, 0xC3,              // inc rbx
          0x41, 0xFF, 0xCB,              // dec r11d
          0x75, 0xE0, 0xF4});            // jnz to the first; hlt
    poke<u64>(kData, 0x0123456789ABCDEF);
    poke<u64>(kData + 8, 0xFEDCBA9876543210);
    reg(kEbx) = 0x8000000000000001;
    reg(kEcx) = 0x7000000000000002;
    reg(kEdi) = kData;
    state().gpr[11] = kRounds;
    state().gpr[14] = last;
  }
};

class Exchange16 : public testing::TestWithParam<bool> {};

TEST_P(Exchange16, DoesWhatTheInterpreterDoes) {
  constexpr u64 kInCodePage = 0x1800, kAtPageEnd = kData + 0xFF0, kUnaligned = kData + 8, kOverTwoPages = kData + 0xFF8;
  constexpr u64 kAbsent = 0x7F0000000000, kNoAddress = 0x8000000000000000, kUnalignedNoAddress = kNoAddress + 1;
  for (const u64 last :
       {kData, kInCodePage, kAtPageEnd, kUnaligned, kOverTwoPages, kAbsent, kNoAddress, kUnalignedNoAddress}) {
    SCOPED_TRACE(testing::Message() << std::hex << last);
    ExchangeMachine left(last), right(last);
    jit::TranslatorOptions options = jit::eager_options();
    options.exchange16 = GetParam();
    jit::Translator translator(right.cpu(), right.bus(), options);
    const ExitReason reason = left.run(10'000);
    ASSERT_EQ(translator.run(10'000), reason);
    EXPECT_EQ(left.cpu().instruction_count(), right.cpu().instruction_count());
    EXPECT_EQ(left.state().gpr, right.state().gpr);
    EXPECT_EQ(left.state().rip, right.state().rip);
    EXPECT_EQ(left.cpu().fault().vector, right.cpu().fault().vector);
    for (const u64 place : {kData, kInCodePage, kAtPageEnd}) {
      for (const u64 half : {u64{0}, u64{8}}) {
        const u32 at = static_cast<u32>(place + half);
        EXPECT_EQ(left.peek<u64>(at), right.peek<u64>(at)) << at;
      }
    }
    if (last != kData || !jit::x64::host_has_compare_exchange16()) continue;
    EXPECT_EQ(reason, ExitReason::Halted);
    EXPECT_EQ(right.peek<u64>(kData + 8), 0x7000000000000002u);
    const u64 handled = translator.statistics().cold_calls;
    if (GetParam()) {
      EXPECT_LT(handled, kRounds / 2);
    } else {
      EXPECT_GE(handled, kRounds / 2);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Switch, Exchange16, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& on) { return on.param ? "Host" : "Handler"; });

}  // namespace

}  // namespace relic86
