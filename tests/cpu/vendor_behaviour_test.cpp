#include "cpu/vendor_behaviour.h"

#include <gtest/gtest.h>

#include "tests/cpu/cpu_test_machine.h"
#include "tests/cpu/long_machine.h"

namespace relic86 {
namespace {

constexpr const char* kIntelCore = "max,vendor=GenuineIntel,family=6,model=207";
constexpr const char* kAmd25 = "max,vendor=AuthenticAMD,family=25,model=1";
constexpr const char* kAmd26 = "max,vendor=AuthenticAMD,family=26,model=2";

VendorBehaviour behaviour(const char* description) { return vendor_behaviour(make_cpu_model(description).value()); }

TEST(VendorBehaviour, FollowsVendorFamilyAndModel) {
  EXPECT_TRUE(behaviour(kIntelCore).wraps_at_4g);
  EXPECT_TRUE(behaviour("pentium4").wraps_at_4g);
  EXPECT_FALSE(behaviour("qemu32").wraps_at_4g);
  EXPECT_FALSE(behaviour("qemu64").wraps_at_4g);
  EXPECT_TRUE(behaviour("386").selectors_take_2_bytes);
  EXPECT_TRUE(behaviour("486").selectors_take_2_bytes);
  EXPECT_FALSE(behaviour("pentium").selectors_take_2_bytes);
  EXPECT_TRUE(behaviour("qemu32").selectors_take_2_bytes);
  EXPECT_FALSE(behaviour("qemu64").selectors_take_2_bytes);
  EXPECT_TRUE(behaviour("qemu64").far_pointers_of_64_bits);
  EXPECT_FALSE(behaviour("qemu64,model=106").far_pointers_of_64_bits);
  EXPECT_FALSE(behaviour("Opteron_G1").far_pointers_of_64_bits);
  EXPECT_EQ(behaviour(kAmd25).compare_order, CompareOrder::DestinationFirst);
  EXPECT_EQ(behaviour(kAmd26).compare_order, CompareOrder::SourceFirst);
}

class Machine : public CpuTestMachine {
 public:
  explicit Machine(const char* description) : CpuTestMachine(make_cpu_model(description).value()) { flat32(); }
  // The vector that the instruction faults with, 0xFF if it completes.
  unsigned step(std::initializer_list<u8> bytes) {
    code(bytes);
    const u64 before = state().rip;
    run(1);
    return state().rip == before + bytes.size() ? 0xFFu : static_cast<unsigned>(cpu().fault().vector);
  }
};

TEST(HostUnits, OnlyKnownFeaturesAreLeftOut) {
  const HostUnits all{.sse3 = true, .ssse3 = true};
  EXPECT_EQ(masked_host_units(all, "").value(), all);
  EXPECT_FALSE(masked_host_units(all, "-ssse3").value().ssse3);
  EXPECT_FALSE(masked_host_units(all, "-sse3").value().ssse3);  // what has SSSE3 has SSE3
  EXPECT_FALSE(masked_host_units(all, "-avx512f").ok());
  EXPECT_FALSE(masked_host_units(all, "+sse3").ok());
}

TEST(VendorBehaviour, AccessOverTheEndOfFourGigabytes) {
  Machine intel(kIntelCore), amd(kAmd26);
  for (Machine* const machine : {&intel, &amd}) {
    machine->poke<u16>(0, 0xBBAA);
    machine->reg(kEbx) = 0xFFFFFFFE;
  }
  EXPECT_EQ(intel.step({0x8B, 0x03}), 0xFFu);  // MOV EAX,[EBX]
  EXPECT_EQ(intel.reg(kEax) >> 16, 0xBBAAu);   // the upper half comes from address 0
  EXPECT_EQ(amd.step({0x8B, 0x03}), 13u);
}

TEST(VendorBehaviour, PushOfASegmentRegister) {
  Machine intel(kIntelCore), amd(kAmd26);
  for (Machine* const machine : {&intel, &amd}) {
    machine->poke<u32>(0x7FFC, 0xAAAAAAAA);
    EXPECT_EQ(machine->step({0x1E}), 0xFFu);  // PUSH DS
    EXPECT_EQ(machine->reg(kEsp), 0x7FFCu);
  }
  EXPECT_EQ(intel.peek<u32>(0x7FFC), 0xAAAA0010u);
  EXPECT_EQ(amd.peek<u32>(0x7FFC), 0x00000010u);
}

TEST(VendorBehaviour, PopOfASegmentRegisterAtTheLimit) {
  Machine intel(kIntelCore), amd(kAmd26);
  for (Machine* const machine : {&intel, &amd}) {
    machine->poke<u16>(0x8000, 0x10);
    machine->state().segment[kSs].limit = 0x8001;  // the selector's two bytes and no more
    derive_limits(machine->state(), machine->state().segment[kSs]);
  }
  EXPECT_EQ(intel.step({0x1F}), 0xFFu);  // POP DS
  EXPECT_EQ(intel.reg(kEsp), 0x8004u);
  EXPECT_EQ(amd.step({0x1F}), 12u);
}

TEST(VendorBehaviour, FarReturnAtTheLimit) {
  Machine intel(kIntelCore), amd(kAmd26);
  for (Machine* const machine : {&intel, &amd}) {
    machine->code({0xCB});
    machine->reg(kEsp) = 0x7FFC;
    machine->poke<u32>(0x7FFC, static_cast<u32>(machine->state().rip) + 1);
    machine->poke<u16>(0x8000, machine->state().segment[kCs].selector.raw);
    machine->state().segment[kSs].limit = 0x8001;  // the selector's two bytes and no more
    derive_limits(machine->state(), machine->state().segment[kSs]);
  }
  EXPECT_EQ(intel.step({0xCB}), 0xFFu);  // RETF
  EXPECT_EQ(intel.reg(kEsp), 0x8004u);
  EXPECT_EQ(amd.step({0xCB}), 12u);
}

TEST(VendorBehaviour, BoundWhoseUpperBoundIsOutOfReach) {
  Machine intel(kIntelCore), amd(kAmd26);
  for (Machine* const machine : {&intel, &amd}) {
    machine->reg(kEax) = 0xFFFFFFFF;  // below the lower bound, which is 0
    machine->reg(kEbx) = 0x1FFC;
    machine->state().segment[kDs].limit = 0x1FFF;
    derive_limits(machine->state(), machine->state().segment[kDs]);
  }
  EXPECT_EQ(intel.step({0x62, 0x03}), 5u);  // BOUND EAX,[EBX]
  EXPECT_EQ(amd.step({0x62, 0x03}), 13u);
}

TEST(VendorBehaviour, DoubleShiftBeyondSixteenBits) {
  Machine intel(kIntelCore), amd(kAmd26);
  for (Machine* const machine : {&intel, &amd}) {
    machine->reg(kEdi) = 0x0F70;
    EXPECT_EQ(machine->step({0x66, 0x0F, 0xA4, 0xF7, 21}), 0xFFu);  // SHLD DI,SI,21
  }
  EXPECT_EQ(intel.reg(kEdi), 0x0001u);
  EXPECT_EQ(amd.reg(kEdi), 0x0000u);
}

TEST(VendorBehaviour, FaultInARepeatedComparison) {
  Machine intel(kIntelCore), amd(kAmd26);
  for (Machine* const machine : {&intel, &amd}) {
    machine->state().segment[kDs].limit = 0x2000;  // the third byte is beyond
    derive_limits(machine->state(), machine->state().segment[kDs]);
    machine->reg(kEsi) = 0x1FFF;
    machine->reg(kEdi) = 0x3000;
    machine->reg(kEcx) = 9;
    machine->poke<u16>(0x1FFF, 0x0101);
    machine->poke<u32>(0x3000, 0x03030303);
    machine->cpu().set_eflags(2);
    machine->code({0xF2, 0xA6});  // REPNE CMPSB: 1 below 3 leaves CF
    machine->run(2);
    machine->run(1);  // the fault, found by an instruction of its own
    EXPECT_EQ(machine->cpu().fault().vector, Vector::GeneralProtection);
    EXPECT_EQ(machine->reg(kEcx), 7u);
  }
  constexpr u32 kSavedFlags = 0x8000 - 4;
  EXPECT_EQ(intel.peek<u32>(kSavedFlags) & kCF, 0u);
  EXPECT_EQ(amd.peek<u32>(kSavedFlags) & kCF, 1u);
}

// 64-bit code with 32-bit addresses that repeats no time.
TEST(VendorBehaviour, RepeatedStringInstructionOfNoCount) {
  constexpr u64 kUpper = 0x1234500000000, kRsi = kUpper | 0x2000, kRdi = kUpper | 0x3000;
  struct Case {
    u8 opcode;
    u64 rsi, rdi;  // under Intel's processor
  };
  for (const Case& each : {Case{0xA4, 0x2000, 0x3000}, {0xAB, kRsi, 0x3000}, {0xAC, kRsi, kRdi}, {0xA6, kRsi, kRdi}}) {
    SCOPED_TRACE(each.opcode);
    LongMachine intel(kIntelCore), amd(kAmd26);
    for (LongMachine* const machine : {&intel, &amd}) {
      machine->write(LongMachine::kCode, std::vector<u8>{0x67, 0xF3, each.opcode});
      machine->reg(kEcx) = kUpper;
      machine->reg(kEsi) = kRsi;
      machine->reg(kEdi) = kRdi;
      machine->step();
      EXPECT_EQ(machine->state().rip, LongMachine::kCode + 3);
    }
    EXPECT_EQ(intel.reg(kEcx), 0u);
    EXPECT_EQ(intel.reg(kEsi), each.rsi);
    EXPECT_EQ(intel.reg(kEdi), each.rdi);
    EXPECT_EQ(amd.reg(kEcx), kUpper);
    EXPECT_EQ(amd.reg(kEsi), kRsi);
    EXPECT_EQ(amd.reg(kEdi), kRdi);
  }
}

TEST(VendorBehaviour, PauseWithRexB) {
  LongMachine intel(kIntelCore), amd(kAmd26);
  for (LongMachine* const machine : {&intel, &amd}) {
    machine->write(LongMachine::kCode, std::vector<u8>{0xF3, 0x41, 0x90, 0x41, 0x90});
    machine->reg(kEax) = 1;
    machine->state().gpr[8] = 2;
    machine->step();
  }
  EXPECT_EQ(intel.reg(kEax), 1u);
  EXPECT_EQ(amd.reg(kEax), 2u);
  intel.step();  // without F3 it is XCHG for both
  EXPECT_EQ(intel.reg(kEax), 2u);
}

}  // namespace
}  // namespace relic86
