// JMP and CALL far through memory with REX.W, by both engines: m16:64 on Intel's parts (SDM 2, JMP, CALL). AMD's have
// no such operand: they read m16:32 (APM 3, JMP far, CALL far).
#include <gtest/gtest.h>

#include <string>

#include "jit/translator.h"
#include "tests/cpu/long_machine.h"
#include "tests/jit/eager_options.h"

namespace relic86 {
namespace {

// QEMU's own model of AMD's vendor is no part, and does as QEMU does.
constexpr const char* kIntels[] = {"qemu64,vendor=GenuineIntel,family=6,model=26", "qemu64"};
constexpr const char* kOfAmd[] = {"Opteron_G1", "qemu64,vendor=AuthenticAMD,family=26,model=2",
                                  "qemu64,vendor=HygonGenuine,family=24,model=0"};
constexpr u32 kPointers = 0x3000, kPointerBytes = 16, kRounds = 40;
constexpr u32 kAgain = 0x4000, kEnd = 0x5000, kStack = 0x8000;
constexpr u16 kCode64 = 0x18;

struct Case {
  u8 operation;  // ModRM of [RSI]
  bool translated;
};

// Where the last pointer leads: to the HLT at the end, or to that of the handler.
struct Arrival {
  u64 rip = 0;
  u32 vector = 0, error = 0;
  bool operator==(const Arrival&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Arrival& arrival) {
  return out << std::hex << arrival.rip << " vector " << arrival.vector << " error " << arrival.error;
}
constexpr Arrival kAtEnd{kEnd + 1, 0, 0}, kAtHighEnd{LongMachine::kHigh + kEnd + 1, 0, 0};

class FarPointer : public testing::TestWithParam<Case> {
 protected:
  // A loop goes round by pointers of the vendor's form; the last one is wide or narrow.
  static Arrival arrival(const char* model, bool own_form_is_wide, bool last_is_wide) {
    LongMachine machine(model);
    machine.poke<u64>(CpuTestMachine::kGdt + kCode64, 0x00AF9B000000FFFF);
    machine.state().gdtr.limit = kCode64 + 7;
    for (const Vector vector : {Vector::GeneralProtection, Vector::PageFault}) {
      const auto number = static_cast<u32>(vector);
      const u32 gate = CpuTestMachine::kIdt + number * 16, handler = CpuTestMachine::kHandler + number;
      machine.poke<u64>(gate, u64{handler >> 16} << 48 | u64{0x8E00} << 32 | u64{kCode64} << 16 | (handler & 0xFFFF));
      machine.poke<u64>(gate + 8, 0);
      machine.poke<u8>(handler, 0xF4);
    }
    for (u32 round = 1; round < kRounds; round++) put_pointer(machine, round, own_form_is_wide, kAgain);
    put_pointer(machine, kRounds, last_is_wide, kEnd);
    machine.code({0x48, 0x83, 0xC6, kPointerBytes,                         // add rsi, 16
                  0x48, 0xFF, GetParam().operation});                      // jmp or call far [rsi], REX.W
    machine.write(kAgain, std::vector<u8>{0xE9, 0xFB, 0xCF, 0xFF, 0xFF});  // jmp kCode
    machine.poke<u8>(kEnd, 0xF4);
    machine.state().gpr[kEsi] = kPointers;
    machine.state().gpr[kEsp] = kStack;
    constexpr u64 kMost = 10'000;
    if (GetParam().translated) {
      jit::Translator translator(machine.cpu(), machine.bus(), jit::eager_options());
      EXPECT_EQ(translator.run(kMost), ExitReason::Halted);
      EXPECT_GT(translator.statistics().translated, 0u);
    } else {
      EXPECT_EQ(machine.run(kMost), ExitReason::Halted);
    }
    EXPECT_EQ(machine.state().gpr[kEsi], kPointers + kRounds * kPointerBytes);
    EXPECT_EQ(machine.state().segment[kCs].selector.raw, kCode64);
    const u64 rip = machine.state().rip;
    if (rip == kAtEnd.rip || rip == kAtHighEnd.rip) return {rip, 0, 0};
    const auto vector = static_cast<u32>(rip - 1 - CpuTestMachine::kHandler);
    return {0, vector, machine.peek<u32>(static_cast<u32>(machine.state().gpr[kEsp]))};
  }

 private:
  // m16:64 to the upper half of the addresses, where the word that m16:32 has its selector in is none; or m16:32, which
  // as m16:64 leads to addresses that have no page.
  static void put_pointer(LongMachine& machine, u32 number, bool wide, u32 target) {
    const u32 at = kPointers + number * kPointerBytes;
    machine.poke<u64>(at, wide ? LongMachine::kHigh + target : u64{kCode64} << 32 | target);
    machine.poke<u16>(at + 8, kCode64);
  }
};

std::string case_name(const testing::TestParamInfo<Case>& each) {
  const char* const engine = each.param.translated ? "Translated" : "Interpreted";
  return std::string(each.param.operation == 0x2E ? "Jump" : "Call") + engine;
}

INSTANTIATE_TEST_SUITE_P(Either, FarPointer,
                         testing::Values(Case{0x2E, false}, Case{0x2E, true}, Case{0x1E, false}, Case{0x1E, true}),
                         case_name);

TEST_P(FarPointer, IsM16With64OnIntelsParts) {
  for (const char* const model : kIntels) {
    SCOPED_TRACE(model);
    EXPECT_EQ(arrival(model, true, true), kAtHighEnd);
    const Arrival narrow = arrival(model, true, false);
    EXPECT_EQ(narrow.vector, static_cast<u32>(Vector::PageFault));
    constexpr u32 kFetch = 1u << 4;  // EFER.NXE is set: the error code tells
    EXPECT_EQ(narrow.error, kFetch);
  }
}

TEST_P(FarPointer, IsM16With32OnAmdsParts) {
  constexpr u32 kNoSelector = LongMachine::kHigh >> 32 & 0xFFFC;
  for (const char* const model : kOfAmd) {
    SCOPED_TRACE(model);
    EXPECT_EQ(arrival(model, false, false), kAtEnd);
    EXPECT_EQ(arrival(model, false, true), (Arrival{0, static_cast<u32>(Vector::GeneralProtection), kNoSelector}));
  }
}

}  // namespace
}  // namespace relic86
