// Branches of translated code to places that are unusual.
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "tests/cpu/long_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

TEST(IndirectBranch, ToLinearZeroWithoutATlbEntry) {
  // The lookup's sum of entry and address is 0 there: no empty slot may take it for its own.
  CpuTestMachine m;
  m.flat32();
  jit::Translator translator(m.cpu(), m.bus(), jit::eager_options());
  m.poke<u8>(0, 0xF4);                                       // hlt
  m.code({0x31, 0xC9, 0x31, 0xFF,                            // xor ecx, ecx; xor edi, edi
          0x41, 0xB8, 0x16, 0x10, 0x00, 0x00,                // 1004: inc ecx; mov eax, 1016h
          0x81, 0xF9, 0xC8, 0x00, 0x00, 0x00,                // cmp ecx, 200
          0x0F, 0x44, 0xC7, 0xFF, 0xE0, 0x90, 0xEB, 0xEC});  // cmove eax, edi; jmp eax; nop; 1016: jmp 1004
  EXPECT_EQ(translator.run(100'000), ExitReason::Halted);
  EXPECT_EQ(m.state().eip(), 1u);
  EXPECT_EQ(m.state().gpr32(kEcx), 200u);
  EXPECT_GT(translator.statistics().translated, 0u);
}

// An SMI's handler is 16-bit code, whose targets have no upper half, whatever 64-bit code left where targets are kept.
TEST(IndirectBranch, OfSystemManagementModeAfter64BitCode) {
  constexpr u32 kHandler = 0x38000;
  LongMachine m;
  CpuState& s = m.state();
  jit::Translator translator(m.cpu(), m.bus(), jit::eager_options());
  s.rip = LongMachine::kHigh + LongMachine::kCode;
  m.write(LongMachine::kCode, std::vector<u8>{0x48, 0x8D, 0x05, 0x02, 0x00, 0x00, 0x00,  // lea rax, [rip+2]
                                              0xFF, 0xE0,                                // jmp rax
                                              0x48, 0xFF, 0xC1,                          // inc rcx
                                              0xEB, 0xF2});                              // jmp back to the LEA
  m.write(kHandler, std::vector<u8>{0xB9, 0x00, 0x00,                                    // mov cx, 0
                                    0x66, 0xB8, 0x0B, 0x80, 0x00, 0x00,                  // mov eax, 800Bh
                                    0xFF, 0xE0,                                          // jmp ax
                                    0x41, 0x83, 0xF9, 0x64,                              // inc cx; cmp cx, 100
                                    0x75, 0xF2,                                          // jne back to the MOV
                                    0xF4});                                              // hlt
  EXPECT_EQ(translator.run(1000), ExitReason::BudgetSpent);
  EXPECT_GT(translator.statistics().translated, 0u);
  m.cpu().request(kPendingSmi);
  EXPECT_EQ(translator.run(100'000), ExitReason::Halted);
  EXPECT_TRUE(s.in_smm);
  EXPECT_EQ(s.rip, 0x8012u);
  EXPECT_EQ(s.gpr32(kEcx) & 0xFFFF, 100u);
}

// IP 0 lies within a page: a branch back over it leads to the end of the 64 KB.
TEST(DirectBranch, BackOverOffset0) {
  for (const u8 opcode : {u8{0xEB}, u8{0x74}, u8{0x72}}) {  // jmp, jz, jc
    CpuTestMachine m;
    jit::Translator translator(m.cpu(), m.bus(), jit::eager_options());
    m.real_mode(0x0688, 0);
    const std::vector<u8> first = {0x31, 0xD2, 0xF9, opcode, 0xEC};  // xor dx, dx; stc; branch to FFF1h
    m.write(0x6880, first);
    const std::vector<u8> second = {0x41, 0x83, 0xF9, 0x64, 0x75, 0x09, 0xF4};  // inc cx; cmp cx, 100; jne 0; hlt
    m.write(0x6880 + 0xFFF1, second);
    EXPECT_EQ(translator.run(100'000), ExitReason::Halted);
    EXPECT_EQ(m.state().eip(), 0xFFF8u);
    EXPECT_EQ(m.state().gpr32(kEcx), 100u);
    EXPECT_GT(translator.statistics().translated, 0u);
  }
}

}  // namespace

}  // namespace relic86
