// Instructions that do several things at once, in the usual case: PUSHA, POPA, ENTER without nesting, XLAT, BOUND, INTO
// and decimal arithmetic. The back end asks whether it is the usual case and leaves everything else to the interpreter.
#pragma once

#include "jit/ir/ir.h"
#include "jit/ir/mode.h"

namespace relic86::jit {

// Fills ir.nodes; false: not of this kind, or not in this mode.
bool record_compound(InsnIr& ir, const Mode& mode);

// One of them.
bool is_compound(const Insn& insn);

}  // namespace relic86::jit
