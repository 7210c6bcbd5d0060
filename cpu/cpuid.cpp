#include "cpu/cpuid.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <vector>

#include "base/log.h"
#include "base/nearest.h"
#include "cpu/control_bits.h"
#include "cpu/cpu.h"
#include "cpu/cpu_feature_names.h"
#include "cpu/cpu_model_list.h"
#include "cpu/long_mode.h"
#include "cpu/system_instructions.h"

namespace relic86 {

namespace {

constexpr std::array<char, 13> kIntel = {"GenuineIntel"};
constexpr std::array<char, 13> kAmd = {"AuthenticAMD"};

constexpr FeatureSet up_to(Feature generation) { return (feature_bit(generation) << 1) - 1; }

// CPUID bits and the instructions that come with them.
struct FeatureRow {
  std::string_view name;
  enum Register : u8 {
    Edx,
    Ecx,
    ExtendedEdx,
    ExtendedEcx,
    StructuredEbx,
    StructuredEcx,
    StructuredEdx,
    Immunities,
    XsaveEax
  } where;
  u32 bit;
  FeatureSet instructions;
};
constexpr FeatureSet insn(Feature feature) { return feature_bit(feature); }
constexpr FeatureRow kFeatures[] = {
    {"fpu", FeatureRow::Edx, kCpuidFpu, insn(Feature::Fpu)},
    {"vme", FeatureRow::Edx, kCpuidVme, 0},
    {"de", FeatureRow::Edx, kCpuidDe, 0},
    {"pse", FeatureRow::Edx, kCpuidPse, 0},
    {"tsc", FeatureRow::Edx, kCpuidTsc, insn(Feature::Tsc)},
    {"msr", FeatureRow::Edx, kCpuidMsr, insn(Feature::Msr)},
    {"pae", FeatureRow::Edx, kCpuidPae, 0},
    {"mce", FeatureRow::Edx, kCpuidMce, 0},
    {"cx8", FeatureRow::Edx, kCpuidCx8, insn(Feature::Cmpxchg8b)},
    {"apic", FeatureRow::Edx, kCpuidApic, 0},
    {"sep", FeatureRow::Edx, kCpuidSep, insn(Feature::Sysenter)},
    {"mtrr", FeatureRow::Edx, kCpuidMtrr, 0},
    {"pge", FeatureRow::Edx, kCpuidPge, 0},
    {"mca", FeatureRow::Edx, kCpuidMca, 0},
    {"cmov", FeatureRow::Edx, kCpuidCmov, insn(Feature::Cmov)},
    {"pat", FeatureRow::Edx, kCpuidPat, 0},
    {"pse36", FeatureRow::Edx, kCpuidPse36, 0},
    {"clflush", FeatureRow::Edx, kCpuidClflush, insn(Feature::Clflush)},
    {"mmx", FeatureRow::Edx, kCpuidMmx, insn(Feature::Mmx)},
    {"fxsr", FeatureRow::Edx, kCpuidFxsr, insn(Feature::Fxsr)},
    {"sse", FeatureRow::Edx, kCpuidSse, insn(Feature::Sse)},
    {"sse2", FeatureRow::Edx, kCpuidSse2, insn(Feature::Sse2)},
    {"pni", FeatureRow::Ecx, kCpuidSse3, insn(Feature::Sse3)},
    {"sse3", FeatureRow::Ecx, kCpuidSse3, insn(Feature::Sse3)},
    {"ssse3", FeatureRow::Ecx, kCpuidSsse3, insn(Feature::Ssse3)},
    {"sse4.1", FeatureRow::Ecx, kCpuidSse41, insn(Feature::Sse41)},
    {"sse4.2", FeatureRow::Ecx, kCpuidSse42, insn(Feature::Sse42)},
    {"pclmulqdq", FeatureRow::Ecx, kCpuidPclmulqdq, insn(Feature::Pclmulqdq)},
    {"aes", FeatureRow::Ecx, kCpuidAes, insn(Feature::Aes)},
    {"x2apic", FeatureRow::Ecx, kCpuidX2apic, 0},
    {"tsc-deadline", FeatureRow::Ecx, kCpuidTscDeadline, 0},
    {"fma", FeatureRow::Ecx, kCpuidFma, insn(Feature::Fma)},
    {"xsave", FeatureRow::Ecx, kCpuidXsave, insn(Feature::Xsave)},
    {"avx", FeatureRow::Ecx, kCpuidAvx, insn(Feature::Avx)},
    {"f16c", FeatureRow::Ecx, kCpuidF16c, insn(Feature::F16c)},
    {"avx2", FeatureRow::StructuredEbx, kCpuidAvx2, insn(Feature::Avx2)},
    {"erms", FeatureRow::StructuredEbx, kCpuidErms, 0},
    {"xsaveopt", FeatureRow::XsaveEax, kCpuidXsaveopt, insn(Feature::Xsaveopt)},
    {"xsavec", FeatureRow::XsaveEax, kCpuidXsavec, insn(Feature::Xsavec)},
    {"xgetbv1", FeatureRow::XsaveEax, kCpuidXgetbv1, 0},
    {"3dnowprefetch", FeatureRow::ExtendedEcx, kCpuidPrefetch, 0},
    {"hypervisor", FeatureRow::Ecx, kCpuidHypervisor, 0},
    {"monitor", FeatureRow::Ecx, kCpuidMonitor, insn(Feature::Monitor)},
    {"pcid", FeatureRow::Ecx, kCpuidPcid, 0},
    {"movbe", FeatureRow::Ecx, kCpuidMovbe, insn(Feature::Movbe)},
    {"rdrand", FeatureRow::Ecx, kCpuidRdrand, insn(Feature::Rdrand)},
    {"popcnt", FeatureRow::Ecx, kCpuidPopcnt, insn(Feature::Popcnt)},
    {"cx16", FeatureRow::Ecx, kCpuidCmpxchg16b, insn(Feature::Cmpxchg16b)},
    {"syscall", FeatureRow::ExtendedEdx, kCpuidSyscall, insn(Feature::Syscall)},
    {"nx", FeatureRow::ExtendedEdx, kCpuidNx, 0},
    {"fxsr-opt", FeatureRow::ExtendedEdx, kCpuidFfxsr, 0},
    {"pdpe1gb", FeatureRow::ExtendedEdx, kCpuidGiantPages, 0},
    {"lm", FeatureRow::ExtendedEdx, kCpuidLongMode, 0},
    {"lahf-lm", FeatureRow::ExtendedEcx, kCpuidLahf64, insn(Feature::Lahf64)},
    {"rdtscp", FeatureRow::ExtendedEdx, kCpuidRdtscp, insn(Feature::Rdtscp)},
    {"abm", FeatureRow::ExtendedEcx, kCpuidAbm, insn(Feature::Lzcnt)},
    {"sse4a", FeatureRow::ExtendedEcx, kCpuidSse4a, insn(Feature::Sse4a)},
    {"fsgsbase", FeatureRow::StructuredEbx, kCpuidFsgsbase, insn(Feature::Fsgsbase)},
    {"bmi1", FeatureRow::StructuredEbx, kCpuidBmi1, insn(Feature::Bmi1)},
    {"bmi2", FeatureRow::StructuredEbx, kCpuidBmi2, insn(Feature::Bmi2)},
    {"invpcid", FeatureRow::StructuredEbx, kCpuidInvpcid, insn(Feature::Invpcid)},
    {"rdseed", FeatureRow::StructuredEbx, kCpuidRdseed, insn(Feature::Rdseed)},
    {"adx", FeatureRow::StructuredEbx, kCpuidAdx, insn(Feature::Adx)},
    {"tsc-adjust", FeatureRow::StructuredEbx, kCpuidTscAdjust, 0},
    {"sha-ni", FeatureRow::StructuredEbx, kCpuidSha, insn(Feature::Sha)},
    {"smep", FeatureRow::StructuredEbx, kCpuidSmep, 0},
    {"smap", FeatureRow::StructuredEbx, kCpuidSmap, insn(Feature::Smap)},
    {"umip", FeatureRow::StructuredEcx, kCpuidUmip, 0},
    {"la57", FeatureRow::StructuredEcx, kCpuidLa57, 0},
    {"arch-capabilities", FeatureRow::StructuredEdx, kCpuidArchCapabilities, 0},
    {"rdctl-no", FeatureRow::Immunities, kRdctlNo, 0},
    {"skip-l1dfl-vmentry", FeatureRow::Immunities, kSkipL1dFlush, 0},
    {"mds-no", FeatureRow::Immunities, kMdsNo, 0},
    {"pschange-mc-no", FeatureRow::Immunities, kPageSizeMcNo, 0},
    {"taa-no", FeatureRow::Immunities, kTaaNo, 0},
};

u32& register_of(CpuModel& model, FeatureRow::Register where) {
  switch (where) {
    case FeatureRow::Edx: return model.features_edx;
    case FeatureRow::Ecx: return model.features_ecx;
    case FeatureRow::ExtendedEdx: return model.extended_edx;
    case FeatureRow::ExtendedEcx: return model.extended_ecx;
    case FeatureRow::StructuredEbx: return model.structured_ebx;
    case FeatureRow::StructuredEcx: return model.structured_ecx;
    case FeatureRow::StructuredEdx: return model.structured_edx;
    case FeatureRow::Immunities: return model.immunities;
    default: return model.xsave_eax;
  }
}

constexpr u32 kP5 =
    kCpuidFpu | kCpuidVme | kCpuidDe | kCpuidPse | kCpuidTsc | kCpuidMsr | kCpuidMce | kCpuidCx8 | kCpuidApic;
constexpr u32 kP6 =
    kP5 | kCpuidPae | kCpuidSep | kCpuidMtrr | kCpuidPge | kCpuidMca | kCpuidCmov | kCpuidPat | kCpuidPse36;

// Instructions that want two features.
void combine_instructions(CpuModel& model) {
  struct Pair {
    FeatureSet both;
    Feature combined;
  };
  constexpr Pair kPairs[] = {{insn(Feature::Avx) | insn(Feature::Aes), Feature::AvxAes},
                             {insn(Feature::Avx) | insn(Feature::Pclmulqdq), Feature::AvxPclmulqdq}};
  for (const Pair& pair : kPairs) {
    const bool there = (model.instructions & pair.both) == pair.both;
    model.instructions = (model.instructions & ~insn(pair.combined)) | (there ? insn(pair.combined) : 0);
  }
}

// The instructions that come with the model's feature bits.
void add_instructions(CpuModel& model) {
  for (const FeatureRow& row : kFeatures) {
    if ((register_of(model, row.where) & row.bit) != 0) model.instructions |= row.instructions;
  }
  combine_instructions(model);
}

CpuModel make(std::string name, std::string description, Feature generation, unsigned family, unsigned model,
              unsigned stepping, u32 edx, u32 ecx, u32 extended, const std::array<char, 13>& vendor = kIntel,
              std::string brand = "") {
  CpuModel result;
  result.name = std::move(name);
  result.description = std::move(description);
  result.vendor = vendor;
  result.family = family;
  result.model = model;
  result.stepping = stepping;
  result.features_edx = edx;
  result.features_ecx = ecx;
  result.extended_edx = extended;
  result.brand = std::move(brand);
  result.instructions = up_to(generation) | insn(Feature::Fpu);
  if (edx != 0) result.instructions |= insn(Feature::Cpuid);
  add_instructions(result);
  if (family >= 6) result.instructions |= insn(Feature::RdPmc);
  return result;
}

constexpr u32 kP3 = kP6 | kCpuidMmx | kCpuidFxsr | kCpuidSse;
constexpr u32 kP4 = kP3 | kCpuidSse2 | kCpuidClflush;

CpuModel make_max() {
  constexpr u32 kEcx = kCpuidSse3 | kCpuidMonitor | kCpuidSsse3 | kCpuidCmpxchg16b | kCpuidPcid | kCpuidSse41 |
                       kCpuidSse42 | kCpuidX2apic | kCpuidMovbe | kCpuidPopcnt | kCpuidTscDeadline | kCpuidRdrand |
                       kCpuidPclmulqdq | kCpuidAes | kCpuidXsave | kCpuidAvx | kCpuidF16c | kCpuidFma;
  constexpr u32 kExtended = kCpuidSyscall | kCpuidNx | kCpuidFfxsr | kCpuidGiantPages | kCpuidRdtscp | kCpuidLongMode;
  CpuModel model = make("max", "everything that relic86 has", Feature::I80486, 6, 6, 3, kP4, kEcx, kExtended, kIntel,
                        "relic86 Virtual CPU");
  model.extended_ecx = kCpuidLahf64 | kCpuidAbm | kCpuidSse4a | kCpuidPrefetch;
  model.xsave_eax = kCpuidXsaveopt | kCpuidXsavec | kCpuidXgetbv1;
  model.structured_ebx = kCpuidFsgsbase | kCpuidTscAdjust | kCpuidSmep | kCpuidInvpcid | kCpuidRdseed | kCpuidAdx |
                         kCpuidSmap | kCpuidSha | kCpuidBmi1 | kCpuidBmi2 | kCpuidAvx2 | kCpuidErms;
  model.structured_ecx = kCpuidUmip | kCpuidLa57;
  // Detours around leaks of real parts (Meltdown, MDS) protect nothing here, and cost dearly.
  model.structured_edx = kCpuidArchCapabilities;
  model.immunities = kRdctlNo | kSkipL1dFlush | kMdsNo | kPageSizeMcNo | kTaaNo;
  add_instructions(model);
  return model;
}

CpuModel make_nehalem() {
  constexpr u32 kEcx = kCpuidSse3 | kCpuidSsse3 | kCpuidCmpxchg16b | kCpuidSse41 | kCpuidSse42 | kCpuidPopcnt;
  constexpr u32 kExtended = kCpuidSyscall | kCpuidNx | kCpuidLongMode;
  CpuModel model = make("Nehalem", "Intel Core i7 9xx: x86-64-v2", Feature::I80486, 6, 26, 3, kP4, kEcx, kExtended,
                        kIntel, "relic86 Virtual CPU");
  model.extended_ecx = kCpuidLahf64;
  add_instructions(model);
  return model;
}

CpuModel make_qemu64() {
  constexpr u32 kExtended = kCpuidSyscall | kCpuidNx | kCpuidLongMode;
  CpuModel model = make("qemu64", "64-bit processor of QEMU's name", Feature::I80486, 15, 107, 1, kP4,
                        kCpuidSse3 | kCpuidCmpxchg16b, kExtended, kAmd, "relic86 Virtual CPU");
  model.extended_ecx = kCpuidLahf64;
  add_instructions(model);
  return model;
}

const std::vector<CpuModel>& models() {
  using F = Feature;
  static const std::vector<CpuModel> all = [] {
    std::vector<CpuModel> table = {
        make("386", "Intel 80386 with 80387", F::I80386, 3, 0, 8, 0, 0, 0),
        make("486", "Intel 80486 DX4, with CPUID", F::I80486, 4, 8, 0, kCpuidFpu | kCpuidVme | kCpuidPse, 0, 0),
        make("pentium", "Intel Pentium (P54C)", F::I80486, 5, 4, 3, kP5, 0, 0),
        make("pentium-mmx", "Intel Pentium with MMX (P55C)", F::I80486, 5, 4, 3, kP5 | kCpuidMmx, 0, 0),
        make("pentium2", "Intel Pentium II", F::I80486, 6, 5, 2, kP6 | kCpuidMmx | kCpuidFxsr, 0, 0),
        make("pentium3", "Intel Pentium III", F::I80486, 6, 7, 3, kP3, 0, 0),
        make("pentium4", "Intel Pentium 4", F::I80486, 15, 1, 2, kP4, 0, 0, kIntel, "Intel(R) Pentium(R) 4 CPU"),
        make("qemu32", "32-bit processor of QEMU's name", F::I80486, 6, 6, 3, kP4, kCpuidSse3, 0, kIntel,
             "relic86 Virtual CPU"),
        make("kvm32", "32-bit processor of QEMU's name for KVM", F::I80486, 15, 6, 1, kP4 & ~u32{kCpuidVme}, kCpuidSse3,
             0, kIntel, "relic86 Virtual CPU"),
        make("coreduo", "Intel Core Duo", F::I80486, 6, 14, 8, kP4, kCpuidSse3 | kCpuidMonitor, kCpuidNx, kIntel,
             "Intel(R) Core(TM) Duo processor"),
        make_qemu64(),
        make_nehalem(),
    };
    add_later_models(table);
    table.push_back(make_max());
    return table;
  }();
  return all;
}

}  // namespace

u32 CpuModel::system_flags() const {
  u32 flags = kTF | kIF | kDF | kIOPL | kNT | kRF | kVM;
  if (family >= 4) flags |= kAC;
  if (has_cpuid()) flags |= kVIF | kVIP | kID;
  return flags;
}

u64 CpuModel::cr4_bits() const {
  if (!has_cpuid()) return 0;
  u64 bits = 0;
  if ((features_edx & kCpuidVme) != 0) bits |= kCr4Vme | kCr4Pvi;
  if ((features_edx & kCpuidTsc) != 0) bits |= kCr4Tsd;
  if ((features_edx & kCpuidDe) != 0) bits |= kCr4De;
  if ((features_edx & kCpuidPse) != 0) bits |= kCr4Pse;
  if ((features_edx & kCpuidPae) != 0) bits |= kCr4Pae;
  if ((features_edx & kCpuidMce) != 0) bits |= kCr4Mce;
  if ((features_edx & kCpuidPge) != 0) bits |= kCr4Pge;
  if (family >= 6) bits |= kCr4Pce;
  if ((features_edx & kCpuidFxsr) != 0) bits |= kCr4OsFxsr;
  if ((features_edx & kCpuidSse) != 0) bits |= kCr4OsXmmExcpt;
  if ((structured_ecx & kCpuidUmip) != 0) bits |= kCr4Umip;
  if ((structured_ecx & kCpuidLa57) != 0) bits |= kCr4La57;
  if ((structured_ebx & kCpuidFsgsbase) != 0) bits |= kCr4Fsgsbase;
  if ((features_ecx & kCpuidPcid) != 0) bits |= kCr4Pcide;
  if ((structured_ebx & kCpuidSmep) != 0) bits |= kCr4Smep;
  if ((structured_ebx & kCpuidSmap) != 0) bits |= kCr4Smap;
  if ((features_ecx & kCpuidXsave) != 0) bits |= kCr4OsXsave;
  return bits;
}

u64 CpuModel::efer_bits() const {
  u64 bits = 0;
  if ((extended_edx & kCpuidSyscall) != 0) bits |= kEferSce;
  if ((extended_edx & kCpuidNx) != 0) bits |= kEferNxe;
  if ((extended_edx & kCpuidFfxsr) != 0) bits |= kEferFfxsr;
  if (has_long_mode()) bits |= kEferLme | kEferLma | kEferSce;
  return bits;
}

u64 CpuModel::xcr0_bits() const {
  if ((features_ecx & kCpuidXsave) == 0) return 0;
  const bool avx = (features_ecx & kCpuidAvx) != 0;
  return kXcr0X87 | kXcr0Sse | (avx ? u64{kXcr0Avx} : 0);
}

bool CpuModel::has_long_mode() const { return (extended_edx & kCpuidLongMode) != 0; }
unsigned CpuModel::linear_bits() const {
  constexpr unsigned kWithoutLongMode = 32;
  if (!has_long_mode()) return kWithoutLongMode;
  return (structured_ecx & kCpuidLa57) != 0 ? kWideLinearBits : kLinearBits;
}
LinearWidth CpuModel::widest_linear() const { return LinearWidth(std::max(linear_bits(), kLinearBits)); }
bool CpuModel::has_giant_pages() const { return (extended_edx & kCpuidGiantPages) != 0; }
unsigned CpuModel::physical_bits() const { return has_long_mode() ? 40 : kPhysicalBits; }

// No higher than the features need: some systems of the time stop at processors with leaves beyond 2 or 3.
u32 CpuModel::last_basic_leaf() const {
  if (features_edx == 0) return 0;
  if (has_long_mode() || (features_ecx & kCpuidXsave) != 0) return 13;
  // Leaves 4 and 0Bh say how several logical processors lie in their package.
  if (several_in_package() && (features_ecx & kCpuidX2apic) != 0) return 11;
  if ((structured_ebx | structured_ecx | structured_edx) != 0) return 7;
  if ((features_ecx & kCpuidMonitor) != 0) return 5;
  if (several_in_package() && (features_ecx & kCpuidSse3) != 0) return 4;
  return family >= 6 ? 2 : 1;
}

bool set_cpu_feature(CpuModel& model, std::string_view flag, FeatureState state) {
  const auto* const row = std::find_if(std::begin(kFeatures), std::end(kFeatures),
                                       [&](const FeatureRow& r) { return canonical_cpu_flag(r.name) == flag; });
  if (row == std::end(kFeatures)) return false;
  const bool on = state == FeatureState::On;
  u32& bits = register_of(model, row->where);
  bits = on ? bits | row->bit : bits & ~row->bit;
  model.instructions = on ? model.instructions | row->instructions : model.instructions & ~row->instructions;
  combine_instructions(model);
  return true;
}

Result<> fit_to_host(CpuModel& model, const HostUnits& units) {
  const std::pair<std::string_view, bool> kNeeded[] = {
      {"sse4.1", units.sse41},        {"sse4.2", units.sse42}, {"aes", units.aes},
      {"pclmulqdq", units.pclmulqdq}, {"sha-ni", units.sha},   {"avx", units.avx},
      {"avx2", units.avx2},           {"fma", units.fma},      {"f16c", units.f16c}};
  for (const auto& [name, there] : kNeeded) {
    const FeatureRow& row = *std::find_if(std::begin(kFeatures), std::end(kFeatures),
                                          [name = name](const FeatureRow& each) { return each.name == name; });
    u32& bits = register_of(model, row.where);
    if (there || (bits & row.bit) == 0) continue;
    if (model.name != "max")
      return Error{fmt::format("-cpu {}: {} is left to the host, which has none; add ',-{}' or choose qemu64",
                               model.name, name, name)};
    bits &= ~row.bit;
    model.instructions &= ~row.instructions;
    combine_instructions(model);
  }
  return {};
}

const CpuModel* find_cpu_model(std::string_view name) {
  for (const CpuModel& model : models()) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

namespace {

// What is no feature: vendor=, family=, model=, stepping=, model-id=. False: not one of them.
Result<bool> set_property(CpuModel& model, std::string_view name, std::string_view value) {
  const auto bad = [&](std::string_view mend) { return Error{fmt::format("-cpu: {}={}: {}", name, value, mend)}; };
  if (name == "vendor") {
    if (value.size() != 12) return bad("a vendor has twelve characters, such as GenuineIntel");
    std::copy(value.begin(), value.end(), model.vendor.begin());
    return true;
  }
  if (name == "model-id") {
    if (value.size() > 48) return bad("a name has at most 48 characters");
    model.brand = value;
    return true;
  }
  struct Row {
    std::string_view name;
    unsigned CpuModel::*member;
    unsigned most;
  };
  constexpr Row kRows[] = {
      {"family", &CpuModel::family, 15 + 255}, {"model", &CpuModel::model, 255}, {"stepping", &CpuModel::stepping, 15}};
  for (const Row& row : kRows) {
    if (row.name != name) continue;
    unsigned number = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (failure != std::errc{} || end != value.data() + value.size() || number > row.most)
      return bad(fmt::format("give a number from 0 to {}", row.most));
    model.*row.member = number;
    return true;
  }
  return false;
}

}  // namespace

namespace {

// One word after the model's name: "+sse2", "-apic", "nx", "family=6", "enforce".
struct FeatureWord {
  std::string_view name;
  std::string_view value;  // after '='
  bool assigned = false;   // there is a '='
  bool on = true;
};

Result<FeatureWord> read_feature_word(std::string_view model, std::string_view word) {
  FeatureWord feature;
  if (word.starts_with('+') || word.starts_with('-')) {
    feature.on = word[0] == '+';
    feature.name = word.substr(1);
    return feature;
  }
  const auto equals = word.find('=');
  feature.name = word.substr(0, equals);
  if (equals == std::string_view::npos) return feature;
  feature.assigned = true;
  feature.value = word.substr(equals + 1);
  feature.on = feature.value == "on" || feature.value == "yes" || feature.value == "true";
  const bool off = feature.value == "off" || feature.value == "no" || feature.value == "false";
  const bool flag = known_cpu_property(feature.name) == CpuProperty::None;
  if (flag && !feature.on && !off)
    return Error{fmt::format("-cpu {},{}: '{}' is neither on nor off", model, word, feature.value)};
  return feature;
}

Error unknown_feature(std::string_view model, std::string_view word, const std::string& flag) {
  return Error{fmt::format("-cpu {},{}: unknown feature; the nearest is {}; '-cpu help' lists those that relic86 has",
                           model, word, nearest_word(flag, known_cpu_flags()))};
}

std::vector<std::string_view> words_of(std::string_view text, char separator) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto end = text.find(separator);
    words.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return words;
}

Result<> apply_feature(CpuModel& model, std::string_view word, bool enforce) {
  const auto equals = word.find('=');
  if (equals != std::string_view::npos) {
    const auto taken = set_property(model, word.substr(0, equals), word.substr(equals + 1));
    if (!taken) return taken.error();
    if (taken.value()) return {};
  }
  const auto feature = read_feature_word(model.name, word);
  if (!feature) return feature.error();
  const std::string flag = canonical_cpu_flag(feature.value().name);
  const bool on = feature.value().on;
  if (set_cpu_feature(model, flag, on ? FeatureState::On : FeatureState::Off)) return {};
  const auto& flags = known_cpu_flags();
  const CpuProperty property = known_cpu_property(flag);
  if (std::find(flags.begin(), flags.end(), flag) == flags.end() && property == CpuProperty::None)
    return unknown_feature(model.name, word, flag);
  // As QEMU: what the emulator lacks is left out, with a warning, or with enforce it is an error.
  if (property == CpuProperty::Harmless || (!on && !feature.value().assigned) || feature.value().value == "off")
    return {};
  if (enforce)
    return Error{fmt::format("-cpu {},{}: relic86 does not have it and enforce is given; leave one of them out",
                             model.name, word)};
  log::warning(fmt::format("-cpu {}: {} is not supported and {}", model.name, feature.value().name,
                           property == CpuProperty::None ? "stays off" : "has no effect"));
  return {};
}

// "Haswell-v4", "Skylake-Client-IBRS": QEMU's versions of a model differ in mitigations, TSX and what migrates; relic86
// has the first one without these. The name as it is where it names a model.
std::string_view without_version(std::string_view name) {
  std::string_view base = name;
  for (const std::string_view ending : {"-IBRS", "-IBPB"}) {
    if (base.ends_with(ending)) base.remove_suffix(ending.size());
  }
  const auto version = base.rfind("-v");
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version != std::string_view::npos && version + 2 < base.size() &&
      std::all_of(base.begin() + static_cast<std::ptrdiff_t>(version) + 2, base.end(), is_digit))
    base = base.substr(0, version);
  constexpr std::string_view kNoTsx = "-noTSX";
  if (find_cpu_model(base) == nullptr && base.ends_with(kNoTsx)) base.remove_suffix(kNoTsx.size());
  return find_cpu_model(base) != nullptr ? base : name;
}

// Processors of QEMU's whose instructions or whose 64 bits are missing here. The names stand for their versions, too.
bool is_other_model(std::string_view name) {
  constexpr std::string_view kFamilies[] = {"Icelake-Client", "KnightsMill", "SapphireRapids", "base"};
  return std::any_of(std::begin(kFamilies), std::end(kFamilies),
                     [&](std::string_view family) { return name.starts_with(family); });
}

Error unknown_model(std::string_view name) {
  if (is_other_model(name))
    return Error{
        fmt::format("-cpu {}: relic86 does not have this processor; Haswell, EPYC-Milan and max are the largest "
                    "that it has; '-cpu help' lists them",
                    name)};
  std::vector<std::string_view> names;
  for (const CpuModel& model : models()) names.push_back(model.name);
  return Error{fmt::format("-cpu {}: unknown processor model; the nearest is {}; '-cpu help' lists them", name,
                           nearest_word(name, names))};
}

// "svm" of "-svm" and of "svm=off"; empty: the word takes nothing away.
std::string taken_away(std::string_view word) {
  if (word.starts_with('-')) return canonical_cpu_flag(word.substr(1));
  const auto equals = word.find('=');
  const bool off = equals != std::string_view::npos && word.substr(equals + 1) == "off";
  return off ? canonical_cpu_flag(word.substr(0, equals)) : std::string();
}

// What a model of this name has in QEMU and not here, and the user does not do without: of interest to those who ask
// (check), or who ask for all of it. A program that was made for AVX-512 wants to know in any case.
Result<> tell_lacks(const CpuModel& model, const std::vector<std::string_view>& words, bool enforce, bool check) {
  const std::string all = cpu_model_lacks(model.name);
  std::vector<std::string_view> lacks = words_of(all, ' ');
  // What the versions of a name add, and take away, that without_version() cuts off.
  const std::string_view named = words[0];
  if (named.find("-noTSX") != std::string_view::npos)
    std::erase_if(lacks, [](std::string_view each) { return each == "hle" || each == "rtm"; });
  if (named.ends_with("-IBRS")) lacks.push_back("spec-ctrl");
  if (named.ends_with("-IBPB")) lacks.push_back("ibpb");
  for (const std::string_view word : words) std::erase(lacks, taken_away(word));
  if (lacks.empty()) return {};
  const std::string list = fmt::format("{}", fmt::join(lacks, " "));
  if (enforce)
    return Error{
        fmt::format("-cpu {}: relic86 lacks {} of this processor and enforce is given; leave it out, or add "
                    "',-{}'",
                    model.name, list, fmt::join(lacks, ",-"))};
  const bool large = std::find(lacks.begin(), lacks.end(), "avx512f") != lacks.end();
  if (check || large) log::warning(fmt::format("-cpu {}: without {}, which relic86 lacks", model.name, list));
  return {};
}

}  // namespace

