// CLI, STI, PUSHF, POPF, PUSH, POP and MOV of segment registers, VERR, VERW, SYSENTER, SYSEXIT, CMPXCHG8B, LGDT, LIDT,
// SGDT, SIDT, what reads system registers and sets CR0.TS, far transfers, INT and IRET, in the case that kernels live
// in: no privilege stands in the way, nothing is pending, descriptors are known. The back end asks for that and leaves
// everything else to the instruction's handler.
#pragma once

#include "cpu/vendor_behaviour.h"
#include "jit/ir/ir.h"
#include "jit/ir/mode.h"

namespace relic86::jit {

// Fills ir.nodes; false: not of this kind, or not in this mode.
bool record_system(InsnIr& ir, const Mode& mode, const VendorBehaviour& vendor);

// CLI, STI, PUSHF, POPF, far transfers, INT, IRET, CLTS and LMSW, registers of descriptor tables, control registers.
bool concerns_system(const Insn& insn);

// IN and OUT.
bool accesses_port(const Insn& insn);

// Of the cold ones that complete in line: nobody whom they concern looks at the arithmetic flags.
bool leaves_flags_alone(const Insn& insn);

// What a cpu/entry_watch.h is told of: INT, IRET, SYSCALL, SYSRET, SYSENTER, SYSEXIT.
bool is_watched_entry(const Insn& insn);
// MOV and POP to segment registers, VERR, VERW, SYSENTER, SYSEXIT.
bool changes_segments(const Insn& insn);

}  // namespace relic86::jit
