#include "cpu/cpu_feature_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace relic86 {

namespace {

constexpr std::string_view kFlags =
    "3dnow 3dnowext 3dnowprefetch abm ace2 ace2-en acpi adx aes amd-no-ssb amd-ssbd amd-stibp amx-bf16 amx-int8 "
    "amx-tile apic arat arch-capabilities arch-lbr avic avx avx-vnni avx2 avx512-4fmaps avx512-4vnniw avx512-bf16 "
    "avx512-fp16 avx512-vp2intersect avx512-vpopcntdq avx512bitalg avx512bw avx512cd avx512dq avx512er avx512f "
    "avx512ifma avx512pf avx512vbmi avx512vbmi2 avx512vl avx512vnni bmi1 bmi2 bus-lock-detect cid cldemote "
    "clflush clflushopt clwb clzero cmov cmp-legacy core-capability cr8legacy cx16 cx8 dca de decodeassists ds "
    "ds-cpl dtes64 erms est extapic f16c flushbyasid fma fma4 fpu fsgsbase fsrm full-width-write fxsr fxsr-opt "
    "gfni hle ht hypervisor ia64 ibpb ibrs ibrs-all ibs intel-pt intel-pt-lip invpcid invtsc kvm-asyncpf "
    "kvm-asyncpf-int kvm-hint-dedicated kvm-mmu kvm-msi-ext-dest-id kvm-nopiodelay kvm-poll-control kvm-pv-eoi "
    "kvm-pv-ipi kvm-pv-sched-yield kvm-pv-tlb-flush kvm-pv-unhalt kvm-steal-time kvmclock kvmclock-stable-bit "
    "la57 lahf-lm lbrv lm lwp mca mce md-clear mds-no misalignsse mmx mmxext monitor movbe movdir64b movdiri mpx "
    "msr mtrr nodeid-msr npt nrip-save nx osvw pae pat pause-filter pbe pcid pclmulqdq pcommit pdcm pdpe1gb "
    "perfctr-core perfctr-nb pfthreshold pge phe phe-en pks pku pmm pmm-en pn pni popcnt pschange-mc-no pse pse36 "
    "rdctl-no rdpid rdrand rdseed rdtscp rsba rtm sep serialize sgx sgx-debug sgx-exinfo sgx-kss sgx-mode64 "
    "sgx-provisionkey sgx-tokenkey sgx1 sgx2 sgxlc sha-ni skinit skip-l1dfl-vmentry smap smep smx spec-ctrl "
    "split-lock-detect ss ssb-no ssbd sse sse2 sse4.1 sse4.2 sse4a ssse3 stibp svm svm-lock svme-addr-chk syscall "
    "taa-no tbm tce tm tm2 topoext tsc tsc-adjust tsc-deadline tsc-scale tsx-ctrl tsx-ldtrk umip v-vmsave-vmload "
    "vaes vgif virt-ssbd vmcb-clean vme vmx vmx-activity-hlt vmx-activity-shutdown vmx-activity-wait-sipi "
    "vmx-apicv-register vmx-apicv-vid vmx-apicv-x2apic vmx-apicv-xapic vmx-cr3-load-noexit vmx-cr3-store-noexit "
    "vmx-cr8-load-exit vmx-cr8-store-exit vmx-desc-exit vmx-encls-exit vmx-entry-ia32e-mode "
    "vmx-entry-load-bndcfgs vmx-entry-load-efer vmx-entry-load-pat vmx-entry-load-perf-global-ctrl "
    "vmx-entry-load-pkrs vmx-entry-load-rtit-ctl vmx-entry-noload-debugctl vmx-ept vmx-ept-1gb vmx-ept-2mb "
    "vmx-ept-advanced-exitinfo vmx-ept-execonly vmx-eptad vmx-eptp-switching vmx-exit-ack-intr "
    "vmx-exit-clear-bndcfgs vmx-exit-clear-rtit-ctl vmx-exit-load-efer vmx-exit-load-pat "
    "vmx-exit-load-perf-global-ctrl vmx-exit-load-pkrs vmx-exit-nosave-debugctl vmx-exit-save-efer "
    "vmx-exit-save-pat vmx-exit-save-preemption-timer vmx-flexpriority vmx-hlt-exit vmx-ins-outs vmx-intr-exit "
    "vmx-invept vmx-invept-all-context vmx-invept-single-context vmx-invept-single-context-noglobals "
    "vmx-invlpg-exit vmx-invpcid-exit vmx-invvpid vmx-invvpid-all-context vmx-invvpid-single-addr vmx-io-bitmap "
    "vmx-io-exit vmx-monitor-exit vmx-movdr-exit vmx-msr-bitmap vmx-mtf vmx-mwait-exit vmx-nmi-exit "
    "vmx-page-walk-4 vmx-page-walk-5 vmx-pause-exit vmx-ple vmx-pml vmx-posted-intr vmx-preemption-timer "
    "vmx-rdpmc-exit vmx-rdrand-exit vmx-rdseed-exit vmx-rdtsc-exit vmx-rdtscp-exit vmx-secondary-ctls "
    "vmx-shadow-vmcs vmx-store-lma vmx-true-ctls vmx-tsc-offset vmx-tsc-scaling vmx-unrestricted-guest "
    "vmx-vintr-pending vmx-vmfunc vmx-vmwrite-vmexit-fields vmx-vnmi vmx-vnmi-pending vmx-vpid vmx-wbinvd-exit "
    "vmx-xsaves vmx-zero-len-inject vpclmulqdq waitpkg wbnoinvd wdt x2apic xcrypt xcrypt-en xfd xgetbv1 xop xsave "
    "xsavec xsaveerptr xsaveopt xsaves xstore xstore-en xtpr";

constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kAliases = {{
    {"sse3", "pni"},
    {"sse4-1", "sse4.1"},
    {"sse4-2", "sse4.2"},
    {"xd", "nx"},
    {"i64", "lm"},
    {"pclmuldq", "pclmulqdq"},
    {"ffxsr", "fxsr-opt"},
    {"tsc-deadline-timer", "tsc-deadline"},
    {"clfsh", "clflush"},
}};

// About the host, about migration, or about a topology of one processor: nothing that this guest could see.
constexpr std::array<std::string_view, 22> kHarmless = {"check",
                                                        "kvm",
                                                        "pmu",
                                                        "migratable",
                                                        "host-phys-bits",
                                                        "host-phys-bits-limit",
                                                        "l3-cache",
                                                        "x-migrate-smi-count",
                                                        "host-cache-info",
                                                        "start-powered-off",
                                                        "legacy-cache",
                                                        "apic-id",
                                                        "core-id",
                                                        "thread-id",
                                                        "socket-id",
                                                        "die-id",
                                                        "node-id",
                                                        "tcg-cpuid",
                                                        "cpuid-0xb",
                                                        "fill-mtrr-mask",
                                                        "full-cpuid-auto-level",
                                                        "lmce"};
constexpr std::array<std::string_view, 13> kWithoutEffect = {
    "level",   "xlevel",    "xlevel2",       "min-level", "min-xlevel",        "min-xlevel2",      "level-func7",
    "lbr-fmt", "phys-bits", "tsc-frequency", "ucode-rev", "vmware-cpuid-freq", "crash-information"};

std::string dashed(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

template <class Words>
bool contains(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

const std::vector<std::string_view>& known_cpu_flags() {
  static const std::vector<std::string_view> flags = [] {
    std::vector<std::string_view> words;
    for (std::string_view rest = kFlags; !rest.empty();) {
      const auto blank = rest.find(' ');
      words.push_back(rest.substr(0, blank));
      rest = blank == std::string_view::npos ? std::string_view{} : rest.substr(blank + 1);
    }
    return words;
  }();
  return flags;
}

std::string canonical_cpu_flag(std::string_view name) {
  std::string word = dashed(name);
  for (const auto& [alias, flag] : kAliases) {
    if (word == alias) return std::string(flag);
  }
  return word;
}

CpuProperty known_cpu_property(std::string_view name) {
  const std::string word = dashed(name);
  if (contains(kHarmless, word) || word.starts_with("kvm-")) return CpuProperty::Harmless;
  if (contains(kWithoutEffect, word) || word.starts_with("hv-")) return CpuProperty::WithoutEffect;
  return CpuProperty::None;
}

}  // namespace relic86
