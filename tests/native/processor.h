// A real processor by vendor, family, model and stepping, and the emulated one that behaves as it does.
#pragma once

#include <string>

#include "base/types.h"
#include "cpu/cpuid.h"

namespace relic86::native {

struct Processor {
  std::string vendor;  // as CPUID 0 has it: twelve characters
  unsigned family = 0, model = 0, stepping = 0;
  std::string brand;

  // "AuthenticAMD family 26 model 2 stepping 1 (AMD EPYC)"
  std::string text() const;
  // Everything that relic86 has, by this vendor, family and model.
  CpuModel emulated() const;
};

Processor host_processor();

}  // namespace relic86::native
