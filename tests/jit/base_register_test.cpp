// Neighbouring accesses share one check of their page only as long as their base register keeps its value, whatever
// instruction changes it.
#include <gtest/gtest.h>

#include "jit/translator.h"
#include "tests/cpu/cpu_test_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {

namespace {

constexpr u32 kProgram = 0x1000, kData = 0x3000;

struct Change {
  const char* name;
  std::vector<u8> bytes;
  u8 base;  // the register, by number
};

const Change kChanges[] = {
    {"SLDT", {0x0F, 0x00, 0xC6}, kEsi},
    {"STR", {0x0F, 0x00, 0xCE}, kEsi},
    {"SMSW", {0x66, 0x0F, 0x01, 0xE6}, kEsi},
    {"MOV from CR2", {0x0F, 0x20, 0xD6}, kEsi},
    {"LAR", {0x0F, 0x02, 0xF1}, kEsi},
    {"LSL", {0x66, 0x0F, 0x03, 0xF1}, kEsi},
    {"ARPL", {0x63, 0xCE}, kEsi},
    {"LES", {0xC4, 0x35, 0x00, 0x50, 0x00, 0x00}, kEsi},
    {"LODSB", {0xAC}, kEsi},
    {"AAD", {0xD5, 0x0A}, kEax},
    {"DAA", {0x27}, kEax},
    {"SALC", {0xD6}, kEax},
    {"CBW", {0x66, 0x98}, kEax},
    {"MOVZX", {0x0F, 0xB6, 0xF2}, kEsi},
    {"BSWAP", {0x0F, 0xCE, 0x81, 0xE6, 0xFF, 0x0F, 0x00, 0x00}, kEsi},
    {"XADD", {0x0F, 0xC1, 0xCE}, kEsi},
    {"MUL", {0xF7, 0xE2}, kEax},
    {"DIV", {0x31, 0xD2, 0xF7, 0xF1}, kEax},
    {"CPUID", {0x0F, 0xA2, 0x81, 0xE3, 0xFF, 0x0F, 0x00, 0x00}, kEbx},
    {"POPA", {0x60, 0x61}, kEbx},
    {"FNSTSW", {0xDF, 0xE0}, kEax},
    {"LOOP", {0xE2, 0x00}, kEcx},
};

// mov dl, [base+4]; the change; mov dh, [base+8]; hlt. The bytes of memory tell where dh came from.
void prepare(CpuTestMachine& machine, const Change& change) {
  machine.flat32();
  std::vector<u8> bytes(0x10000 - kData);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(i * 37 + (i >> 8));
  machine.write(kData, bytes);
  machine.poke<u32>(0x5000, 0x4100);
  machine.poke<u16>(0x5004, 0x10);
  std::vector<u8> code{0x8A, static_cast<u8>(0x50 | change.base), 4};
  code.insert(code.end(), change.bytes.begin(), change.bytes.end());
  code.insert(code.end(), {0x8A, static_cast<u8>(0x70 | change.base), 8, 0xF4});
  machine.write(kProgram, code);
}

ExitReason run(CpuTestMachine& machine, Executor* translator, const Change& change) {
  CpuState& state = machine.state();
  state.halted = false;
  state.rip = kProgram;
  state.cr2 = 0x4200;
  for (unsigned reg = 0; reg < 8; ++reg) machine.reg(static_cast<Gpr>(reg)) = 0x10;
  machine.reg(kEsp) = 0x2F00;
  machine.reg(static_cast<Gpr>(change.base)) = kData + 0x104;
  machine.cpu().update_mode();
  return translator != nullptr ? translator->run(1000) : machine.run(1000);
}

TEST(BaseRegister, MayBeChangedByAnyInstruction) {
  for (const Change& change : kChanges) {
    CpuTestMachine expected, machine;
    jit::Translator translator(machine.cpu(), machine.bus(), jit::eager_options());
    prepare(expected, change);
    prepare(machine, change);
    for (unsigned round = 0; round < 5; ++round) {
      ASSERT_EQ(run(expected, nullptr, change), ExitReason::Halted) << change.name;
      ASSERT_EQ(run(machine, &translator, change), ExitReason::Halted) << change.name;
      for (unsigned reg = 0; reg < 8; ++reg) {
        EXPECT_EQ(machine.reg(static_cast<Gpr>(reg)), expected.reg(static_cast<Gpr>(reg))) << change.name << " " << reg;
      }
    }
    EXPECT_GT(translator.statistics().translated, 0u) << change.name;
  }
}

}  // namespace

}  // namespace relic86
