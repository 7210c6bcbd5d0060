// 16-bit code that loads segment registers amid accesses, and accesses at the end of 64 KiB.
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

class SegmentLoad : public testing::TestWithParam<bool> {
 protected:
  SegmentLoad() {
    for (const SegmentName name : {kEs, kSs, kDs, kFs, kGs}) m_.set_segment(name, 0);
    m_.real_mode(0, 0x1000);
    m_.reg(kEsp) = 0x8000;
  }
  // Until HLT; false: not within a million instructions.
  bool run() {
    if (!GetParam()) return m_.run(1'000'000) == ExitReason::Halted;
    jit::Translator translator(m_.cpu(), m_.bus(), jit::eager_options());
    const bool halted = translator.run(1'000'000) == ExitReason::Halted;
    EXPECT_GT(translator.statistics().translated, 0u);
    cold_calls_ = translator.statistics().cold_calls;
    return halted;
  }
  // Protected mode, 200 rounds: FS from a descriptor, a byte through it, added to ESI; GS null; VERW's ZF added to EDI.
  void descriptor_rounds(bool changes_base) {
    m_.flat32();
    m_.state().gdtr.limit = 0x1F;
    m_.poke<u64>(kEntry, 0x004F93000000FFFF);  // base 0, limit FFFFFh, data, accessed
    for (u32 i = 0; i <= kLoads; ++i) m_.poke<u8>(0x20000 + i, static_cast<u8>(i));
    std::vector<u8> code{0xB9, kLoads, 0, 0, 0, 0x31, 0xF6, 0x31, 0xFF};  // mov ecx, 200; xor esi, esi; xor edi, edi
    const std::size_t top = code.size();
    const auto add = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
    if (changes_base) add({0x66, 0x89, 0x0D, 0x1A, 0x00, 0xF0, 0x00});  // mov [entry+2], cx
    add({0xB8, 0x18, 0, 0, 0, 0x8E, 0xE0});                             // mov eax, 18h; mov fs, ax
    add({0x64, 0x0F, 0xB6, 0x15, 0x00, 0x00, 0x02, 0x00, 0x01, 0xD6});  // movzx edx, byte fs:[20000h]; add esi, edx
    add({0x0F, 0x00, 0xE8, 0x0F, 0x94, 0xC3, 0x0F, 0xB6, 0xDB, 0x01, 0xDF});  // verw ax; setz bl; add edi, ebx
    add({0x31, 0xC0, 0x8E, 0xE8, 0x49, 0x75});                                // xor eax, eax; mov gs, ax; dec ecx; jnz
    add({static_cast<u8>(top - code.size() - 1), 0xF4});
    m_.write(m_.linear_ip(), code);
  }
  static constexpr u32 kEntry = CpuTestMachine::kGdt + 0x18;
  static constexpr u8 kLoads = 200;

  CpuTestMachine m_;
  u64 cold_calls_ = 0;
};

// A descriptor that changes in memory counts from the next load on.
TEST_P(SegmentLoad, TakesADescriptorThatHasChanged) {
  descriptor_rounds(true);
  ASSERT_TRUE(run());
  EXPECT_EQ(m_.reg(kEsi), u32{kLoads} * (kLoads + 1) / 2);
  EXPECT_EQ(m_.reg(kEdi), u32{kLoads});
  EXPECT_EQ(m_.state().segment[kGs].limit, 0u);
  EXPECT_EQ(m_.state().segment[kFs].base, 1u);
}

// One that stays is no call of C++.
TEST_P(SegmentLoad, KnowsADescriptorThatStays) {
  descriptor_rounds(false);
  m_.poke<u8>(kEntry + 2, 5);
  ASSERT_TRUE(run());
  EXPECT_EQ(m_.reg(kEsi), 5u * kLoads);
  EXPECT_EQ(m_.reg(kEdi), u32{kLoads});
  EXPECT_LT(cold_calls_, 5u);
}

