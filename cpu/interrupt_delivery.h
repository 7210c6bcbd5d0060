// Exceptions and interrupts into their handlers (SDM 3A chapter 6).
#pragma once

#include "cpu/cpu.h"

namespace relic86 {

// The fault in cpu.fault(), at the present instruction; double and triple fault rules applied (SDM 3A table 6-5). A
// triple fault sets CpuState::shutdown.
void deliver_fault(Cpu& cpu);
// #DB for single step, data and I/O breakpoints and task switches (kPendingSingleStep, kPendingDataBreak): a trap.
void deliver_debug_trap(Cpu& cpu);
void deliver_nmi(Cpu& cpu);
void deliver_external_interrupt(Cpu& cpu, u8 vector);

// INT n, INT3, INTO, INT1 from the instruction itself: return_rip is what the handler returns to. On a fault nothing
// has changed and cpu.fault() says why.
enum class SoftInterrupt : u8 { IntN, Int3, Into, Int1 };
bool deliver_software_interrupt(Cpu& cpu, u8 vector, SoftInterrupt kind, u64 return_rip);
// The same in the usual case (cpu/direct_transfers.h). False: nothing was done.
bool interrupt_directly(Cpu& cpu, u8 vector, SoftInterrupt kind, u64 return_rip);

}  // namespace relic86
