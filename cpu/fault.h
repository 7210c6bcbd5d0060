// Guest faults are values: an instruction that faults records the fault and returns Flow::Fault.
#pragma once

#include "base/types.h"

namespace relic86 {

// Exception vectors (SDM 3A 6.15).
enum class Vector : u8 {
  DivideError = 0,
  Debug = 1,
  Nmi = 2,
  Breakpoint = 3,
  Overflow = 4,
  BoundRange = 5,
  InvalidOpcode = 6,
  DeviceNotAvailable = 7,
  DoubleFault = 8,
  CoprocessorSegmentOverrun = 9,
  InvalidTss = 10,
  SegmentNotPresent = 11,
  StackFault = 12,
  GeneralProtection = 13,
  PageFault = 14,
  X87Error = 16,
  AlignmentCheck = 17,
  MachineCheck = 18,
  SimdError = 19,
};

constexpr bool has_error_code(Vector vector) {
  switch (vector) {
    case Vector::DoubleFault:
    case Vector::InvalidTss:
    case Vector::SegmentNotPresent:
    case Vector::StackFault:
    case Vector::GeneralProtection:
    case Vector::PageFault:
    case Vector::AlignmentCheck: return true;
    default: return false;
  }
}

struct Fault {
  Vector vector = Vector::InvalidOpcode;
  u32 error_code = 0;  // meaningful when has_error_code(vector); Debug: kInstructionBreakpoint or 0
  LinAddr address{};   // PageFault: what CR2 will hold
};

// Fault::error_code of a #DB that an instruction breakpoint raises; never pushed.
inline constexpr u32 kInstructionBreakpoint = 1;

// What an instruction did to the flow of execution.
enum class Flow : u8 {
  Next,      // completed; the next instruction follows it in memory
  Branched,  // completed; rip holds the target
  Stop,  // completed, rip not yet advanced: the engine advances it, leaves the block and looks at pending work and mode
  StopAt,  // completed, rip holds where to go on; then as Stop (far transfers, IRET, interrupts, mode switches)
  Again,   // a REP instruction with iterations left: rip stays, budget spent per iteration was already taken
  Lookup,  // nothing was done: the code at rip changed under the engine and must be looked up again
  Fault,   // not completed: Cpu::fault() holds why; rip is still the instruction's
};

}  // namespace relic86
