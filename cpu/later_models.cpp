// Models with long mode from Westmere and the Opterons on, by the names and features that QEMU gives them; what relic86
// lacks of these is left out (docs/conformance.md).
#include <algorithm>

#include "base/assert.h"
#include "cpu/cpu_model_list.h"

namespace relic86 {

namespace {

struct Row {
  std::string_view name, description, vendor;
  unsigned family, model, stepping;
  // Everything that the base has, and these; one with a minus is taken away.
  std::string_view base, features;
  std::string_view lacks{};  // cpu_model_lacks(), beyond the base's
};

constexpr std::string_view kIntel = "GenuineIntel", kAmd = "AuthenticAMD", kHygon = "HygonGenuine";
constexpr std::string_view kAvx512 = "avx512f avx512dq avx512bw avx512cd avx512vl pku clflushopt clwb";

constexpr std::string_view kAtom =
    "x2apic tsc-deadline xsave erms xsaveopt xsavec xgetbv1 3dnowprefetch monitor movbe rdrand pdpe1gb rdtscp fsgsbase "
    "rdseed sha-ni smep smap arch-capabilities rdctl-no skip-l1dfl-vmentry";
constexpr std::string_view kSnowridge =
    "x2apic tsc-deadline xsave erms xsaveopt xsavec xgetbv1 3dnowprefetch monitor movbe rdrand pdpe1gb rdtscp fsgsbase "
    "rdseed sha-ni smep smap umip arch-capabilities";

constexpr Row kRows[] = {
    {"athlon", "AMD Athlon with SSE2", kAmd, 6, 2, 3, "qemu32", "-pni -clflush", "mmxext 3dnow 3dnowext"},
    {"n270", "Intel Atom N270", kIntel, 6, 28, 2, "coreduo", "ssse3 movbe lahf-lm -pse36", "ss acpi"},
    {"kvm64", "64-bit processor of QEMU's name for KVM", kIntel, 15, 6, 1, "qemu64", "-lahf-lm"},
    {"Opteron_G1", "AMD Opteron 240", kAmd, 15, 6, 1, "qemu64", "-cx16 -lahf-lm"},
    {"Opteron_G2", "AMD Opteron 22xx", kAmd, 15, 6, 1, "qemu64", "", "svm"},
    {"Opteron_G3", "AMD Opteron 23xx", kAmd, 16, 2, 3, "Opteron_G2", "monitor popcnt rdtscp abm sse4a", "misalignsse"},
    {"phenom", "AMD Phenom 9550", kAmd, 16, 2, 3, "Opteron_G2", "monitor popcnt rdtscp abm sse4a fxsr-opt pdpe1gb",
     "mmxext 3dnow 3dnowext npt"},
    {"Opteron_G4", "AMD Opteron 62xx: AVX", kAmd, 21, 1, 2, "Opteron_G2",
     "ssse3 sse4.1 sse4.2 pclmulqdq aes xsave avx 3dnowprefetch popcnt pdpe1gb rdtscp abm sse4a",
     "misalignsse xop fma4 npt nrip-save"},
    {"Opteron_G5", "AMD Opteron 63xx", kAmd, 21, 2, 0, "Opteron_G4", "fma f16c", "tbm"},
    {"core2duo", "Intel Core 2 Duo T7700", kIntel, 6, 15, 11, "qemu64", "ssse3 monitor", "ss acpi"},
    {"Conroe", "Intel Celeron 4x0 (Core 2)", kIntel, 6, 15, 3, "qemu64", "ssse3 -cx16"},
    {"Penryn", "Intel Core 2 Duo P9xxx", kIntel, 6, 23, 3, "qemu64", "ssse3 sse4.1"},
    {"Westmere", "Intel Xeon 56xx: x86-64-v2 and AES", kIntel, 6, 44, 1, "Nehalem", "aes pclmulqdq"},
    {"SandyBridge", "Intel Xeon E3-12xx: AVX", kIntel, 6, 42, 1, "Westmere",
     "xsave xsaveopt avx rdtscp tsc-deadline x2apic"},
    {"IvyBridge", "Intel Xeon E3-12xx v2", kIntel, 6, 58, 9, "SandyBridge", "f16c rdrand fsgsbase smep erms"},
    {"Haswell-noTSX", "Intel Core (Haswell): x86-64-v3", kIntel, 6, 60, 1, "IvyBridge",
     "fma movbe pcid abm avx2 bmi1 bmi2 invpcid"},
    {"Haswell", "Intel Core (Haswell): x86-64-v3", kIntel, 6, 60, 4, "Haswell-noTSX", "", "hle rtm"},
    {"Broadwell-noTSX", "Intel Core (Broadwell)", kIntel, 6, 61, 2, "Haswell-noTSX", "3dnowprefetch adx rdseed smap"},
    {"Broadwell", "Intel Core (Broadwell)", kIntel, 6, 61, 2, "Broadwell-noTSX", "", "hle rtm"},
    {"Skylake-Client", "Intel Core (Skylake)", kIntel, 6, 94, 3, "Broadwell-noTSX", "xsavec xgetbv1", "hle rtm"},
    {"Skylake-Server", "Intel Xeon (Skylake), without AVX-512", kIntel, 6, 85, 4, "Skylake-Client", "pdpe1gb", kAvx512},
    {"Cascadelake-Server", "Intel Xeon (Cascade Lake), without AVX-512", kIntel, 6, 85, 6, "Skylake-Server", "",
     "avx512vnni spec-ctrl ssbd"},
    {"Cooperlake", "Intel Xeon (Cooper Lake), without AVX-512", kIntel, 6, 85, 10, "Skylake-Server",
     "arch-capabilities rdctl-no skip-l1dfl-vmentry mds-no pschange-mc-no taa-no",
     "avx512vnni avx512-bf16 spec-ctrl ssbd stibp ibrs-all"},
    {"Icelake-Server", "Intel Xeon (Icelake), without AVX-512", kIntel, 6, 134, 0, "Skylake-Server", "umip la57",
     "avx512vbmi avx512vbmi2 avx512vnni avx512bitalg avx512-vpopcntdq gfni vaes vpclmulqdq wbnoinvd spec-ctrl "
     "ssbd"},
    {"Denverton", "Intel Atom (Denverton)", kIntel, 6, 95, 1, "Westmere", kAtom, "clflushopt mpx spec-ctrl ssbd"},
    {"Snowridge", "Intel Atom (Snowridge)", kIntel, 6, 134, 1, "Westmere", kSnowridge,
     "clflushopt mpx spec-ctrl ssbd clwb cldemote gfni movdiri movdir64b split-lock-detect "
     "core-capability"},
    {"EPYC", "AMD EPYC: x86-64-v3", kAmd, 23, 1, 2, "Nehalem",
     "aes pclmulqdq monitor movbe rdrand xsave xsaveopt xsavec xgetbv1 avx avx2 f16c fma rdtscp pdpe1gb fxsr-opt abm "
     "sse4a 3dnowprefetch fsgsbase bmi1 bmi2 smep rdseed adx smap sha-ni",
     "clflushopt mmxext svm npt nrip-save misalignsse osvw topoext cr8legacy"},
    {"EPYC-Rome", "AMD EPYC-Rome", kAmd, 23, 49, 0, "EPYC", "umip",
     "clwb clzero rdpid wbnoinvd xsaves xsaveerptr perfctr-core ibpb amd-stibp"},
    {"EPYC-Milan", "AMD EPYC-Milan", kAmd, 25, 1, 1, "EPYC-Rome", "erms pcid invpcid",
     "ibrs amd-ssbd fsrm pku svme-addr-chk"},
    {"Dhyana", "Hygon Dhyana", kHygon, 24, 0, 1, "EPYC", "-aes -pclmulqdq -sha-ni", "ibpb"},
};

void change(CpuModel& model, std::string_view word) {
  const bool off = word.starts_with('-');
  const bool known = set_cpu_feature(model, off ? word.substr(1) : word, off ? FeatureState::Off : FeatureState::On);
  RELIC86_ASSERT(known);
}

}  // namespace

void add_later_models(std::vector<CpuModel>& models) {
  for (const Row& row : kRows) {
    const auto base = std::find_if(models.begin(), models.end(), [&](const CpuModel& m) { return m.name == row.base; });
    RELIC86_ASSERT(base != models.end());
    CpuModel model = *base;
    model.name = row.name;
    model.description = row.description;
    std::copy(row.vendor.begin(), row.vendor.end(), model.vendor.begin());
    model.family = row.family;
    model.model = row.model;
    model.stepping = row.stepping;
    for (std::string_view rest = row.features; !rest.empty();) {
      const auto blank = rest.find(' ');
      change(model, rest.substr(0, blank));
      rest = blank == std::string_view::npos ? std::string_view{} : rest.substr(blank + 1);
    }
    models.push_back(std::move(model));
  }
}

std::string cpu_model_lacks(std::string_view name) {
  if (name == "qemu64") return "svm";  // which those that begin with it do without
  const auto* const row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.name == name; });
  if (row == std::end(kRows)) return {};
  std::string lacks = row->base == "qemu64" ? std::string() : cpu_model_lacks(row->base);
  if (!lacks.empty() && !row->lacks.empty()) lacks += ' ';
  return lacks + std::string(row->lacks);
}

}  // namespace relic86
