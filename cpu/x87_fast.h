// The usual case of x87 arithmetic on this host: all exceptions masked, the registers that take part are there. Only
// these are moved to the host's unit, not the whole state; results are the same to the last bit
// (tests/cpu/x87_simd_test.cpp compares).
#pragma once

#include "base/types.h"
#include "cpu/x87_unit.h"

namespace relic86::x87_fast {

// As x87_unit::execute_register and execute_memory; false: not the usual case, nothing was done.
bool execute_register(FxState& fx, u8 escape, u8 modrm, u32& eflags);
bool execute_memory(FxState& fx, u8 escape, u8 reg, x87_unit::Operand& operand);

}  // namespace relic86::x87_fast
