// MOVS, CMPS, STOS, LODS and SCAS without a repeat prefix: plain accesses at ES:EDI and at ESI in the operand's
// segment, and index registers that go on by the element's size. REP MOVS and REP STOS upwards.
#pragma once

#include "cpu/vendor_behaviour.h"
#include "jit/ir/ir.h"
#include "jit/ir/mode.h"

namespace relic86::jit {

// Fills ir.nodes; false: not of this kind.
bool record_string(InsnIr& ir, const Mode& mode, const VendorBehaviour& vendor);

}  // namespace relic86::jit
