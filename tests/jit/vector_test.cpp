// Instructions with a VEX prefix, and comparisons of vectors, in both engines: what the host's YMM registers must not
// lose, and where the translator has to leave an instruction to its handler.
#include <gtest/gtest.h>

#include <cstring>

#include "cpu/control_bits.h"
#include "jit/translator.h"
#include "tests/cpu/long_machine.h"
#include "tests/cpu/protected_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u64 kAllStates = 7, kSseState = 3;
constexpr u64 kBudget = 1'000'000;
constexpr int kInvalidOpcode = 6;

bool host_has_avx2() { return present_host_units().avx2; }

void enable_avx(CpuTestMachine& m) {
  m.state().cr4 |= kCr4OsFxsr | kCr4OsXsave;
  m.state().xcr0 = kAllStates;
  m.state().cr0 &= ~u64{0xC};
  m.cpu().update_mode();
}

void fill(CpuState& state, unsigned number, u8 low, u8 high) {
  std::memset(state.fx.xmm[number].bytes, low, sizeof state.fx.xmm[number].bytes);
  std::memset(state.ymm_high[number].bytes, high, sizeof state.ymm_high[number].bytes);
}
bool holds(const FxState::Slot& slot, u8 value) {
  for (const u8 byte : slot.bytes) {
    if (byte != value) return false;
  }
  return true;
}

// By parameter with the interpreter or the translator, which begins at once and checks its IR.
class VectorTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!host_has_avx2()) GTEST_SKIP() << "the host has no AVX2";
  }
  void run(CpuTestMachine& m) {
    if (!GetParam()) {
      (void)m.run(kBudget);
      return;
    }
    jit::Translator translator(m.cpu(), m.bus(), jit::eager_options());
    (void)translator.run(kBudget);
    EXPECT_GT(translator.statistics().translated, 0u);
  }
};

// loop: VMOVDQU YMM0,[RSI]; VPADDB YMM1,YMM1,YMM0; ADD RSI,32; DEC ECX; JNZ loop; HLT
constexpr std::initializer_list<u8> kSum = {0xC5, 0xFE, 0x6F, 0x06, 0xC5, 0xF5, 0xFC, 0xC8, 0x48,
                                            0x83, 0xC6, 0x20, 0xFF, 0xC9, 0x75, 0xF0, 0xF4};

TEST_P(VectorTest, AddsOverPages) {
  LongMachine m("max");
  enable_avx(m);
  m.code(kSum);
  constexpr u32 kAt = 0x20000 - 13, kRounds = 600;
  for (u32 i = 0; i < kRounds * 32; ++i) m.poke<u8>(kAt + i, static_cast<u8>(i / 32 + i % 32));
  m.state().gpr[kEsi] = kAt;
  m.reg(kEcx) = kRounds;
  run(m);
  for (unsigned i = 0; i < 32; ++i) {
    const u8 sum = static_cast<u8>(kRounds * (kRounds - 1) / 2 + kRounds * i);
    const CpuState& s = m.state();
    EXPECT_EQ(i < 16 ? s.fx.xmm[1].bytes[i] : s.ymm_high[1].bytes[i - 16], sum) << i;
  }
}

// The access that ends in a page that is not there changes nothing, and CR2 is that page's first address.
TEST_P(VectorTest, FaultsOnTheSecondPage) {
  LongMachine m("max");
  enable_avx(m);
  m.code(kSum);
  constexpr u32 kAbsent = 0x600000, kRounds = 100, kFrom = kAbsent + 16 - kRounds * 32;
  m.poke<u64>(LongMachine::kTop + 0x2000 + (kAbsent >> 21) * 8, 0);
  for (u32 i = 0; i < kRounds * 32; ++i) m.poke<u8>(kFrom + i, static_cast<u8>(i / 32));
  m.state().gpr[kEsi] = kFrom;
  m.reg(kEcx) = kRounds;
  run(m);
  EXPECT_EQ(m.state().cr2, kAbsent);
  EXPECT_EQ(m.state().gpr[kEsi], kAbsent - 16);
  EXPECT_EQ(m.reg(kEcx), 1u);
  EXPECT_TRUE(holds(m.state().fx.xmm[0], kRounds - 2));
  EXPECT_TRUE(holds(m.state().ymm_high[0], kRounds - 2));
  EXPECT_TRUE(holds(m.state().ymm_high[1], static_cast<u8>((kRounds - 1) * (kRounds - 2) / 2)));
}

// loop: VPADDB YMM2,YMM2,YMM1; CPUID; VPADDB YMM2,YMM2,YMM1; DEC EBP; JNZ loop; HLT: C++ in between.
TEST_P(VectorTest, CallsKeepUpperHalves) {
  ProtectedMachine m(make_cpu_model("max").value());
  enable_avx(m);
  m.ring0({0xC5, 0xED, 0xFC, 0xD1, 0x0F, 0xA2, 0xC5, 0xED, 0xFC, 0xD1, 0x4D, 0x75, 0xF3, 0xF4});
  constexpr u32 kRounds = 100;
  m.reg(kEbp) = kRounds;
  fill(m.state(), 1, 1, 3);
  fill(m.state(), 7, 0x77, 0x78);
  fill(m.state(), 15, 0x55, 0x56);
  run(m);
  EXPECT_TRUE(holds(m.state().fx.xmm[2], static_cast<u8>(2 * kRounds)));
  EXPECT_TRUE(holds(m.state().ymm_high[2], static_cast<u8>(6 * kRounds)));
  EXPECT_TRUE(holds(m.state().ymm_high[7], 0x78));
  EXPECT_TRUE(holds(m.state().ymm_high[15], 0x56));
}

