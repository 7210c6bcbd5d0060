// Processor models: what CPUID, CR4, MSRs and the decoder make of them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace relic86 {
namespace {

constexpr int kInvalidOpcode = 6, kGeneralProtection = 13;

CpuModel made(std::string_view text) {
  auto model = make_cpu_model(text);
  EXPECT_TRUE(model.ok()) << text;
  return model.value();
}

// Ends with the vector that the code led to, or -1 for its own HLT.
int outcome(const char* model, std::initializer_list<u8> bytes, u32 ecx = 0, u32 eax = 0, u32 edx = 0) {
  ProtectedMachine machine(model);
  machine.reg(kEcx) = ecx, machine.reg(kEax) = eax, machine.reg(kEdx) = edx;
  machine.code(bytes);
  return machine.run_to_handler();
}

struct Msrs {
  explicit Msrs(const char* model) : machine(model) {}
  bool write(u32 number, u64 value) {
    start({0x0F, 0x30, 0xF4}, number);
    machine.reg(kEax) = static_cast<u32>(value), machine.reg(kEdx) = value >> 32;
    return step();
  }
  bool read(u32 number, u64& value) {
    start({0x0F, 0x32, 0xF4}, number);
    const bool good = step();
    value = machine.reg(kEdx) << 32 | machine.reg(kEax);
    return good;
  }
  u64 value(u32 number) {
    u64 result = 0;
    EXPECT_TRUE(read(number, result)) << number;
    return result;
  }
  void start(std::initializer_list<u8> bytes, u32 number) {
    machine.state().rip = 0x1000;
    machine.state().halted = false;
    machine.reg(kEsp) = 0x8000;
    machine.code(bytes);
    machine.reg(kEcx) = number;
  }
  bool step() {
    machine.run(1);
    return machine.state().eip() == 0x1002;
  }
  CpuTestMachine& base() { return machine; }
  struct Flat : CpuTestMachine {
    explicit Flat(const char* model) : CpuTestMachine(model) { flat32(); }
  } machine;
};

TEST(CpuModels, NamesAreFoundAndListed) {
  const std::string text = cpu_models_text();
  for (const char* name :
       {"386", "486", "pentium", "pentium-mmx", "pentium2", "pentium3", "pentium4", "qemu32", "qemu64", "max"}) {
    EXPECT_NE(find_cpu_model(name), nullptr) << name;
    EXPECT_NE(text.find(std::string("  ") + name + " "), std::string::npos) << name;
  }
  EXPECT_EQ(made("").name, kDefaultCpuModel);
  EXPECT_FALSE(make_cpu_model("z80").ok());
}

TEST(CpuModels, FeaturesGoOnAndOffWithTheirInstructions) {
  const CpuModel less = made("pentium3,-sse,fxsr=off");
  EXPECT_EQ(less.features_edx & (kCpuidSse | kCpuidFxsr), 0u);
  EXPECT_EQ(less.instructions & feature_bit(Feature::Sse), 0u);
  const CpuModel more = made("pentium3,+sse2,umip=on");
  EXPECT_FALSE(make_cpu_model("pentium3,+no-such-thing").ok());
  EXPECT_NE(more.instructions & feature_bit(Feature::Sse2), 0u);
  EXPECT_EQ(more.structured_ecx, u32{kCpuidUmip});
  EXPECT_EQ(more.last_basic_leaf(), 7u);
  EXPECT_EQ(made("pentium3").last_basic_leaf(), 2u);
}

// Which leaks of speculative execution a model does not have (SDM 4, IA32_ARCH_CAPABILITIES).
TEST(CpuModels, ArchCapabilitiesNameWhatNeedsNoDetour) {
  constexpr u32 kArchCapabilities = 0x10A;
  Msrs most("max");
  const u64 immunities = most.value(kArchCapabilities);
  EXPECT_EQ(immunities, u64{kRdctlNo | kSkipL1dFlush | kMdsNo | kPageSizeMcNo | kTaaNo});
  EXPECT_FALSE(most.write(kArchCapabilities, immunities));
  EXPECT_EQ(made("max").structured_edx, u32{kCpuidArchCapabilities});
  EXPECT_EQ(made("max,-rdctl-no,-mds-no").immunities & (kRdctlNo | kMdsNo), 0u);
  u64 value = 0;
  EXPECT_FALSE(Msrs("qemu64").read(kArchCapabilities, value));
}

// How software tells the generations before CPUID (Intel AP-485): which of EFLAGS.AC and ID can be set.
TEST(CpuModels, FlagsThatTellTheGenerations) {
  struct Row {
    const char* model;
    u32 flags;
  };
  for (const Row& row : {Row{"386", 0}, Row{"pentium", kAC | kID}, Row{"pentium3", kAC | kID}}) {
    CpuTestMachine m(row.model);
    m.real_mode(0x1000, 0x0100);
    m.reg(kEsp) = 0x8000;
    m.code({0x66, 0x68, 0x02, 0x02, 0x24, 0x00, 0x66, 0x9D});  // push 240202h; popfd
    m.run(2);
    EXPECT_EQ(m.cpu().eflags() & (kAC | kID), row.flags) << row.model;
  }
}

TEST(CpuModels, PropertiesAreTakenOrRefused) {
  const CpuModel model = made("qemu64,vendor=GenuineIntel,family=6,model=8,stepping=10,phys-bits=36");
  EXPECT_EQ(std::string_view(model.vendor.data()), "GenuineIntel");
  EXPECT_EQ(model.signature(), 0x68Au);
  EXPECT_FALSE(make_cpu_model("max,vendor=Intel").ok());
  EXPECT_FALSE(make_cpu_model("max,family=300").ok());
  EXPECT_FALSE(make_cpu_model("max,stepping=x").ok());
}

TEST(CpuModels, WhatAModelLacksIsUndefined) {
  EXPECT_EQ(outcome("386", {0x0F, 0xC8, 0xF4}), kInvalidOpcode);                 // BSWAP
  EXPECT_EQ(outcome("386", {0x0F, 0xA2, 0xF4}), kInvalidOpcode);                 // CPUID
  EXPECT_EQ(outcome("486", {0x0F, 0x31, 0xF4}), kInvalidOpcode);                 // RDTSC
  EXPECT_EQ(outcome("pentium", {0x0F, 0x44, 0xC1, 0xF4}), kInvalidOpcode);       // CMOVZ
  EXPECT_EQ(outcome("pentium", {0x0F, 0x77, 0xF4}), kInvalidOpcode);             // EMMS
  EXPECT_EQ(outcome("pentium3", {0x0F, 0xAE, 0x38, 0xF4}), kInvalidOpcode);      // CLFLUSH
  EXPECT_EQ(outcome("qemu32", {0x0F, 0x01, 0xCA, 0xF4}), kInvalidOpcode);        // CLAC
  EXPECT_EQ(outcome("qemu32", {0x0F, 0x01, 0xC8, 0xF4}), kInvalidOpcode);        // MONITOR
  EXPECT_EQ(outcome("qemu32", {0x0F, 0x01, 0xF9, 0xF4}), kInvalidOpcode);        // RDTSCP
  EXPECT_EQ(outcome("qemu32", {0xF3, 0x0F, 0xB8, 0xC1, 0xF4}), kInvalidOpcode);  // POPCNT
  EXPECT_EQ(outcome("pentium3", {0x0F, 0x0D, 0x0B, 0xF4}), kInvalidOpcode);      // PREFETCHW
  for (const char* model : {"qemu64", "max"}) EXPECT_EQ(outcome(model, {0x0F, 0x0D, 0x0B, 0xF4}), -1) << model;
  for (const char* model : {"486", "max"}) EXPECT_EQ(outcome(model, {0x0F, 0xC8, 0xF4}), -1) << model;
  EXPECT_EQ(outcome("max", {0x0F, 0x01, 0xCA, 0x0F, 0x01, 0xF9, 0xF4}), -1);
  EXPECT_EQ(outcome("max", {0x66, 0x0F, 0x01, 0xCA, 0xF4}), kInvalidOpcode);
}

// max follows the host; a model that people name is what its name says, or is refused.
TEST(CpuModels, HostsWithoutSse4) {
  const auto fitted = [](const char* description, HostUnits units) {
    CpuModel model = make_cpu_model(description).value();
    const Result<> fits = fit_to_host(model, units);
    return fits.ok() ? fmt::format("{:x}", model.features_ecx & (kCpuidSse41 | kCpuidSse42)) : fits.error().message;
  };
  const HostUnits all, without42 = masked_host_units(all, "-sse4.2").value(),
                       none = masked_host_units(all, "-ssse3").value();
  EXPECT_EQ(fitted("max", all), "180000");
  EXPECT_EQ(fitted("max", without42), "80000");
  EXPECT_EQ(fitted("max", none), "0");
  EXPECT_EQ(fitted("Nehalem", all), "180000");
  EXPECT_EQ(fitted("qemu64", none), "0");
  EXPECT_EQ(fitted("Nehalem,-sse4.2", without42), "80000");
  EXPECT_EQ(fitted("Nehalem", without42),
            "-cpu Nehalem: sse4.2 is left to the host, which has none; add ',-sse4.2' or choose qemu64");
}

TEST(CpuModels, HostsWithoutAesPclmulqdqOrSha) {
  const HostUnits all, none = masked_host_units(all, "-aes,-pclmulqdq,-sha-ni").value();
  EXPECT_EQ(none, (HostUnits{.aes = false, .pclmulqdq = false, .sha = false}));
  CpuModel model = make_cpu_model("max").value(), named = make_cpu_model("Nehalem,+aes").value();
  EXPECT_TRUE(fit_to_host(named, all).ok());
  EXPECT_FALSE(fit_to_host(named, none).ok());
  const FeatureSet wanted = feature_bit(Feature::Aes) | feature_bit(Feature::Pclmulqdq) | feature_bit(Feature::Sha);
  EXPECT_EQ(model.instructions & wanted, wanted);
  ASSERT_TRUE(fit_to_host(model, none).ok());
  EXPECT_EQ(model.instructions & wanted, 0u);
  EXPECT_EQ(model.features_ecx & (kCpuidAes | kCpuidPclmulqdq), 0u);
  EXPECT_EQ(model.structured_ebx & kCpuidSha, 0u);
}

TEST(CpuModels, Cr4HasTheBitsOfTheFeatures) {
  EXPECT_EQ(find_cpu_model("386")->cr4_bits(), 0u);
  EXPECT_EQ(find_cpu_model("pentium")->cr4_bits(), 0x5Fu);
  EXPECT_EQ(find_cpu_model("pentium3")->cr4_bits(), 0x7FFu);
  EXPECT_EQ(find_cpu_model("max")->cr4_bits(), 0x371FFFu);
  EXPECT_EQ(outcome("qemu32", {0x0F, 0x22, 0xE0, 0xF4}, 0, 1u << 11), kGeneralProtection);
  EXPECT_EQ(outcome("max", {0x0F, 0x22, 0xE0, 0xF4}, 0, 1u << 11), -1);
}

TEST(CpuModels, UmipHidesTheTablesFromUsers) {
  for (const auto& code : {std::vector<u8>{0x0F, 0x01, 0x05, 0, 0x20, 0, 0}, {0x0F, 0x00, 0xC8}, {0x0F, 0x01, 0xE0}}) {
    for (const bool on : {false, true}) {
      ProtectedMachine machine("max");
      machine.state().cr4 = on ? 1u << 11 : 0;
      machine.ring3({0x90});
      machine.write(machine.linear_ip(), code);
      machine.poke<u8>(machine.linear_ip() + static_cast<u32>(code.size()), 0xCE);  // INTO: nothing
      machine.run(1);
      EXPECT_EQ(machine.state().mode.cpl == 0, on);
    }
  }
}

TEST(CpuModels, PopcntCountsAndSetsZf) {
  ProtectedMachine machine("max");
  machine.reg(kEcx) = 0xF0F0F001, machine.reg(kEax) = 0xAAAAAAAA;
  machine.code({0xF3, 0x66, 0x0F, 0xB8, 0xC1, 0xF3, 0x0F, 0xB8, 0xD1, 0xF3, 0x0F, 0xB8, 0xDB});
  machine.run(2);
  EXPECT_EQ(machine.reg(kEax), 0xAAAA0005u);
  EXPECT_EQ(machine.reg(kEdx), 13u);
  EXPECT_EQ(machine.cpu().eflags() & kArithmeticFlags, 0u);
  machine.reg(kEbx) = 0;
  machine.run(1);
  EXPECT_EQ(machine.cpu().eflags() & kArithmeticFlags, u32{kZF});
}

TEST(CpuModels, MovntiIsOfSse2AndUsesNoUnit) {
  EXPECT_EQ(outcome("pentium3", {0x0F, 0xC3, 0x00, 0xF4}), kInvalidOpcode);
  EXPECT_EQ(outcome("qemu32", {0x66, 0x0F, 0xC3, 0x00, 0xF4}), kInvalidOpcode);
  EXPECT_EQ(outcome("qemu32", {0x0F, 0xC3, 0xC0, 0xF4}), kInvalidOpcode);
  ProtectedMachine machine("qemu32");
  machine.reg(kEax) = 0x3000, machine.reg(kEdx) = 0x12345678;
  machine.state().cr0 |= 0xC;  // EM, TS
  machine.state().cr4 = 0;
  machine.code({0x0F, 0xC3, 0x10, 0xF4});
  EXPECT_EQ(machine.run_to_handler(), -1);
  EXPECT_EQ(machine.peek<u32>(0x3000), 0x12345678u);
}

TEST(CpuModels, MwaitSleepsOnlyWhenArmedAndInterruptible) {
  for (const u32 flags : {0u, u32{kIF}}) {
    ProtectedMachine machine("max");
    machine.cpu().set_eflags(flags);
    machine.reg(kEax) = 0x3000;
    machine.code({0x0F, 0x01, 0xC9, 0x0F, 0x01, 0xC8, 0x0F, 0x01, 0xC9});
    machine.run(1);
    EXPECT_FALSE(machine.state().halted);
    machine.run(2);
    EXPECT_EQ(machine.state().halted, flags != 0);
  }
}

// A model without EFER has no such register to write, whatever the value.
TEST(ModelSpecificRegisters, EferIsThereOrNot) {
  EXPECT_FALSE(Msrs("pentium3").write(0xC0000080, 0));
  EXPECT_TRUE(Msrs("qemu64").write(0xC0000080, 0));
}

TEST(ModelSpecificRegisters, MachineCheckBanks) {
  Msrs msrs("pentium3");
  EXPECT_EQ(msrs.value(0x179) & 0xFF, 4u);
  EXPECT_TRUE(msrs.write(0x400, ~u64{0}));
  EXPECT_EQ(msrs.value(0x400), ~u64{0});
  EXPECT_FALSE(msrs.write(0x400, 5));
  EXPECT_TRUE(msrs.write(0x401, 0));
  EXPECT_FALSE(msrs.write(0x401, 1));
  EXPECT_TRUE(msrs.write(0x40F, 0x123456789));
  EXPECT_EQ(msrs.value(0x40F), 0x123456789u);
  u64 value = 0;
  EXPECT_FALSE(msrs.read(0x410, value));
}

TEST(ModelSpecificRegisters, TscAndItsAdjustmentMoveTogether) {
  Msrs msrs("max");  // the clock stands
  EXPECT_TRUE(msrs.write(0x10, 1000));
  EXPECT_EQ(msrs.value(0x3B), 1000u);
  EXPECT_TRUE(msrs.write(0x3B, 1500));
  EXPECT_EQ(msrs.value(0x10), 1500u);
  Msrs older("pentium3");
  u64 value = 0;
  EXPECT_FALSE(older.read(0x3B, value));
}

TEST(ModelSpecificRegisters, OthersBelongToTheirParts) {
  u64 value = 0;
  Msrs p6("pentium3"), p5("pentium"), amd("qemu64");
  EXPECT_TRUE(p6.write(0x186, 0x410000));
  EXPECT_EQ(p6.value(0x186), 0x410000u);
  EXPECT_TRUE(p6.read(0x2A, value));
  EXPECT_FALSE(p5.read(0x186, value));
  EXPECT_FALSE(p5.read(0x1B, value));
  EXPECT_TRUE(amd.write(0xC0010004, 7));
  EXPECT_EQ(amd.value(0xC0010004), 7u);
  EXPECT_FALSE(p6.read(0xC0010004, value));
  EXPECT_FALSE(p6.read(0x12345, value));
  EXPECT_FALSE(p6.write(0x277, 0x02));   // PAT: reserved type
  EXPECT_FALSE(p6.write(0x200, 0x03));   // MTRR: reserved type
  EXPECT_FALSE(p6.write(0x200, 0x806));  // reserved bits
  EXPECT_FALSE(p6.write(0x201, 0xC00));
  EXPECT_TRUE(p6.write(0x201, 0xF00000800));
}

}  // namespace
}  // namespace relic86