// Each round reads through one base register before and after the load, from a page that nothing has touched yet, and
// writes there: the page that was checked for the first segment must not do for the second.
TEST_P(SegmentLoad, EndsWhatWasKnownOfThePagesOfTheOldOne) {
  constexpr u32 kRounds = 200;
  u32 expected = 0;
  for (u32 i = 1; i <= kRounds; ++i) {
    m_.poke<u16>(0x10000 + i * 0x1000, static_cast<u16>(i * 3));
    expected += i * 3;
  }
  m_.poke<u16>(0x4000, 7);
  m_.code({0xBB, 0x00, 0x40,              // mov bx, 4000h
           0xB9, 0x00, 0x0C,              // mov cx, 0C00h
           0x31, 0xF6, 0xBF, 0xC8, 0x00,  // xor si, si; mov di, 200
           0x31, 0xC0, 0x8E, 0xD8,        // 100B: xor ax, ax; mov ds, ax
           0x81, 0xC1, 0x00, 0x01,        // add cx, 100h
           0x8B, 0x07, 0x8E, 0xD9,        // mov ax, [bx]; mov ds, cx
           0x8B, 0x17, 0x89, 0x47, 0x02,  // mov dx, [bx]; mov [bx+2], ax
           0x01, 0xD6, 0x4F, 0x75, 0xEA,  // add si, dx; dec di; jnz 100B
           0xF4});
  ASSERT_TRUE(run());
  EXPECT_EQ(m_.reg(kEsi) & 0xFFFF, expected & 0xFFFF);
  for (u32 i = 1; i <= kRounds; ++i) EXPECT_EQ(m_.peek<u16>(0x10002 + i * 0x1000), 7u) << i;
  EXPECT_EQ(m_.peek<u16>(0x4002), 0u);
}

// Real mode with a limit of 4 GiB: a word at FFFFh goes on at 10000h, also when it is changed in place.
TEST_P(SegmentLoad, BigRealModeReachesOverFfff) {
  m_.set_segment(kDs, 1);  // so that the word lies within a page
  Segment& ds = m_.state().segment[kDs];
  ds.limit = 0xFFFFFFFF;
  derive_limits(m_.state(), ds);
  m_.cpu().update_mode();
  m_.code({0xBB, 0xFF, 0xFF, 0xBF, 0x2C, 0x01,  // mov bx, FFFFh; mov di, 300
           0xFF, 0x07,                          // 1006: inc word [bx]
           0x8B, 0x17, 0x89, 0x17,              // mov dx, [bx]; mov [bx], dx
           0x4F, 0x75, 0xF7, 0xF4});            // dec di; jnz 1006; hlt
  ASSERT_TRUE(run());
  EXPECT_EQ(m_.peek<u16>(0x1000F), 300u);
  EXPECT_EQ(m_.reg(kEdx) & 0xFFFF, 300u);
}

// An 80-bit number there is two accesses: the second one's offset wraps.
TEST_P(SegmentLoad, AnExponentWrapsInBigRealMode) {
  m_.state().cr0 &= ~u64{0xC};
  m_.state().fx.control = 0x37F;
  m_.set_segment(kDs, 1);
  Segment& ds = m_.state().segment[kDs];
  ds.limit = 0xFFFFFFFF;
  derive_limits(m_.state(), ds);
  m_.cpu().update_mode();
  m_.code({0xBB, 0xFC, 0xFF, 0xBF, 0x2C, 0x01,                // mov bx, FFFCh; mov di, 300
           0xD9, 0xE8, 0xDB, 0x3F, 0x4F, 0x75, 0xF9, 0xF4});  // 1006: fld1; fstp tword [bx]; dec di; jnz; hlt
  ASSERT_TRUE(run());
  EXPECT_EQ(m_.peek<u64>(0x1000C), u64{1} << 63);
  EXPECT_EQ(m_.peek<u16>(0x14), 0x3FFF);
  EXPECT_EQ(m_.peek<u16>(0x10014), 0);
}

// A limit of FFFFh: the same is a fault, each time.
TEST_P(SegmentLoad, AWordAtFfffFaults) {
  m_.poke<u32>(13 * 4, 0x00000700);
  const u8 handler[] = {0x46, 0x83, 0x06, 0x00, 0x50, 0x01,   // inc si; add word [5000h], 1
                        0x58, 0x83, 0xC0, 0x02, 0x50, 0xCF};  // pop ax; add ax, 2; push ax; iret
  m_.write(0x700, handler);
  m_.code({0xBB, 0xFF, 0xFF, 0x31, 0xF6, 0xBF, 0x2C, 0x01,  // mov bx, FFFFh; xor si, si; mov di, 300
           0x8B, 0x17, 0xFF, 0x07,                          // 1008: mov dx, [bx]; inc word [bx]
           0x4F, 0x75, 0xF9, 0xF4});                        // dec di; jnz 1008; hlt
  ASSERT_TRUE(run());
  EXPECT_EQ(m_.reg(kEsi) & 0xFFFF, 600u);
  EXPECT_EQ(m_.peek<u16>(0x5000), 600u);
}

INSTANTIATE_TEST_SUITE_P(Engines, SegmentLoad, testing::Bool(), [](const testing::TestParamInfo<bool>& engine) {
  return engine.param ? "Translator" : "Interpreter";
});

}  // namespace

}  // namespace relic86
