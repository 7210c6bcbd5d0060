// Locked instructions, and XCHG with memory, where every processor has a host thread of its own: the plain texts load,
// compute and store; here the three become one access that the host makes without a break.
#pragma once

#include "jit/ir/ir.h"

namespace relic86::jit {

// ir: as its text has recorded it. False: it has no such form, and nothing has changed.
bool make_atomic(InsnIr& ir);

}  // namespace relic86::jit
