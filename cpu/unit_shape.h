// What an x87, MMX or SSE instruction is to an engine that leaves it to the host's own unit: a column of its row in the
// instruction table (cpu/insn.def). The translator encodes such an instruction again with host registers and a host
// address; a row whose shape is HANDLER is a call of its function.
#pragma once

#include "base/types.h"

namespace relic86 {

using UnitShape = u32;

enum UnitShapeBits : UnitShape {
  // The low bits: bytes of the memory operand, 0 if there is none or only the register form is meant.
  kShapeBytes = 0x1F,
  // The unit whose registers it needs.
  kShapeX87 = 1u << 5,
  kShapeMmx = 1u << 6,  // of MMX or of both MMX and SSE
  kShapeSse = 1u << 7,
  kShapeAligned = 1u << 8,      // the memory operand must be aligned to its size
  kShapeStore = 1u << 9,        // memory, or the register of ModRM.rm, is written
  kShapeGeneralRm = 1u << 10,   // ModRM.rm of the register form is a general register
  kShapeGeneralReg = 1u << 11,  // ModRM.reg is a general register, which is written
  kShapeImmediate = 1u << 12,   // an immediate byte follows
  kShapeCompares = 1u << 13,    // ZF, PF, CF := the result; OF, SF, AF := 0
  kShapeTracked = 1u << 14,     // FIP, FCS, FOP and FDP, FDS point to it afterwards (SDM 1 8.1.8)
  kShapeStatusToAx = 1u << 15,  // FNSTSW AX
  kShapeTraps = 1u << 16,       // raises exceptions, or meets a pending one
  kShapeMasks = 1u << 20,       // may change the units' masks or pending exceptions, and so the mode
  // With a VEX prefix (cpu/insn_vex.def).
  kShapeAvx = 1u << 26,             // the AVX unit has it
  kShapeLength = 1u << 21,          // VEX.L counts
  kShapeDoubles = 1u << 22,         // with it the memory operand has twice as many bytes
  kShapeVexDestination = 1u << 23,  // VEX.vvvv is the destination
  kShapeByW = 1u << 25,             // VEX.W makes the general operand one of 64 bits
  kShapeVsib = 1u << 24,            // the address has a vector of indices
  // Instructions that are more than what the host's does.
  kShapeSpecial = 7u << 17,
  kShapeNothing = 1u << 17,      // nothing is left to do: fences, hints
  kShapeWait = 2u << 17,         // FWAIT: nothing, unless an exception may be pending
  kShapeLoadControl = 3u << 17,  // FLDCW
  kShapeLoadMxcsr = 4u << 17,    // LDMXCSR
  kShapeInitialise = 5u << 17,   // FNINIT
  kShapeEmptyMmx = 6u << 17,     // EMMS
  kShapeZeroUpper = 7u << 17,    // VZEROUPPER
};

}  // namespace relic86
