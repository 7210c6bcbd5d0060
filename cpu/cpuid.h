// Processor models as data: what CPUID says, which instructions exist, which control bits may be set.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/processor_topology.h"
#include "base/result.h"
#include "cpu/canonical.h"
#include "cpu/host_units.h"
#include "cpu/instruction_table.h"

namespace relic86 {

struct CpuModel {
  std::string name;
  std::string description;  // for -cpu help
  std::array<char, 13> vendor{};
  unsigned family = 6;
  unsigned model = 8;
  unsigned stepping = 3;
  u32 features_edx = 0;  // CPUID 1: EDX
  u32 features_ecx = 0;  // CPUID 1: ECX
  u32 extended_edx = 0;  // CPUID 80000001h: EDX
  u32 extended_ecx = 0;
  u32 structured_ebx = 0;       // CPUID 7.0: EBX
  u32 structured_ecx = 0;       // CPUID 7.0: ECX
  u32 structured_edx = 0;       // CPUID 7.0: EDX
  u32 immunities = 0;           // IA32_ARCH_CAPABILITIES (SDM 4)
  u32 xsave_eax = 0;            // CPUID 0Dh.1: EAX
  std::string brand;            // CPUID 80000002h-4h; empty: those leaves do not exist
  FeatureSet instructions = 0;  // what the decoder accepts
  ProcessorTopology topology;   // of the machine's processors
  u32 apic_id = 0;              // this processor's, as it is after reset

