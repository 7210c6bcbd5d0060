// Operands in memory whose size is known only when the instruction runs.
#pragma once

#include "base/types.h"
#include "cpu/insn.h"
#include "cpu/state.h"

namespace relic86 {

class Cpu;

// The operand size in bytes: 2, 4 or 8.
inline unsigned operand_bytes(const Insn& insn) { return insn.operand64() ? 8 : insn.operand32() ? 4 : 2; }

// An operand of 2, 4 or 8 bytes (read_sized(): or 1) at an offset in a segment; what is read is zero-extended. False: a
// fault is pending.
bool read_sized(Cpu& cpu, SegmentName segment, u64 offset, unsigned bytes, u64& value);
bool write_sized(Cpu& cpu, SegmentName segment, u64 offset, unsigned bytes, u64 value);

// A general register of so many bytes: 2 leave the upper ones, 4 clear them.
void write_sized_register(CpuState& state, unsigned index, unsigned bytes, u64 value);

// The operand that ModRM.rm names, of 1, 2, 4 or 8 bytes and zero-extended. False: a fault is pending.
bool read_rm(Cpu& cpu, const Insn& insn, unsigned bytes, u64& value);

// The far pointer that an instruction's memory operand is: an offset, and a selector after it (SDM 2, CALL, LDS).
// False: a fault is pending.
bool read_far_pointer(Cpu& cpu, const Insn& insn, Selector& selector, u64& offset);

}  // namespace relic86