Result<CpuModel> make_cpu_model(std::string_view description) {
  std::vector<std::string_view> words = words_of(description, ',');
  if (words.empty()) words.emplace_back();
  const std::string_view name = without_version(words[0]);
  const CpuModel* base = find_cpu_model(name.empty() ? kDefaultCpuModel : name == "host" ? "max" : name);
  if (base == nullptr) return unknown_model(name);
  CpuModel model = *base;
  const auto asks = [&](std::string_view switch_name) {
    return std::any_of(words.begin() + 1, words.end(), [&](std::string_view word) {
      return word.starts_with(switch_name) && (word == switch_name || word.substr(switch_name.size()) == "=on");
    });
  };
  const bool enforce = asks("enforce");
  for (std::size_t i = 1; i < words.size(); i++) {
    if (words[i].empty() || words[i] == "enforce" || words[i].starts_with("enforce=")) continue;
    if (auto done = apply_feature(model, words[i], enforce); !done) return done.error();
  }
  if (auto done = tell_lacks(model, words, enforce, asks("check")); !done) return done.error();
  return model;
}

std::string cpu_models_text() {
  std::string text = "Available CPUs:\n";
  for (const CpuModel& model : models())
    text += fmt::format("  {:<14} {}{}\n", model.name, model.description,
                        model.name == kDefaultCpuModel ? " (default)" : "");
  text += "\nRecognized feature flags:\n ";
  for (const FeatureRow& row : kFeatures) text += fmt::format(" {}", row.name);
  return text + "\n";
}

