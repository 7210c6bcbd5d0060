#include "tests/native/open_results.h"

#include <algorithm>
#include <iterator>

namespace relic86::native {

namespace {

// Transcendental functions and approximations (SDM 1 8.3.10, SDM 2 RCPPS), how far FPREM comes at once (SDM 2, FPREM),
// FBLD of what are no digits, which NaN of several comes out of a dot product (SDM 2, DPPS).
constexpr std::string_view kOpenResults[] = {"fsin",     "fcos",    "fsincos", "fptan",  "fpatan", "f2xm1",
                                             "fyl2x",    "fyl2xp1", "fprem",   "fprem1", "fbld",   "rcpps",
                                             "rcpss",    "rsqrtps", "rsqrtss", "vrcpps", "vrcpss", "vrsqrtps",
                                             "vrsqrtss", "dpps",    "dppd",    "vdpps",  "vdppd"};

}  // namespace

bool has_open_result(std::string_view mnemonic) {
  return std::find(std::begin(kOpenResults), std::end(kOpenResults), mnemonic) != std::end(kOpenResults);
}

bool same_units(const Processor& processor) {
  const Processor host = host_processor();
  return host.vendor == processor.vendor && host.family == processor.family;
}

}  // namespace relic86::native
