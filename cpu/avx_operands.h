// YMM registers as operands.
#pragma once

#include "cpu/cpu.h"
#include "cpu/simd_operands.h"
#include "cpu/vex_unit.h"

namespace relic86::simd {

inline VexOperands::Vector read_ymm(const CpuState& state, unsigned number) {
  return {state.fx.xmm[number], state.ymm_high[number]};
}
inline void write_ymm(CpuState& state, unsigned number, const VexOperands::Vector& value) {
  state.fx.xmm[number] = value.half[0];
  state.ymm_high[number] = value.half[1];
}

}  // namespace relic86::simd
