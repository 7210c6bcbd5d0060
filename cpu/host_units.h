// How far guest instructions may be carried out by the host's own x87 and SIMD units.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct HostUnits {
  // The host's SSE3 and SSSE3 instructions; without them those of the guest are made of SSE2's.
  bool sse3 = true;
  bool ssse3 = true;
  // The host's SSE4.1 and SSE4.2; without them the guest's processor has none.
  bool sse41 = true;
  bool sse42 = true;
  // AES-NI, PCLMULQDQ, SHA: so are these.
  bool aes = true;
  bool pclmulqdq = true;
  bool sha = true;
  // AVX, with the operating system's consent and memory for code of our own, and what stands on it; so are these.
  bool avx = true;
  bool avx2 = true;
  bool fma = true;
  bool f16c = true;
  // FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1, RCPPS, RCPSS, RSQRTPS, RSQRTSS: what differs between
  // hosts of different vendors. true: computed here, equal on all of them (cpu/exact_functions.h).
  bool exact_functions = false;

  friend bool operator==(const HostUnits&, const HostUnits&) = default;
};

// What this host has, by CPUID.
HostUnits present_host_units();

// Takes away what a list such as "-sse3,-ssse3" names. Error: a word that is not one of them.
Result<HostUnits> masked_host_units(HostUnits units, std::string_view list);

}  // namespace relic86
