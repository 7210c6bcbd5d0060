// Delivery of exceptions and interrupts through the IVT or IDT (SDM 3A chapter 6). None of these counts an instruction.
// On return CS:EIP is the handler's, or CpuState::shutdown is set (triple fault).
#pragma once

#include "cpu/cpu.h"

namespace relic86 {

// Delivers cpu.fault(); rip is the faulting instruction's. Faults on the way become double and triple faults.
void deliver_fault(Cpu& cpu);
// #DB as a trap for kPendingSingleStep and kPendingDataBreak, which it clears: sets DR6.
void deliver_debug_trap(Cpu& cpu);
void deliver_nmi(Cpu& cpu);  // vector 2; blocks further NMIs until IRET
void deliver_external_interrupt(Cpu& cpu, u8 vector);

}  // namespace relic86