std::vector<std::string> cpu_model_names() {
  std::vector<std::string> names;
  for (const CpuModel& model : models()) names.push_back(model.name);
  return names;
}

std::vector<std::pair<std::string, bool>> cpu_feature_states(const CpuModel& model) {
  CpuModel copy = model;
  std::vector<std::pair<std::string, bool>> states;
  for (const FeatureRow& row : kFeatures) states.emplace_back(row.name, (register_of(copy, row.where) & row.bit) != 0);
  return states;
}

namespace {

// Leaf 4 (SDM 2, CPUID): the caches, and who shares them. There are none before there are several processors in a
// package: what runs on one has never asked.
void deterministic_caches(const CpuModel& model, u32 index, u32& eax, u32& ebx, u32& ecx, u32& edx) {
  if (!model.several_in_package() || model.is_amd()) return;
  struct Cache {
    u32 type, level, ways, sets;
    bool of_package;
  };
  constexpr Cache kCaches[] = {
      {1, 1, 8, 64, false}, {2, 1, 8, 64, false}, {3, 2, 16, 4096, false}, {3, 3, 16, 16384, true}};
  if (index >= std::size(kCaches)) return;
  const Cache& cache = kCaches[index];
  constexpr u32 kSelfInitializing = 1u << 8, kLine = 64;
  const u32 ids = cache.of_package ? 1u << model.topology.package_bits() : model.topology.threads;
  const u32 cores = model.topology.cores * model.topology.dies;
  eax = cache.type | cache.level << 5 | kSelfInitializing | (ids - 1) << 14 | (cores - 1) << 26;
  ebx = (kLine - 1) | (cache.ways - 1) << 22;
  ecx = cache.sets - 1;
  edx = 0;
}

// Leaf 0Dh (SDM 1 13.2): which states XSAVE knows, and the bytes of their areas.
void extended_states(const CpuModel& model, const CpuState& state, u32& eax, u32& ebx, u32& ecx, u32& edx) {
  constexpr u32 kLegacyAndHeader = 576, kUpperHalves = 256;
  constexpr u32 kAvxPart = std::countr_zero(u64{kXcr0Avx});
  const auto bytes_of = [](u64 states) { return kLegacyAndHeader + ((states & kXcr0Avx) != 0 ? kUpperHalves : 0); };
  const u64 known = model.xcr0_bits();
  const u32 part = state.gpr32(kEcx);
  ecx = edx = 0;
  if (known == 0) return;
  if (part == 0) {
    eax = static_cast<u32>(known);
    ebx = bytes_of(state.xcr0);
    ecx = bytes_of(known);
  } else if (part == 1) {
    eax = model.xsave_eax;
    if ((eax & kCpuidXsavec) != 0) ebx = bytes_of(state.xcr0);
  } else if (part == kAvxPart && (known & kXcr0Avx) != 0) {
    eax = kUpperHalves;
    ebx = kLegacyAndHeader;
  }
}

}  // namespace

