// MOVS, CMPS, STOS, LODS and SCAS without a repeat prefix: plain accesses at ES:EDI and at ESI in the operand's
// segment, and index registers that go on by the element's size.
#pragma once

#include "jit/ir.h"

namespace relic86::jit {

// Fills ir.nodes; false: not of this kind.
bool record_string(InsnIr& ir);

}  // namespace relic86::jit
