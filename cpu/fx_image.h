// The image of x87, MMX and SSE state in memory that FXSAVE and XSAVE have in common (SDM 1 10.5.1).
#pragma once

#include "cpu/insn.h"
#include "cpu/state.h"

namespace relic86 {

// What is stored. With REX.W it holds FIP and FDP of 64 bits and no selectors.
FxState fx_image(const FxState& fx, const Insn& insn);
// All but MXCSR and the vectors.
void load_x87_image(FxState& fx, FxState image, const Insn& insn);

}  // namespace relic86