Flow cpuid(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  const CpuModel& model = cpu.model();
  const u32 most = model.last_basic_leaf();
  const u32 most_extended = model.brand.empty() ? (model.extended_edx != 0 ? 0x80000001u : 0x80000000u) : 0x80000008u;
  u32 leaf = state.gpr32(kEax);
  // Beyond the last leaf a processor of this age answers the highest basic one (SDM 2, CPUID).
  if (leaf < 0x80000000u ? leaf > most : leaf > most_extended || most_extended == 0x80000000u) leaf = most;
  u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
  const auto vendor = [&](std::size_t at) {
    u32 word = 0;
    std::memcpy(&word, model.vendor.data() + at, 4);
    return word;
  };
  switch (leaf) {
    case 0:
      eax = most;
      ebx = vendor(0);
      edx = vendor(4);
      ecx = vendor(8);
      break;
    case 1:
      eax = model.signature();
      ebx = (model.features_edx & kCpuidClflush) != 0 ? 8u << 8 : 0;  // CLFLUSH line of 64 bytes
      ecx = model.features_ecx;
      if ((state.cr4 & kCr4OsXsave) != 0) ecx |= kCpuidOsxsave;
      edx = model.features_edx;
      if ((edx & kCpuidApic) != 0) {
        const unsigned logical = model.topology.in_package();
        ebx |= logical << 16 | model.apic_id << 24;
        if (logical > 1) edx |= kCpuidHtt;
        if (cpu.apic() == nullptr || !cpu.apic()->enabled()) edx &= ~kCpuidApic;
      }
      break;
    case 2:
      if (model.is_amd()) break;
      eax = 0x03020101;  // TLB and cache descriptors: 4 KiB pages, a 512 KiB second-level cache
      edx = 0x0C040843;
      break;
    case 4: deterministic_caches(model, state.gpr32(kEcx), eax, ebx, ecx, edx); break;
    case 5:  // MONITOR: lines of 64 bytes
      if ((model.features_ecx & kCpuidMonitor) != 0) eax = ebx = 64;
      if (model.has_long_mode()) ecx = 3;  // extensions are enumerated; interrupts end MWAIT though masked
      break;
    case 6: eax = 1u << 2; break;  // the APIC timer never stops
    case 7:
      if (state.gpr32(kEcx) != 0) break;
      ebx = model.structured_ebx;
      ecx = model.structured_ecx;
      edx = model.structured_edx;
      break;
    case 13: extended_states(model, state, eax, ebx, ecx, edx); break;
    case 11:  // threads in a core, then logical processors in a package (SDM 3A 8.9.1)
      ecx = state.gpr32(kEcx) & 0xFF;
      edx = model.apic_id;
      if (ecx > 1) break;
      eax = ecx == 0 ? model.topology.thread_bits() : model.topology.package_bits();
      ebx = ecx == 0 ? model.topology.threads : model.topology.in_package();
      ecx |= (ecx + 1) << 8;
      break;
    case 0x80000000u:
      eax = most_extended;
      ebx = vendor(0);
      edx = vendor(4);
      ecx = vendor(8);
      break;
    case 0x80000001u:
      eax = model.signature();
      edx = model.extended_edx;
      ecx = model.extended_ecx;
      if (model.is_amd() && model.several_in_package()) ecx |= kCpuidCmpLegacy;
      // AMD's repeat what leaf 1 has (APM 3 E.4.2).
      if (model.is_amd() && model.has_long_mode()) edx |= model.features_edx & 0x0183F3FF;
      break;
    case 0x80000002u:
    case 0x80000003u:
    case 0x80000004u: {
      char brand[48] = {};
      std::memcpy(brand, model.brand.data(), std::min<std::size_t>(model.brand.size(), sizeof brand));
      const char* part = brand + (leaf - 0x80000002u) * 16;
      std::memcpy(&eax, part, 4);
      std::memcpy(&ebx, part + 4, 4);
      std::memcpy(&ecx, part + 8, 4);
      std::memcpy(&edx, part + 12, 4);
      break;
    }
    case 0x80000005u:  // AMD: first-level TLBs and caches, 64 KiB each (APM 3 E.4.4)
      if (!model.is_amd()) break;
      eax = ebx = 0x01FF01FF;
      ecx = edx = 0x40020140;
      break;
    case 0x80000006u:  // AMD: second-level TLB, caches of 512 KiB and 16 MiB
      if (!model.is_amd()) break;
      ebx = 0x42004200;
      ecx = 0x02008140;
      edx = 0x00808140;
      break;
    case 0x80000007u:
      // All time stamp counters count guest time, at one rate whatever the processors do (APM 3 E.4.6: TscInvariant).
      // Systems take those of several AMD processors for unsynchronized unless they are told so.
      if (model.topology.most > 1 && (model.features_edx & kCpuidTsc) != 0) edx = 1u << 8;
      break;
    case 0x80000008u:  // physical and linear address bits
      eax = model.physical_bits() | model.linear_bits() << 8;
      if (model.several_in_package()) ecx = model.topology.package_bits() << 12 | (model.topology.in_package() - 1);
      break;
    default: break;
  }
  state.set_gpr32(kEax, eax);
  state.set_gpr32(kEbx, ebx);
  state.set_gpr32(kEcx, ecx);
  state.set_gpr32(kEdx, edx);
  return Flow::Next;
}

}  // namespace relic86
