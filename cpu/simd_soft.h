// SIMD operations that are not left to a host instruction of the same name: SSE3 and SSSE3 for hosts without them, and
// the approximations of RCPPS and RSQRTPS, which differ between vendors.
#pragma once

#include "cpu/host_units.h"
#include "cpu/instruction_table.h"
#include "cpu/simd_unit.h"

namespace relic86::simd_soft {

// The row's operation if this host is not to carry it out; null: simd_unit has it.
simd_unit::XmmOperation xmm_operation(const InstructionRow& row, const HostUnits& units);
simd_unit::MmxOperation mmx_operation(const InstructionRow& row, const HostUnits& units);

// The host's own instruction may carry out the row, on any of its operands.
bool host_carries_out(const InstructionRow& row, const HostUnits& units);

}  // namespace relic86::simd_soft
