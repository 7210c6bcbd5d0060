#include "cpu/host_units.h"

#include <cpuid.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace relic86 {

HostUnits present_host_units() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  HostUnits units;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return {false, false, false, false, false};
  units.sse3 = (ecx & bit_SSE3) != 0;
  units.ssse3 = (ecx & bit_SSSE3) != 0;
  units.sse41 = units.ssse3 && (ecx & bit_SSE4_1) != 0;
  units.sse42 = units.sse41 && (ecx & bit_SSE4_2) != 0;
  return units;
}

Result<HostUnits> masked_host_units(HostUnits units, std::string_view list) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    // Each has all that came before it.
    constexpr std::string_view kWords[] = {"-sse3", "-ssse3", "-sse4.1", "-sse4.2"};
    bool HostUnits::*const kUnits[] = {&HostUnits::sse3, &HostUnits::ssse3, &HostUnits::sse41, &HostUnits::sse42};
    const auto found = std::find(std::begin(kWords), std::end(kWords), word);
    if (found == std::end(kWords))
      return Error{
          fmt::format("--host-features {}: only -sse3, -ssse3, -sse4.1 and -sse4.2 can be left out; nothing "
                      "else beyond SSE2 is used",
                      word)};
    for (auto i = static_cast<std::size_t>(found - std::begin(kWords)); i < std::size(kUnits); i++)
      units.*kUnits[i] = false;
  }
  return units;
}

}  // namespace relic86
