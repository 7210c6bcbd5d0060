// The x87's transcendental instructions without the host's: rounded correctly from a result of 320 bits (MPFR), so that
// every host gives the same. Operands that the manual has a table for (zeros, infinities, NaNs, empty registers, values
// out of range) are the host unit's: what comes of them does not depend on the vendor.
#pragma once

#include "base/types.h"
#include "cpu/state.h"

namespace relic86::exact_functions {

// Whether this build has the library for it.
bool available();

// Opcode D9h with this ModRM. False: not one of them, or operands that are the host's; nothing has changed.
bool execute(FxState& fx, u8 modrm);

}  // namespace relic86::exact_functions
