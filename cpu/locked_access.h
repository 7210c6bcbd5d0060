// Locked instructions where every processor has a host thread of its own (memory/atomic_access.h).
#pragma once

#include "base/types.h"
#include "cpu/fault.h"
#include "cpu/insn.h"

namespace relic86 {

// With the LOCK prefix, or XCHG with memory, which locks without it (SDM 3A 8.1.2.1).
bool locks_memory(const Insn& insn);
// The handler of such instructions: carries out what their own one says, as one access of memory.
Flow carry_out_locked(Cpu& cpu, const Insn& insn);
// The same for a bit that the processor sets in a descriptor, and for the bits of one byte in general: those of clear
// go, those of set come. Supervisor access; false: a fault is raised.
bool change_bits(Cpu& cpu, LinAddr address, u8 clear, u8 set);

}  // namespace relic86
