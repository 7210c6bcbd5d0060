#include "cpu/host_units.h"

#include <cpuid.h>
#include <fmt/format.h>

namespace relic86 {

HostUnits present_host_units() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  HostUnits units;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return {false, false, false};
  units.sse3 = (ecx & bit_SSE3) != 0;
  units.ssse3 = (ecx & bit_SSSE3) != 0;
  return units;
}

Result<HostUnits> masked_host_units(HostUnits units, std::string_view list) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    if (word == "-sse3")
      units.sse3 = units.ssse3 = false;
    else if (word == "-ssse3")
      units.ssse3 = false;
    else
      return Error{fmt::format(
          "--host-features {}: only -sse3 and -ssse3 can be left out; nothing else beyond SSE2 is used", word)};
  }
  return units;
}

}  // namespace relic86