  bool has_cpuid() const { return (instructions & feature_bit(Feature::Cpuid)) != 0; }
  // SMI#, SMM and RSM: every part from the 486 (SL enhanced) on.
  bool has_system_management_mode() const { return (instructions & feature_bit(Feature::I80486)) != 0; }
  // EDX after reset and CPUID 1: EAX: type, family, model, stepping; families above 15 are 15 plus the extended family.
  u32 signature() const {
    const u32 extended = family > 15 ? family - 15 : 0;
    return (family - extended) << 8 | extended << 20 | (model & 15) << 4 | (model >> 4) << 16 | stepping;
  }
  u32 system_flags() const;  // system flags of EFLAGS that exist: software tells a 386 and a 486 by AC and ID
  u64 cr4_bits() const;      // bits of CR4 that may be set; 0: there is no CR4
  u64 efer_bits() const;     // bits of EFER that may be set, LMA among them; 0: there is no EFER
  bool has_long_mode() const;
  unsigned linear_bits() const;  // that can be translated
  // What registers that hold addresses can take, whatever paging there is (5-Level Paging white paper 2.2).
  LinearWidth widest_linear() const;
  bool has_giant_pages() const;    // pages of 1 GiB
  u64 xcr0_bits() const;           // bits of XCR0 that may be set; 0: there is no XSAVE
  unsigned physical_bits() const;  // MAXPHYADDR
  bool is_amd() const { return vendor[0] != 'G'; }
  u32 last_basic_leaf() const;  // CPUID 0: EAX
  bool several_in_package() const { return topology.most > 1 && topology.in_package() > 1; }
};

// Feature bits of CPUID 1 and 80000001h that the model table and +feature, -feature use.
enum CpuidEdx : u32 {
  kCpuidFpu = 1u << 0,
  kCpuidVme = 1u << 1,
  kCpuidDe = 1u << 2,
  kCpuidPse = 1u << 3,
  kCpuidTsc = 1u << 4,
  kCpuidMsr = 1u << 5,
  kCpuidPae = 1u << 6,
  kCpuidMce = 1u << 7,
  kCpuidCx8 = 1u << 8,
  kCpuidApic = 1u << 9,
  kCpuidSep = 1u << 11,
  kCpuidMtrr = 1u << 12,
  kCpuidPge = 1u << 13,
  kCpuidMca = 1u << 14,
  kCpuidCmov = 1u << 15,
  kCpuidPat = 1u << 16,
  kCpuidPse36 = 1u << 17,
  kCpuidClflush = 1u << 19,
  kCpuidMmx = 1u << 23,
  kCpuidFxsr = 1u << 24,
  kCpuidSse = 1u << 25,
  kCpuidSse2 = 1u << 26,
  kCpuidHtt = 1u << 28,  // several logical processors in a package; a matter of -smp
};
enum CpuidEcx : u32 {
  kCpuidSse3 = 1u << 0,
  kCpuidPclmulqdq = 1u << 1,
  kCpuidMonitor = 1u << 3,
  kCpuidSsse3 = 1u << 9,
  kCpuidFma = 1u << 12,
  kCpuidCmpxchg16b = 1u << 13,
  kCpuidPcid = 1u << 17,
  kCpuidSse41 = 1u << 19,
  kCpuidSse42 = 1u << 20,
  kCpuidMovbe = 1u << 22,
  kCpuidPopcnt = 1u << 23,
  kCpuidX2apic = 1u << 21,
  kCpuidTscDeadline = 1u << 24,
  kCpuidAes = 1u << 25,
  kCpuidXsave = 1u << 26,
  kCpuidOsxsave = 1u << 27,  // CR4.OSXSAVE as it is
  kCpuidAvx = 1u << 28,
  kCpuidF16c = 1u << 29,
  kCpuidRdrand = 1u << 30,
  kCpuidHypervisor = 1u << 31
};
enum CpuidExtendedEdx : u32 {  // 80000001h EDX
  kCpuidSyscall = 1u << 11,
  kCpuidNx = 1u << 20,
  kCpuidFfxsr = 1u << 25,
  kCpuidGiantPages = 1u << 26,
  kCpuidRdtscp = 1u << 27,
  kCpuidLongMode = 1u << 29,
};
enum CpuidExtendedEcx : u32 {  // 80000001h ECX
  kCpuidLahf64 = 1u << 0,
  kCpuidCmpLegacy = 1u << 1,  // AMD: those of a package are cores; a matter of -smp
  kCpuidAbm = 1u << 5,        // LZCNT
  kCpuidSse4a = 1u << 6,
  kCpuidPrefetch = 1u << 8,  // PREFETCHW
};
enum CpuidStructured : u32 {
  kCpuidFsgsbase = 1u << 0,   // EBX
  kCpuidTscAdjust = 1u << 1,  // EBX
  kCpuidBmi1 = 1u << 3,       // EBX
  kCpuidAvx2 = 1u << 5,       // EBX
  kCpuidSmep = 1u << 7,       // EBX
  kCpuidBmi2 = 1u << 8,       // EBX
  kCpuidErms = 1u << 9,       // EBX: REP MOVSB and STOSB are fast
  kCpuidInvpcid = 1u << 10,   // EBX
  kCpuidRdseed = 1u << 18,    // EBX
  kCpuidAdx = 1u << 19,       // EBX
  kCpuidSmap = 1u << 20,      // EBX
  kCpuidSha = 1u << 29,       // EBX
  kCpuidUmip = 1u << 2,       // ECX
  kCpuidLa57 = 1u << 16,      // ECX: 5-level paging
};

enum CpuidStructuredEdx : u32 {
  kCpuidArchCapabilities = 1u << 29,
};
// Of IA32_ARCH_CAPABILITIES: which leaks of speculative execution a part does not have, so that systems need no detours
// around them (SDM 4, MSR 10Ah).
enum Immunity : u32 {
  kRdctlNo = 1u << 0,
  kSkipL1dFlush = 1u << 3,
  kMdsNo = 1u << 5,
  kPageSizeMcNo = 1u << 6,
  kTaaNo = 1u << 8,
};

enum CpuidXsaveEax : u32 {  // 0Dh.1 EAX
  kCpuidXsaveopt = 1u << 0,
  kCpuidXsavec = 1u << 1,
  kCpuidXgetbv1 = 1u << 2,
};

inline constexpr std::string_view kDefaultCpuModel = "qemu32";

// A model by name; null: unknown. The names of QEMU's models are used where the part is the same.
const CpuModel* find_cpu_model(std::string_view name);
// "MODEL,+feature,-feature,feature=on|off": a model of one's own. Unknown names are an error that lists what is known.
Result<CpuModel> make_cpu_model(std::string_view description);
// Takes from `max` what this host cannot carry out; an error if another model needs it.
Result<> fit_to_host(CpuModel& model, const HostUnits& units);
// The text of -cpu help.
std::string cpu_models_text();

}  // namespace relic86
