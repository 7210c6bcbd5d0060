// What C++ has to know when translated code stops in the middle of something: the guest's flags, and where the access
// lies that it stopped at.
#pragma once

#include "cpu/cpu.h"
#include "jit/runtime/flag_records.h"
#include "jit/runtime/translation.h"

namespace relic86::jit {

// CpuState::flags become what the running block found when it was entered: the home's value, or that of a record.
void settle_entry(Cpu& cpu, const FlagRecords& records);
// CpuState::flags become what they are at the exit.
void settle_flags(Cpu& cpu, const FlagRecords& records, const ExitPoint& exit);
// RIP of a place relative to the running block's page.
u64 rip_of(CpuState& state, i32 place);
// The offset in its segment of the access that the exit belongs to.
u64 access_offset(const Cpu& cpu, const ExitPoint& exit);

}  // namespace relic86::jit
