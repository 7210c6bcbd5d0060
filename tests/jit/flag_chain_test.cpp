// Flags that several instructions make together, at the end of a block: the same on both engines, and no call of C++.
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kRounds = 100;

struct Outcome {
  u32 sum = 0;  // of the images of the flags
  u64 flattens = 0;
};

// A function of these instructions is called with ever other operands in EAX and EDX; its flags are pushed and added
// up.
Outcome flags_after(const std::vector<u8>& body, bool translated) {
  CpuTestMachine machine;
  machine.flat32();
  std::vector<u8> code{0xB9, kRounds, 0,    0,    0,                 // mov ecx, rounds
                       0x69, 0xC1,    0x35, 0x71, 0x1B, 0x9D,        // 1005: imul eax, ecx, 9D1B7135h
                       0x8D, 0x94,    0xC8, 0x11, 0x22, 0x33, 0x84,  // lea edx, [eax + ecx * 8 + 84332211h]
                       0x85, 0xC0,                                   // test eax, eax
                       0xE8, 0x08,    0x00, 0x00, 0x00,              // call 1021h
                       0x9C, 0x5B,    0x01, 0xDE,                    // pushf; pop ebx; add esi, ebx
                       0x49, 0x75,    0xE5, 0xF4};                   // dec ecx; jnz 1005h; hlt
  code.insert(code.end(), body.begin(), body.end());
  code.push_back(0xC3);
  machine.write(machine.linear_ip(), code);
  Outcome outcome;
  if (translated) {
    jit::Translator translator(machine.cpu(), machine.bus(), jit::eager_options());
    EXPECT_EQ(translator.run(1'000'000), ExitReason::Halted);
    EXPECT_GT(translator.statistics().translated, 0u);
    outcome.flattens = translator.statistics().flattens;
  } else {
    EXPECT_EQ(machine.run(1'000'000), ExitReason::Halted);
  }
  outcome.sum = static_cast<u32>(machine.reg(kEsi));
  return outcome;
}

TEST(FlagChain, BecomesAnImageWithoutACall) {
  const std::vector<u8> bodies[] = {
      {0x31, 0xC2, 0xC1, 0xC0, 0x09},              // xor edx, eax; rol eax, 9
      {0x01, 0xC2, 0xC1, 0xC8, 0x09},              // add edx, eax; ror eax, 9
      {0x29, 0xC2, 0xD1, 0xC0},                    // sub edx, eax; rol eax, 1
      {0x01, 0xC2, 0x66, 0xC1, 0xC8, 0x11},        // add edx, eax; ror ax, 17
      {0x01, 0xC2, 0xC0, 0xC4, 0x08},              // add edx, eax; rol ah, 8
      {0x01, 0xC2, 0x0F, 0xA3, 0xD0},              // add edx, eax; bt eax, edx
      {0x21, 0xC2, 0x0F, 0xBA, 0xE8, 0x23},        // and edx, eax; bts eax, 35
      {0x01, 0xC2, 0xF9},                          // add edx, eax; stc
      {0x01, 0xC2, 0x0F, 0xBA, 0xF8, 0x05, 0x40},  // add edx, eax; btc eax, 5; inc eax
      {0x01, 0xC2, 0xC1, 0xC0, 0x03, 0x4A},        // add edx, eax; rol eax, 3; dec edx
      {0x0F, 0xA3, 0xD0},                          // bt eax, edx, on top of the caller's
      {0xC1, 0xC0, 0x09},                          // rol eax, 9, the same
  };
  for (const std::vector<u8>& body : bodies) {
    const Outcome expected = flags_after(body, false), found = flags_after(body, true);
    EXPECT_EQ(found.sum, expected.sum) << static_cast<unsigned>(body[0]) << " " << body.size();
    EXPECT_LT(found.flattens, 10u) << static_cast<unsigned>(body[0]) << " " << body.size();
  }
}

// The next block asks for an INC's or DEC's flags on top of others, all of them or by a condition that reads CF, too.
TEST(FlagChain, CountsOnTopOfOthersAreReadWithoutACall) {
  const std::vector<u8> fulls[] = {
      {0x50, 0x81, 0x24, 0x24, 0xD5, 0x08, 0x00, 0x00, 0x9D},  // push eax; and [esp], 8D5h; popf
      {0x39, 0xD0},                                            // cmp eax, edx
      {0x01, 0xC2},                                            // add edx, eax
      {0x09, 0xC2}};                                           // or edx, eax
  const std::vector<u8> counts[] = {{0x40}, {0x48}, {0x66, 0x40}, {0x66, 0x48}, {0xFE, 0xC0}, {0xFE, 0xC8}};
  const std::vector<u8> readers[] = {{0x9C, 0x5B},         // pushf; pop ebx
                                     {0x0F, 0x96, 0xC3},   // setbe bl
                                     {0x0F, 0x9F, 0xC3}};  // setg bl
  for (const auto& full : fulls) {
    for (const auto& count : counts) {
      for (const auto& reader : readers) {
        std::vector<u8> body{0x25, 0xFF, 0x0F, 0x00, 0x80};  // and eax, 80000FFFh: often at a border
        body.insert(body.end(), full.begin(), full.end());
        body.insert(body.end(), count.begin(), count.end());
        body.insert(body.end(), {0xEB, 0x00});  // jmp to the next instruction
        body.insert(body.end(), reader.begin(), reader.end());
        body.insert(body.end(), {0x01, 0xDE});  // add esi, ebx
        const Outcome expected = flags_after(body, false), found = flags_after(body, true);
        EXPECT_EQ(found.sum, expected.sum)
            << unsigned{full[0]} << ' ' << unsigned{count[0]} << ' ' << unsigned{reader[0]};
        EXPECT_LT(found.flattens, 10u) << unsigned{full[0]} << ' ' << unsigned{count[0]} << ' ' << unsigned{reader[0]};
      }
    }
  }
}

}  // namespace

}  // namespace relic86
