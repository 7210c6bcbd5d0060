// The models that QEMU names have what they have there, or say what they lack.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "cpu/cpu_feature_names.h"
#include "cpu/cpu_model_list.h"

namespace relic86 {
namespace {

using Words = std::set<std::string>;

// What QEMU 7.2's query-cpu-model-expansion says of its models: signature and features, but for
// hypervisor, arat and vme (docs/conformance.md).
struct QemuModel {
  std::string_view name;
  unsigned family, model, stepping;
  std::string_view vendor;
  std::string_view features;
};
constexpr QemuModel kQemuModels[] = {
    {"athlon", 6, 2, 3, "AuthenticAMD",
     "3dnow 3dnowext apic cmov cx8 de fpu fxsr mca mce mmx mmxext msr mtrr pae pat pge pse pse36 sep sse sse2 tsc"},
    {"n270", 6, 28, 2, "GenuineIntel",
     "acpi apic clflush cmov cx8 de fpu fxsr lahf-lm mca mce mmx monitor movbe msr mtrr nx pae pat pge pni pse sep ss "
     "sse sse2 ssse3 tsc"},
    {"kvm64", 15, 6, 1, "GenuineIntel",
     "apic clflush cmov cx16 cx8 de fpu fxsr lm mca mce mmx msr mtrr nx pae pat pge pni pse pse36 sep sse sse2 syscall "
     "tsc"},
    {"Opteron_G1", 15, 6, 1, "AuthenticAMD",
     "apic clflush cmov cx8 de fpu fxsr lm mca mce mmx msr mtrr nx pae pat pge pni pse pse36 sep sse sse2 syscall tsc"},
    {"Opteron_G2", 15, 6, 1, "AuthenticAMD",
     "apic clflush cmov cx16 cx8 de fpu fxsr lahf-lm lm mca mce mmx msr mtrr nx pae pat pge pni pse pse36 sep sse sse2 "
     "svm syscall tsc"},
    {"Opteron_G3", 16, 2, 3, "AuthenticAMD",
     "abm apic clflush cmov cx16 cx8 de fpu fxsr lahf-lm lm mca mce misalignsse mmx monitor msr mtrr nx pae pat pge "
     "pni popcnt pse pse36 rdtscp sep sse sse2 sse4a svm syscall tsc"},
    {"phenom", 16, 2, 3, "AuthenticAMD",
     "3dnow 3dnowext abm apic clflush cmov cx16 cx8 de fpu fxsr fxsr-opt lahf-lm lm mca mce mmx mmxext monitor msr "
     "mtrr npt nx pae pat pdpe1gb pge pni popcnt pse pse36 rdtscp sep sse sse2 sse4a svm syscall tsc"},
    {"Opteron_G4", 21, 1, 2, "AuthenticAMD",
     "3dnowprefetch abm aes apic avx clflush cmov cx16 cx8 de fma4 fpu fxsr lahf-lm lm mca mce misalignsse mmx msr "
     "mtrr npt nrip-save nx pae pat pclmulqdq pdpe1gb pge pni popcnt pse pse36 rdtscp sep sse sse2 sse4.1 sse4.2 sse4a "
     "ssse3 svm syscall tsc xop xsave"},
    {"Opteron_G5", 21, 2, 0, "AuthenticAMD",
     "3dnowprefetch abm aes apic avx clflush cmov cx16 cx8 de f16c fma fma4 fpu fxsr lahf-lm lm mca mce misalignsse "
     "mmx msr mtrr npt nrip-save nx pae pat pclmulqdq pdpe1gb pge pni popcnt pse pse36 rdtscp sep sse sse2 sse4.1 "
     "sse4.2 sse4a ssse3 svm syscall tbm tsc xop xsave"},
    {"core2duo", 6, 15, 11, "GenuineIntel",
     "acpi apic clflush cmov cx16 cx8 de fpu fxsr lahf-lm lm mca mce mmx monitor msr mtrr nx pae pat pge pni pse pse36 "
     "sep ss sse sse2 ssse3 syscall tsc"},
    {"Conroe", 6, 15, 3, "GenuineIntel",
     "apic clflush cmov cx8 de fpu fxsr lahf-lm lm mca mce mmx msr mtrr nx pae pat pge pni pse pse36 sep sse sse2 "
     "ssse3 syscall tsc"},
    {"Penryn", 6, 23, 3, "GenuineIntel",
     "apic clflush cmov cx16 cx8 de fpu fxsr lahf-lm lm mca mce mmx msr mtrr nx pae pat pge pni pse pse36 sep sse sse2 "
     "sse4.1 ssse3 syscall tsc"},
    {"Nehalem", 6, 26, 3, "GenuineIntel",
     "apic clflush cmov cx16 cx8 de fpu fxsr lahf-lm lm mca mce mmx msr mtrr nx pae pat pge pni popcnt pse pse36 sep "
     "sse sse2 sse4.1 sse4.2 ssse3 syscall tsc"},
    {"Westmere", 6, 44, 1, "GenuineIntel",
     "aes apic clflush cmov cx16 cx8 de fpu fxsr lahf-lm lm mca mce mmx msr mtrr nx pae pat pclmulqdq pge pni popcnt "
     "pse pse36 sep sse sse2 sse4.1 sse4.2 ssse3 syscall tsc"},
    {"SandyBridge", 6, 42, 1, "GenuineIntel",
     "aes apic avx clflush cmov cx16 cx8 de fpu fxsr lahf-lm lm mca mce mmx msr mtrr nx pae pat pclmulqdq pge pni "
     "popcnt pse pse36 rdtscp sep sse sse2 sse4.1 sse4.2 ssse3 syscall tsc tsc-deadline x2apic xsave xsaveopt"},
    {"IvyBridge", 6, 58, 9, "GenuineIntel",
     "aes apic avx clflush cmov cx16 cx8 de erms f16c fpu fsgsbase fxsr lahf-lm lm mca mce mmx msr mtrr nx pae pat "
     "pclmulqdq pge pni popcnt pse pse36 rdrand rdtscp sep smep sse sse2 sse4.1 sse4.2 ssse3 syscall tsc tsc-deadline "
     "x2apic xsave xsaveopt"},
    {"Haswell-noTSX", 6, 60, 1, "GenuineIntel",
     "abm aes apic avx avx2 bmi1 bmi2 clflush cmov cx16 cx8 de erms f16c fma fpu fsgsbase fxsr invpcid lahf-lm lm mca "
     "mce mmx movbe msr mtrr nx pae pat pcid pclmulqdq pge pni popcnt pse pse36 rdrand rdtscp sep smep sse sse2 sse4.1 "
     "sse4.2 ssse3 syscall tsc tsc-deadline x2apic xsave xsaveopt"},
    {"Haswell", 6, 60, 4, "GenuineIntel",
     "abm aes apic avx avx2 bmi1 bmi2 clflush cmov cx16 cx8 de erms f16c fma fpu fsgsbase fxsr hle invpcid lahf-lm lm "
     "mca mce mmx movbe msr mtrr nx pae pat pcid pclmulqdq pge pni popcnt pse pse36 rdrand rdtscp rtm sep smep sse "
     "sse2 sse4.1 sse4.2 ssse3 syscall tsc tsc-deadline x2apic xsave xsaveopt"},
    {"Broadwell-noTSX", 6, 61, 2, "GenuineIntel",
     "3dnowprefetch abm adx aes apic avx avx2 bmi1 bmi2 clflush cmov cx16 cx8 de erms f16c fma fpu fsgsbase fxsr "
     "invpcid lahf-lm lm mca mce mmx movbe msr mtrr nx pae pat pcid pclmulqdq pge pni popcnt pse pse36 rdrand rdseed "
     "rdtscp sep smap smep sse sse2 sse4.1 sse4.2 ssse3 syscall tsc tsc-deadline x2apic xsave xsaveopt"},
    {"Broadwell", 6, 61, 2, "GenuineIntel",
     "3dnowprefetch abm adx aes apic avx avx2 bmi1 bmi2 clflush cmov cx16 cx8 de erms f16c fma fpu fsgsbase fxsr hle "
     "invpcid lahf-lm lm mca mce mmx movbe msr mtrr nx pae pat pcid pclmulqdq pge pni popcnt pse pse36 rdrand rdseed "
     "rdtscp rtm sep smap smep sse sse2 sse4.1 sse4.2 ssse3 syscall tsc tsc-deadline x2apic xsave xsaveopt"},
    {"Skylake-Client", 6, 94, 3, "GenuineIntel",
     "3dnowprefetch abm adx aes apic avx avx2 bmi1 bmi2 clflush cmov cx16 cx8 de erms f16c fma fpu fsgsbase fxsr hle "
     "invpcid lahf-lm lm mca mce mmx movbe msr mtrr nx pae pat pcid pclmulqdq pge pni popcnt pse pse36 rdrand rdseed "
     "rdtscp rtm sep smap smep sse sse2 sse4.1 sse4.2 ssse3 syscall tsc tsc-deadline x2apic xgetbv1 xsave xsavec "
     "xsaveopt"},
    {"Skylake-Server", 6, 85, 4, "GenuineIntel",
     "3dnowprefetch abm adx aes apic avx avx2 avx512bw avx512cd avx512dq avx512f avx512vl bmi1 bmi2 clflush clflushopt "
     "clwb cmov cx16 cx8 de erms f16c fma fpu fsgsbase fxsr hle invpcid lahf-lm lm mca mce mmx movbe msr mtrr nx pae "
     "pat pcid pclmulqdq pdpe1gb pge pku pni popcnt pse pse36 rdrand rdseed rdtscp rtm sep smap smep sse sse2 sse4.1 "
     "sse4.2 ssse3 syscall tsc tsc-deadline x2apic xgetbv1 xsave xsavec xsaveopt"},
    {"Cascadelake-Server", 6, 85, 6, "GenuineIntel",
     "3dnowprefetch abm adx aes apic avx avx2 avx512bw avx512cd avx512dq avx512f avx512vl avx512vnni bmi1 bmi2 clflush "
     "clflushopt clwb cmov cx16 cx8 de erms f16c fma fpu fsgsbase fxsr hle invpcid lahf-lm lm mca mce mmx movbe msr "
     "mtrr nx pae pat pcid pclmulqdq pdpe1gb pge pku pni popcnt pse pse36 rdrand rdseed rdtscp rtm sep smap smep "
     "spec-ctrl ssbd sse sse2 sse4.1 sse4.2 ssse3 syscall tsc tsc-deadline x2apic xgetbv1 xsave xsavec xsaveopt"},
    {"Cooperlake", 6, 85, 10, "GenuineIntel",
     "3dnowprefetch abm adx aes apic arch-capabilities avx avx2 avx512-bf16 avx512bw avx512cd avx512dq avx512f "
     "avx512vl avx512vnni bmi1 bmi2 clflush clflushopt clwb cmov cx16 cx8 de erms f16c fma fpu fsgsbase fxsr hle "
     "ibrs-all invpcid lahf-lm lm mca mce mds-no mmx movbe msr mtrr nx pae pat pcid pclmulqdq pdpe1gb pge pku pni "
     "popcnt pschange-mc-no pse pse36 rdctl-no rdrand rdseed rdtscp rtm sep skip-l1dfl-vmentry smap smep spec-ctrl "
     "ssbd sse sse2 sse4.1 sse4.2 ssse3 stibp syscall taa-no tsc tsc-deadline x2apic xgetbv1 xsave xsavec xsaveopt"},
    {"Icelake-Server", 6, 134, 0, "GenuineIntel",
     "3dnowprefetch abm adx aes apic avx avx2 avx512-vpopcntdq avx512bitalg avx512bw avx512cd avx512dq avx512f "
     "avx512vbmi avx512vbmi2 avx512vl avx512vnni bmi1 bmi2 clflush clflushopt clwb cmov cx16 cx8 de erms f16c fma fpu "
     "fsgsbase fxsr gfni hle invpcid la57 lahf-lm lm mca mce mmx movbe msr mtrr nx pae pat pcid pclmulqdq pdpe1gb pge "
     "pku pni popcnt pse pse36 rdrand rdseed rdtscp rtm sep smap smep spec-ctrl ssbd sse sse2 sse4.1 sse4.2 ssse3 "
     "syscall tsc tsc-deadline umip vaes vpclmulqdq wbnoinvd x2apic xgetbv1 xsave xsavec xsaveopt"},
    {"Denverton", 6, 95, 1, "GenuineIntel",
     "3dnowprefetch aes apic arch-capabilities clflush clflushopt cmov cx16 cx8 de erms fpu fsgsbase fxsr lahf-lm lm "
     "mca mce mmx monitor movbe mpx msr mtrr nx pae pat pclmulqdq pdpe1gb pge pni popcnt pse pse36 rdctl-no rdrand "
     "rdseed rdtscp sep sha-ni skip-l1dfl-vmentry smap smep spec-ctrl ssbd sse sse2 sse4.1 sse4.2 ssse3 syscall tsc "
     "tsc-deadline x2apic xgetbv1 xsave xsavec xsaveopt"},
    {"Snowridge", 6, 134, 1, "GenuineIntel",
     "3dnowprefetch aes apic arch-capabilities cldemote clflush clflushopt clwb cmov core-capability cx16 cx8 de erms "
     "fpu fsgsbase fxsr gfni lahf-lm lm mca mce mmx monitor movbe movdir64b movdiri mpx msr mtrr nx pae pat pclmulqdq "
     "pdpe1gb pge pni popcnt pse pse36 rdrand rdseed rdtscp sep sha-ni smap smep spec-ctrl split-lock-detect ssbd sse "
     "sse2 sse4.1 sse4.2 ssse3 syscall tsc tsc-deadline umip x2apic xgetbv1 xsave xsavec xsaveopt"},
    {"EPYC", 23, 1, 2, "AuthenticAMD",
     "3dnowprefetch abm adx aes apic avx avx2 bmi1 bmi2 clflush clflushopt cmov cr8legacy cx16 cx8 de f16c fma fpu "
     "fsgsbase fxsr fxsr-opt lahf-lm lm mca mce misalignsse mmx mmxext monitor movbe msr mtrr npt nrip-save nx osvw "
     "pae pat pclmulqdq pdpe1gb pge pni popcnt pse pse36 rdrand rdseed rdtscp sep sha-ni smap smep sse sse2 sse4.1 "
     "sse4.2 sse4a ssse3 svm syscall topoext tsc xgetbv1 xsave xsavec xsaveopt"},
    {"EPYC-Rome", 23, 49, 0, "AuthenticAMD",
     "3dnowprefetch abm adx aes amd-stibp apic avx avx2 bmi1 bmi2 clflush clflushopt clwb clzero cmov cr8legacy cx16 "
     "cx8 de f16c fma fpu fsgsbase fxsr fxsr-opt ibpb lahf-lm lm mca mce misalignsse mmx mmxext monitor movbe msr mtrr "
     "npt nrip-save nx osvw pae pat pclmulqdq pdpe1gb perfctr-core pge pni popcnt pse pse36 rdpid rdrand rdseed rdtscp "
     "sep sha-ni smap smep sse sse2 sse4.1 sse4.2 sse4a ssse3 svm syscall topoext tsc umip wbnoinvd xgetbv1 xsave "
     "xsavec xsaveerptr xsaveopt xsaves"},
    {"EPYC-Milan", 25, 1, 1, "AuthenticAMD",
     "3dnowprefetch abm adx aes amd-ssbd amd-stibp apic avx avx2 bmi1 bmi2 clflush clflushopt clwb clzero cmov "
     "cr8legacy cx16 cx8 de erms f16c fma fpu fsgsbase fsrm fxsr fxsr-opt ibpb ibrs invpcid lahf-lm lm mca mce "
     "misalignsse mmx mmxext monitor movbe msr mtrr npt nrip-save nx osvw pae pat pcid pclmulqdq pdpe1gb perfctr-core "
     "pge pku pni popcnt pse pse36 rdpid rdrand rdseed rdtscp sep sha-ni smap smep sse sse2 sse4.1 sse4.2 sse4a ssse3 "
     "svm svme-addr-chk syscall topoext tsc umip wbnoinvd xgetbv1 xsave xsavec xsaveerptr xsaveopt xsaves"},
    {"Dhyana", 24, 0, 1, "HygonGenuine",
     "3dnowprefetch abm adx apic avx avx2 bmi1 bmi2 clflush clflushopt cmov cr8legacy cx16 cx8 de f16c fma fpu "
     "fsgsbase fxsr fxsr-opt ibpb lahf-lm lm mca mce misalignsse mmx mmxext monitor movbe msr mtrr npt nrip-save nx "
     "osvw pae pat pdpe1gb pge pni popcnt pse pse36 rdrand rdseed rdtscp sep smap smep sse sse2 sse4.1 sse4.2 sse4a "
     "ssse3 svm syscall topoext tsc xgetbv1 xsave xsavec xsaveopt"},
    {"qemu64", 15, 107, 1, "AuthenticAMD",
     "apic clflush cmov cx16 cx8 de fpu fxsr lahf-lm lm mca mce mmx msr mtrr nx pae pat pge pni pse pse36 sep sse sse2 "
     "svm syscall tsc"},
};

Words words_of(std::string_view text) {
  Words words;
  while (!text.empty()) {
    const auto blank = text.find(' ');
    words.emplace(text.substr(0, blank));
    text = blank == std::string_view::npos ? std::string_view{} : text.substr(blank + 1);
  }
  return words;
}

// By QEMU's first name of each.
Words features_of(const CpuModel& model) {
  const Words elsewhere{"hypervisor", "arat", "vme"};
  Words words;
  for (const auto& [name, on] : cpu_feature_states(model)) {
    if (on && elsewhere.count(name) == 0) words.insert(canonical_cpu_flag(name));
  }
  return words;
}

std::string difference(const Words& a, const Words& b) {
  std::string text;
  for (const std::string& word : a) {
    if (b.count(word) == 0) text += word + " ";
  }
  return text;
}

TEST(QemuModels, HaveTheirFeaturesOrLackThem) {
  for (const QemuModel& row : kQemuModels) {
    SCOPED_TRACE(row.name);
    const CpuModel* const model = find_cpu_model(row.name);
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->family, row.family);
    EXPECT_EQ(model->model, row.model);
    EXPECT_EQ(model->stepping, row.stepping);
    EXPECT_EQ(std::string_view(model->vendor.data()), row.vendor);
    const Words there = words_of(row.features), here = features_of(*model), lacks = words_of(cpu_model_lacks(row.name));
    EXPECT_EQ(difference(here, there), "") << "more than QEMU's";
    EXPECT_EQ(difference(lacks, there), "") << "lacks what QEMU's does not have";
    Words either = here;
    either.insert(lacks.begin(), lacks.end());
    EXPECT_EQ(difference(there, either), "") << "neither there nor said to be missing";
    for (const std::string& word : lacks) EXPECT_EQ(here.count(word), 0u) << word;
  }
}

TEST(QemuModels, EnforceRefusesWhatIsMissing) {
  const auto refused = make_cpu_model("EPYC,enforce");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.message().find("svm"), std::string::npos);
  EXPECT_NE(refused.message().find(",-clflushopt,-mmxext,-svm"), std::string::npos);
  EXPECT_TRUE(make_cpu_model("qemu64,enforce,-svm").ok());
  EXPECT_TRUE(make_cpu_model("Penryn,enforce").ok());
  EXPECT_TRUE(make_cpu_model("EPYC,check").ok());
  // What keeps branch predictors apart (IBRS, IBPB) is missing like any other feature.
  EXPECT_FALSE(make_cpu_model("Westmere-IBRS,enforce").ok());
  EXPECT_TRUE(make_cpu_model("Westmere-IBRS,enforce,-spec-ctrl,-ibpb").ok());
}

TEST(QemuModels, VersionsAreTheirFirst) {
  for (const auto& [written, name] : {std::pair{"Haswell-v4", "Haswell"},
                                      {"Haswell-noTSX-IBRS", "Haswell-noTSX"},
                                      {"Skylake-Client-noTSX-IBRS", "Skylake-Client"},
                                      {"EPYC-IBPB", "EPYC"},
                                      {"EPYC-Rome-v2", "EPYC-Rome"},
                                      {"Opteron_G5-v1", "Opteron_G5"}}) {
    const auto model = make_cpu_model(written);
    ASSERT_TRUE(model.ok()) << written;
    EXPECT_EQ(model.value().name, name);
  }
  EXPECT_FALSE(make_cpu_model("Haswell-v").ok());
  EXPECT_FALSE(make_cpu_model("Nothing-v2").ok());
}

}  // namespace
}  // namespace relic86