// loop: VPADDB YMM2,YMM2,YMM1; VZEROUPPER; DEC ECX; JNZ loop; HLT. Outside of 64-bit code eight registers are cleared.
TEST_P(VectorTest, ZeroUpper) {
  constexpr u32 kRounds = 50;
  ProtectedMachine narrow(make_cpu_model("max").value());
  enable_avx(narrow);
  narrow.ring0({0xC5, 0xED, 0xFC, 0xD1, 0xC5, 0xF8, 0x77, 0x49, 0x75, 0xF6, 0xF4});
  LongMachine wide("max");
  enable_avx(wide);
  wide.code({0xC5, 0xED, 0xFC, 0xD1, 0xC5, 0xF8, 0x77, 0xFF, 0xC9, 0x75, 0xF5, 0xF4});
  for (CpuTestMachine* const m : {static_cast<CpuTestMachine*>(&narrow), static_cast<CpuTestMachine*>(&wide)}) {
    m->reg(kEcx) = kRounds;
    for (unsigned i = 0; i < 16; ++i) fill(m->state(), i, 1, static_cast<u8>(i + 1));
    run(*m);
    EXPECT_TRUE(holds(m->state().fx.xmm[2], static_cast<u8>(1 + kRounds)));
    for (unsigned i = 0; i < 16; ++i) {
      const bool cleared = m == &wide || i < 8;
      EXPECT_TRUE(holds(m->state().ymm_high[i], cleared ? u8{0} : static_cast<u8>(i + 1))) << i;
    }
  }
}

// loop: VPADDB YMM2,YMM2,YMM1; DEC ECX; JNZ loop; MOV EAX,7; XOR EDX,EDX; XSAVE [3000h]; HLT
TEST_P(VectorTest, XsaveAfterwards) {
  ProtectedMachine m(make_cpu_model("max").value());
  enable_avx(m);
  m.ring0({0xC5, 0xED, 0xFC, 0xD1, 0x49, 0x75, 0xF9, 0xB8, 7,    0,    0,
           0,    0x31, 0xD2, 0x0F, 0xAE, 0x25, 0x00, 0x30, 0x00, 0x00, 0xF4});
  m.reg(kEcx) = 40;
  fill(m.state(), 1, 2, 5);
  run(m);
  constexpr u32 kArea = 0x3000, kBits = kArea + 512, kUpper = kArea + 576;
  EXPECT_EQ(m.peek<u64>(kBits) & 4, 4u);
  EXPECT_EQ(m.peek<u8>(kArea + 160 + 2 * 16), 80u);
  EXPECT_EQ(m.peek<u8>(kUpper + 2 * 16 + 15), 200u);
}

// The same code where XCR0 has AVX, and where it has not.
TEST_P(VectorTest, UndefinedWithoutXcr0) {
  ProtectedMachine m(make_cpu_model("max").value());
  enable_avx(m);
  jit::TranslatorOptions options;
  options.threshold = 2;
  jit::Translator translator(m.cpu(), m.bus(), options);
  for (const u64 states : {kAllStates, kSseState, kAllStates}) {
    m.state().xcr0 = states;
    m.ring0({0xC5, 0xED, 0xFC, 0xD1, 0x49, 0x75, 0xF9, 0xF4});
    m.reg(kEcx) = 100;
    fill(m.state(), 2, 0, 0);
    fill(m.state(), 1, 2, 5);
    (void)(GetParam() ? translator.run(kBudget) : m.run(kBudget));
    const bool undefined = states == kSseState;
    EXPECT_EQ(m.reg(kEcx), undefined ? 100u : 0u);
    EXPECT_EQ(m.linear_ip() - 1 == ProtectedMachine::handler(kInvalidOpcode), undefined);
    EXPECT_TRUE(holds(m.state().ymm_high[2], undefined ? u8{0} : static_cast<u8>(500 & 0xFF)));
  }
}

// loop: PTEST XMM0,[ESI]; SETZ AL; ADD EBX,EAX; ADD ESI,1000h; DEC ECX; JNZ loop; HLT: each page is a new one, where
// the handler does the comparison.
TEST_P(VectorTest, ComparisonsThatMissTheTlb) {
  ProtectedMachine m(make_cpu_model("max").value());
  enable_avx(m);
  m.ring0({0x66, 0x0F, 0x38, 0x17, 0x06, 0x0F, 0x94, 0xC0, 0x01, 0xC3,
           0x81, 0xC6, 0x00, 0x10, 0x00, 0x00, 0x49, 0x75, 0xED, 0xF4});
  constexpr u32 kFrom = 0x100000, kPages = 300;
  for (u32 i = 0; i < kPages; ++i) m.poke<u8>(kFrom + i * kPageSize, i % 3 == 0 ? u8{0} : u8{4});
  m.reg(kEsi) = kFrom;
  m.reg(kEcx) = kPages;
  m.reg(kEax) = m.reg(kEbx) = 0;
  fill(m.state(), 0, 4, 0);
  run(m);
  EXPECT_EQ(m.reg(kEbx), kPages / 3);
}

INSTANTIATE_TEST_SUITE_P(Engines, VectorTest, testing::Bool(), [](const testing::TestParamInfo<bool>& engine) {
  return engine.param ? "Translator" : "Interpreter";
});

}  // namespace

}  // namespace relic86
