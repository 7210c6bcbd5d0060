// Breakpoints of DR0-DR3 (SDM 3B 17.2).
#pragma once

#include "cpu/cpu.h"

namespace relic86 {

// An enabled execution breakpoint covers this address: DR6 is set, #DB is raised (a fault: deliver_fault); true.
bool instruction_breakpoint(Cpu& cpu, LinAddr address);
// Data and I/O accesses: enabled breakpoints that overlap are noted for the trap after the instruction.
void check_data_breakpoints(Cpu& cpu, LinAddr address, u32 size, bool write);
void check_io_breakpoints(Cpu& cpu, IoPort port, u32 size);

}  // namespace relic86
