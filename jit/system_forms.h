// CLI, STI, PUSHF, POPF and PUSH of a segment register in the case that kernels live in: no privilege stands in the way
// and nothing is pending. The back end asks for that and leaves everything else to the instruction's handler.
#pragma once

#include "jit/ir.h"
#include "jit/mode.h"

namespace relic86::jit {

// Fills ir.nodes; false: not of this kind, or not in this mode.
bool record_system(InsnIr& ir, const Mode& mode);

}  // namespace relic86::jit
