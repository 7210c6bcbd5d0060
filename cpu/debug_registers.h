// Breakpoints of DR0 to DR7 (SDM 3B 17.2).
#pragma once

#include "cpu/cpu.h"

namespace relic86 {

// Whether an enabled instruction breakpoint lies at the linear address; then #DB (DR6 set) is raised as cpu.fault().
bool instruction_breakpoint(Cpu& cpu, LinAddr address);

}  // namespace relic86
