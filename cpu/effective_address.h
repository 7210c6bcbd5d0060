// The offset of an instruction's memory operand, for functions on Cpu&.
#pragma once

#include "cpu/insn.h"
#include "cpu/state.h"

namespace relic86 {

// An offset cut to the instruction's address size.
inline u64 masked_offset(const Insn& insn, u64 offset) {
  return insn.address64() ? offset : offset & insn.address_mask;
}

// In every mode: general registers have empty upper halves in 16- and 32-bit code, and the mask cuts the sum.
inline u64 effective_address(const CpuState& state, const Insn& insn) {
  const u64 sum = address_register(state, insn.base) + (state.gpr[insn.index] << insn.scale) + insn.displacement;
  return masked_offset(insn, sum);
}
// RIP behind the instruction, as wide as the code is.
inline u64 next_rip(const CpuState& state, const Insn& insn) {
  const u64 next = state.rip + insn.length;
  return state.mode.code64 ? next : next & (state.mode.code32 ? 0xFFFFFFFFu : 0xFFFFu);
}
inline SegmentName operand_segment(const Insn& insn) { return static_cast<SegmentName>(insn.segment); }

}  // namespace relic86
