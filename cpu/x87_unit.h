// The arithmetic of the x87, one encoded instruction at a time, behind one interface: cpu/x87_host.cpp lets this host's
// own unit do it, exact to the last bit, stack faults, C1 and unmasked responses included. A soft unit for other hosts
// fits here.
#pragma once

#include "base/types.h"
#include "cpu/state.h"

namespace relic86::x87_unit {

// What a memory operand is moved through: as many bytes as the form has, 10 at most.
struct alignas(16) Operand {
  u8 bytes[16] = {};
};

// Executes opcode byte `escape` (D8h-DFh) with a register form's ModRM (C0h-FFh) on the state. No exception is pending
// on entry (ES clear). Afterwards status, tags and stack are as the processor leaves them; FIP, FDP and FOP are not
// touched. Returns the EFLAGS bits ZF, PF, CF as FCOMI and its relatives set them; meaningless for other forms.
// eflags_in: CF, PF, ZF that FCMOVcc tests.
u32 execute_register(FxState& fx, u8 escape, u8 modrm, u32 eflags_in);

// Executes a memory form with ModRM.reg = reg. Loads read operand; stores write it. Forms whose layout depends on the
// mode (FLDENV, FNSTENV, FRSTOR, FNSAVE, control and status words) are not of this kind and must not be passed.
void execute_memory(FxState& fx, u8 escape, u8 reg, Operand& operand);

// The same with the whole state moved to the host's unit, whatever the case: what the quick paths are compared with.
u32 execute_register_whole(FxState& fx, u8 escape, u8 modrm, u32 eflags_in);
void execute_memory_whole(FxState& fx, u8 escape, u8 reg, Operand& operand);

}  // namespace relic86::x87_unit
