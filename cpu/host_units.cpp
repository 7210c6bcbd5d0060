#include "cpu/host_units.h"

#include <cpuid.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <string>

#include "cpu/vex_unit.h"

namespace relic86 {

namespace {

constexpr unsigned kShaBit = 1u << 29;  // CPUID 7.0: EBX

// XGETBV: the operating system saves XMM and YMM registers. ecx: of CPUID 1.
bool system_keeps_ymm(unsigned ecx) {
  if ((ecx & bit_OSXSAVE) == 0) return false;
  unsigned low = 0, high = 0;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kBoth = 6;
  return (low & kBoth) == kBoth;
}

// What can be left out; a unit of a chain goes with those before it.
struct Word {
  std::string_view name;
  bool HostUnits::*unit;
};
constexpr Word kChain[] = {{"-sse3", &HostUnits::sse3},
                           {"-ssse3", &HostUnits::ssse3},
                           {"-sse4.1", &HostUnits::sse41},
                           {"-sse4.2", &HostUnits::sse42}};
constexpr Word kSingle[] = {{"-aes", &HostUnits::aes},    {"-pclmulqdq", &HostUnits::pclmulqdq},
                            {"-sha-ni", &HostUnits::sha}, {"-avx", &HostUnits::avx},
                            {"-avx2", &HostUnits::avx2},  {"-fma", &HostUnits::fma},
                            {"-f16c", &HostUnits::f16c}};

}  // namespace

HostUnits present_host_units() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  HostUnits units;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) ecx = 0;
  units.sse3 = (ecx & bit_SSE3) != 0;
  units.ssse3 = (ecx & bit_SSSE3) != 0;
  units.sse41 = units.ssse3 && (ecx & bit_SSE4_1) != 0;
  units.sse42 = units.sse41 && (ecx & bit_SSE4_2) != 0;
  units.aes = (ecx & bit_AES) != 0;
  units.pclmulqdq = (ecx & bit_PCLMUL) != 0;
  constexpr unsigned kStructured = 7;
  const bool fma = (ecx & bit_FMA) != 0, f16c = (ecx & bit_F16C) != 0;
  units.avx = (ecx & bit_AVX) != 0 && system_keeps_ymm(ecx) && VexUnit::available();
  units.fma = units.avx && fma;
  units.f16c = units.avx && f16c;
  units.sha = __get_cpuid_count(kStructured, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & kShaBit) != 0;
  units.avx2 = units.avx && (ebx & bit_AVX2) != 0;
  return units;
}

Result<HostUnits> masked_host_units(HostUnits units, std::string_view list) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    const auto named = [word](const Word& each) { return each.name == word; };
    const auto* const chained = std::find_if(std::begin(kChain), std::end(kChain), named);
    const auto* const single = std::find_if(std::begin(kSingle), std::end(kSingle), named);
    if (chained == std::end(kChain) && single == std::end(kSingle)) {
      std::string words;
      for (const std::span<const Word> part : {std::span<const Word>(kChain), std::span<const Word>(kSingle)}) {
        for (const Word& each : part) words += fmt::format(" {}", each.name);
      }
      return Error{fmt::format(
          "--host-features {}: what can be left out is{}; of the rest beyond SSE2 translated code uses POPCNT, "
          "LZCNT, BMI1 and BMI2",
          word, words)};
    }
    for (const auto* each = chained; each != std::end(kChain); ++each) units.*each->unit = false;
    if (single != std::end(kSingle)) units.*single->unit = false;
    if (!units.avx) units.avx2 = units.fma = units.f16c = false;
  }
  return units;
}

}  // namespace relic86
