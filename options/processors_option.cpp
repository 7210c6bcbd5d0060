#include "options/processors_option.h"

#include <fmt/format.h>

#include <algorithm>

#include "options/option_text.h"

namespace relic86 {

// -smp [cpus=]N,maxcpus=..,sockets=..,dies=..,cores=..,threads=..; several add up (smp_option.h).
Result<> set_smp(Options& options, std::string_view value) {
  for (const auto& [key, word] : parse_properties(value)) {
    const bool bare = word.empty();
    if (auto set = options.smp.set(bare ? "cpus" : key, bare ? key : word); !set)
      return Error{fmt::format("-smp {}: {}", value, set.message())};
  }
  return {};
}

Result<> resolve_processors(Options& options) {
  const SmpWords& smp = options.smp;
  auto processors = smp.resolve();
  if (!processors) return processors.error();
  options.processors = processors.value();
  const auto words = {smp.cpus, smp.maxcpus, smp.sockets, smp.dies, smp.clusters, smp.cores, smp.threads};
  if (std::find(words.begin(), words.end(), u64{0}) != words.end())
    options.warnings.emplace_back("-smp: deprecated CPU topology: its numbers must be greater than zero");
  if (!options.asks_for_threads) return {};
  if (options.icount)
    return Error{"-accel thread=multi: No MTTCG when icount is enabled; say thread=single, or leave -icount out"};
  if (options.speed != 0 && options.processors.count > 1)
    return Error{"--speed: processors with threads of their own run as fast as they can; say -accel thread=single"};
  return {};
}

}  // namespace relic86
