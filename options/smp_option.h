// -smp: how many processors there are and how they lie in cores and packages, as QEMU 7.2 completes and refuses it.
#pragma once

#include <optional>
#include <string_view>

#include "base/processor_topology.h"
#include "base/result.h"

namespace relic86 {

// The words of all -smp options together. What is left out follows from the rest; a 0 counts as left out.
struct SmpWords {
  static constexpr unsigned kMostProcessors = 32;

  std::optional<u64> cpus, maxcpus, sockets, dies, clusters, cores, threads;

  // key: one of the names above. Errors say what is wrong with key or value, and what to give.
  Result<> set(std::string_view key, std::string_view value);
  // What they amount to. Cores come before sockets where both are left out.
  Result<ProcessorTopology> resolve() const;
};

}  // namespace relic86
