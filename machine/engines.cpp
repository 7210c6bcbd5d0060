#include "machine/engines.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "build_features.h"
#include "cpu/interpreter.h"
#include "machine/host_time.h"
#ifdef RELIC86_JIT
#include "jit/translator.h"
#endif

namespace relic86 {

namespace {
constexpr std::string_view kRetraceSleep = "retrace-sleep";  // the machine's own switch
}  // namespace

#ifdef RELIC86_JIT
namespace {

// Every optimisation that can be switched off: -jit-opt +name,-name.
struct Switch {
  std::string_view name;
  bool jit::TranslatorOptions::*member;
};
constexpr Switch kSwitches[] = {{"link", &jit::TranslatorOptions::link},
                                {"indirect", &jit::TranslatorOptions::indirect},
                                {"direct", &jit::TranslatorOptions::direct},
                                {"returns", &jit::TranslatorOptions::returns},
                                {"lazy-flags", &jit::TranslatorOptions::lazy_flags},
                                {"share", &jit::TranslatorOptions::share},
                                {"loops", &jit::TranslatorOptions::loops},
                                {"patches", &jit::TranslatorOptions::patches},
                                {"strings", &jit::TranslatorOptions::strings},
                                {"registers", &jit::TranslatorOptions::registers},
                                {"ports", &jit::TranslatorOptions::ports},
                                {"segments", &jit::TranslatorOptions::segments},
                                {"system", &jit::TranslatorOptions::system},
                                {"cross-page", &jit::TranslatorOptions::cross_page},
                                {"one-mapping", &jit::TranslatorOptions::one_mapping},
                                {"late-links", &jit::TranslatorOptions::late_links},
                                {"perf-map", &jit::TranslatorOptions::perf_map},
                                {"fill", &jit::TranslatorOptions::fill},
                                {"aside", &jit::TranslatorOptions::aside},
                                {"watched", &jit::TranslatorOptions::watched},
                                {"units", &jit::TranslatorOptions::units},
                                {"bits", &jit::TranslatorOptions::bits},
                                {"vex", &jit::TranslatorOptions::vex},
                                {"unmasked", &jit::TranslatorOptions::unmasked},
                                {"clock", &jit::TranslatorOptions::clock},
                                {"verify", &jit::TranslatorOptions::verify},
                                {"compound", &jit::TranslatorOptions::compound},
                                {"long", &jit::TranslatorOptions::long_mode},
                                {"quick", &jit::TranslatorOptions::quick},
                                {"jumps", &jit::TranslatorOptions::jumps},
                                {"copies", &jit::TranslatorOptions::copies},
                                {"fusion", &jit::TranslatorOptions::fusion},
                                {"regions", &jit::TranslatorOptions::regions},
                                {"far-regions", &jit::TranslatorOptions::far_regions},
                                {"exchange16", &jit::TranslatorOptions::exchange16},
                                {"atomics", &jit::TranslatorOptions::atomics},
                                {"denormals", &jit::TranslatorOptions::denormals}};

// Switches regions on: how often a branch is taken before one is made of where it leads; 0: wherever one can be made.
constexpr std::string_view kRegionThreshold = "region-threshold=";
constexpr u32 kMaxRegionThreshold = 1'000'000'000;

std::string switch_names() {
  std::string names(kRetraceSleep);
  for (const Switch& each : kSwitches) names += fmt::format(", {}", each.name);
  return names;
}

Result<jit::TranslatorOptions> translator_options(std::string_view list) {
  jit::TranslatorOptions options;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    const bool sign = word.starts_with('+') || word.starts_with('-');
    if (word.starts_with(kRegionThreshold)) {
      const std::string_view number = word.substr(kRegionThreshold.size());
      const char* const end = number.data() + number.size();
      const auto [stopped, failure] = std::from_chars(number.data(), end, options.region_threshold);
      options.regions = true;
      if (failure == std::errc() && stopped == end && options.region_threshold <= kMaxRegionThreshold) continue;
      return Error{fmt::format("--jit-opt {}: no number from 0 to {}", word, kMaxRegionThreshold)};
    }
    bool found = sign && word.substr(1) == kRetraceSleep;
    for (const Switch& each : kSwitches) {
      if (!sign || each.name != word.substr(1)) continue;
      options.*each.member = word[0] == '+';
      found = true;
    }
    if (!found)
      return Error{fmt::format("--jit-opt {}: unknown; write +name or -name with {}, or region-threshold=N", word,
                               switch_names())};
  }
  return options;
}

// Bytes for one of the processors, each of which translates for itself.
u64 code_limit(const Options& options) {
  constexpr u64 kBytesPerMegabyte = u64{1} << 20;
  // What the least system's code takes, so that many processors do not forget theirs all the time.
  constexpr u64 kLeast = 24 * kBytesPerMegabyte;
  const u64 all = options.code_megabytes * kBytesPerMegabyte;
  return std::max(all / options.processors.count, std::min(all, kLeast));
}

}  // namespace
#endif

Result<std::unique_ptr<Executor>> make_engine(const Options& options, Cpu& cpu, PhysicalBus& bus,
                                              ProcessorThread* thread) {
  using Accel = Options::Accel;
#ifdef RELIC86_JIT
  if (options.accel != Accel::Interpreter) {
    auto parsed = translator_options(options.jit_opt);
    if (!parsed) return parsed.error();
    jit::TranslatorOptions jit_options = parsed.value();
    jit_options.thread = thread;
    jit_options.code_limit = code_limit(options);
    jit_options.host_nanoseconds = host_monotonic_ns;
    // perf looks into its map for code in anonymous memory only.
    if (jit_options.perf_map) jit_options.one_mapping = true;
    auto translator = std::make_unique<jit::Translator>(cpu, bus, jit_options);
    if (translator->usable()) return std::unique_ptr<Executor>(std::move(translator));
    if (options.accel == Accel::Jit) {
      return Error{"-accel jit: the host gives no executable memory; -accel interp runs without it"};
    }
  }
#else
  if (options.accel == Accel::Jit) return Error{"-accel jit: this build has no translator; use -accel interp"};
#endif
  return std::unique_ptr<Executor>(std::make_unique<Interpreter>(cpu, bus, thread));
}

bool sleeps_until_retrace(const Options& options) {
  const std::string_view list = options.jit_opt;
  const auto last = list.rfind(kRetraceSleep);
  return last == std::string_view::npos || last == 0 || list[last - 1] != '-';
}

}  // namespace relic86
