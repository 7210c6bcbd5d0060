// YMM registers as operands.
#pragma once

#include "cpu/alignment.h"
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

// An operand in memory that is never #AC: where alignment is checked it is reached byte by byte. access(at, size) says
// whether it has not faulted.
template <class Access>
bool unchecked(const Cpu& cpu, unsigned bytes, Access access) {
  if (!checks_alignment(cpu.state())) return access(0u, bytes);
  for (unsigned at = 0; at < bytes; at++) {
    if (!access(at, 1u)) return false;
  }
  return true;
}

}  // namespace relic86::simd
