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
  std::string_view base, features;  // everything that the base has, and these
};

constexpr std::string_view kIntel = "GenuineIntel", kAmd = "AuthenticAMD";

constexpr Row kRows[] = {
    {"Westmere", "Intel Xeon 56xx: x86-64-v2 and AES", kIntel, 6, 44, 1, "Nehalem", "aes pclmulqdq"},
    {"SandyBridge", "Intel Xeon E3-12xx: AVX", kIntel, 6, 42, 1, "Westmere",
     "xsave xsaveopt avx rdtscp tsc-deadline x2apic"},
    {"IvyBridge", "Intel Xeon E3-12xx v2", kIntel, 6, 58, 9, "SandyBridge", "f16c rdrand fsgsbase smep erms"},
    {"Haswell-noTSX", "Intel Core (Haswell): x86-64-v3", kIntel, 6, 60, 1, "IvyBridge",
     "fma movbe pcid abm avx2 bmi1 bmi2 invpcid"},
    {"Haswell", "Intel Core (Haswell): x86-64-v3", kIntel, 6, 60, 4, "Haswell-noTSX", ""},
    {"Broadwell-noTSX", "Intel Core (Broadwell)", kIntel, 6, 61, 2, "Haswell-noTSX", "3dnowprefetch adx rdseed smap"},
    {"Broadwell", "Intel Core (Broadwell)", kIntel, 6, 61, 2, "Broadwell-noTSX", ""},
    {"Skylake-Client", "Intel Core (Skylake)", kIntel, 6, 94, 3, "Broadwell-noTSX", "xsavec xgetbv1"},
    {"EPYC", "AMD EPYC: x86-64-v3", kAmd, 23, 1, 2, "Nehalem",
     "aes pclmulqdq monitor movbe rdrand xsave xsaveopt xsavec xgetbv1 avx avx2 f16c fma rdtscp pdpe1gb fxsr-opt abm "
     "sse4a 3dnowprefetch fsgsbase bmi1 bmi2 smep rdseed adx smap sha-ni"},
    {"EPYC-Rome", "AMD EPYC-Rome", kAmd, 23, 49, 0, "EPYC", "umip"},
    {"EPYC-Milan", "AMD EPYC-Milan", kAmd, 25, 1, 1, "EPYC-Rome", "erms pcid invpcid"},
};

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
      const bool known = set_cpu_feature(model, rest.substr(0, blank), FeatureState::On);
      RELIC86_ASSERT(known);
      rest = blank == std::string_view::npos ? std::string_view{} : rest.substr(blank + 1);
    }
    models.push_back(std::move(model));
  }
}

}  // namespace relic86
