// The semantics texts of the instruction table, compiled for IrBuilder.
#pragma once

#include "cpu/host_units.h"
#include "cpu/vendor_behaviour.h"
#include "jit/record/ir_builder.h"

namespace relic86::jit {

using Recorder = void (*)(IrBuilder&);

// Null for cold rows.
struct RecorderSet {
  Recorder register16, memory16, register32, memory32, register64, memory64;
};
const RecorderSet& recorders_of(unsigned row);

// Fills ir from ir.insn: nodes, or cold; and what the flag analysis wants to know.
void record(InsnIr& ir, const Mode& mode, const VendorBehaviour& vendor, const HostUnits& host);

}  // namespace relic86::jit
