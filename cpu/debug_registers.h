// Breakpoints of DR0-DR3 (SDM 3B 17.2).
#pragma once

#include <vector>

#include "cpu/cpu.h"

namespace relic86 {

// B0 to B3 tell what matched for this #DB alone; the other bits are only ever set (SDM 3B 18.2.3 lets a part clear the
// four; kvm-unit-tests found that parts do).
inline constexpr u64 kDr6Matches = 0xF;

// An enabled execution breakpoint covers this address: DR6 is set, #DB is raised (a fault: deliver_fault); true.
bool instruction_breakpoint(Cpu& cpu, LinAddr address);
// The same question without an effect.
bool meets_instruction_breakpoint(const CpuState& state, LinAddr address);
// Where enabled execution breakpoints stand; linear pages (address >> 12) with enabled data breakpoints.
std::vector<LinAddr> instruction_breakpoints(const CpuState& state);
std::vector<u64> pages_with_data_breakpoints(const CpuState& state);
// An access of these bytes may be one that check_data_breakpoints() notes.
bool may_match_data(const CpuState& state, LinAddr address, u32 size);
// Data and I/O accesses: enabled breakpoints that overlap are noted for the trap after the instruction.
void check_data_breakpoints(Cpu& cpu, LinAddr address, u32 size, bool write);
void check_io_breakpoints(Cpu& cpu, IoPort port, u32 size);

}  // namespace relic86
