#include "options/smp_option.h"

#include <fmt/format.h>

#include <algorithm>

#include "options/option_text.h"

namespace relic86 {

Result<> SmpWords::set(std::string_view key, std::string_view value) {
  struct Row {
    std::string_view name;
    std::optional<u64> SmpWords::*member;
  };
  constexpr Row kRows[] = {{"cpus", &SmpWords::cpus},         {"maxcpus", &SmpWords::maxcpus},
                           {"sockets", &SmpWords::sockets},   {"dies", &SmpWords::dies},
                           {"clusters", &SmpWords::clusters}, {"cores", &SmpWords::cores},
                           {"threads", &SmpWords::threads}};
  for (const Row& row : kRows) {
    if (row.name != key) continue;
    const auto number = parse_number(value);
    if (!number)
      return Error{fmt::format("{}; give the number of processors, 1 to {}", number.message(), kMostProcessors)};
    constexpr u64 kMost = 0xFFFF;  // products of all of them stay numbers
    this->*row.member = std::min(number.value(), kMost);
    return {};
  }
  return Error{
      fmt::format("{}={}: unknown property; cpus, maxcpus, sockets, dies, cores and threads are known", key, value)};
}

Result<ProcessorTopology> SmpWords::resolve() const {
  u64 count = cpus.value_or(0), most = maxcpus.value_or(0), s = sockets.value_or(0), c = cores.value_or(0),
      t = threads.value_or(0);
  const u64 d = std::max<u64>(1, dies.value_or(0));
  if (clusters.value_or(0) > 1)
    return Error{"-smp: clusters not supported by this machine's CPU topology; leave clusters out"};
  const auto one_at_least = [](u64& number) { number = std::max<u64>(1, number); };
  if (count == 0 && most == 0) {
    one_at_least(s), one_at_least(c), one_at_least(t);
  } else {
    if (most == 0) most = count;
    if (c == 0) {
      one_at_least(s), one_at_least(t);
      c = most / (s * d * t);
    } else if (s == 0) {
      one_at_least(t);
      s = most / (d * c * t);
    }
    if (t == 0) t = most / std::max<u64>(1, s * d * c);
  }
  const u64 places = s * d * c * t;
  if (most == 0) most = places;
  if (count == 0) count = most;
  const std::string product = fmt::format("sockets ({}) * dies ({}) * cores ({}) * threads ({})", s, d, c, t);
  if (places != most)
    return Error{fmt::format(
        "-smp: Invalid CPU topology: product of the hierarchy must match maxcpus: {} != maxcpus ({})", product, most)};
  if (most < count)
    return Error{
        fmt::format("-smp: Invalid CPU topology: maxcpus must be equal to or greater than smp: {} == maxcpus ({}) < "
                    "smp_cpus ({})",
                    product, most, count)};

  if (most > kMostProcessors)
    return Error{
        fmt::format("-smp: Invalid SMP CPUs {}. The max CPUs supported by machine 'pc' is {}", most, kMostProcessors)};
  ProcessorTopology topology;
  topology.count = static_cast<unsigned>(count);
  topology.most = static_cast<unsigned>(most);
  topology.sockets = static_cast<unsigned>(s);
  topology.dies = static_cast<unsigned>(d);
  topology.cores = static_cast<unsigned>(c);
  topology.threads = static_cast<unsigned>(t);
  return topology;
}

}  // namespace relic86
