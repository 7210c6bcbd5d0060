// System management mode (SDM 3C chapter 34): SMI#, the state save map, RSM (cpu/system_instructions.h).
#pragma once

#include "cpu/cpu.h"

namespace relic86 {

// Takes the pending SMI: SMIACT#, the state goes to SMRAM, and the handler at SMBASE + 8000h runs. Between two
// instructions, outside SMM, with no shadow and no debug trap pending.
void enter_system_management_mode(Cpu& cpu);

}  // namespace relic86
