#include "jit/x64/host_instructions.h"

#include <asmjit/x86.h>
#include <emmintrin.h>

namespace relic86::jit::x64 {

bool host_has_bit_instructions() {
  const auto& features = asmjit::CpuInfo::host().features().x86();
  return features.hasPOPCNT() && features.hasLZCNT() && features.hasBMI() && features.hasBMI2();
}

void fence() { _mm_mfence(); }

bool host_has_compare_exchange16() { return asmjit::CpuInfo::host().features().x86().hasCMPXCHG16B(); }

}  // namespace relic86::jit::x64
