// The offset of an instruction's memory operand, for functions on Cpu&.
#pragma once

#include "cpu/insn.h"
#include "cpu/state.h"

namespace relic86 {

inline u32 effective_address(const CpuState& state, const Insn& insn) {
  return (state.gpr32(insn.base) + (state.gpr32(insn.index) << insn.scale) + insn.displacement) & insn.address_mask;
}
inline SegmentName operand_segment(const Insn& insn) { return static_cast<SegmentName>(insn.segment); }

}  // namespace relic86
