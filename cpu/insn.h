// A decoded instruction as the engines use it. 40 bytes, no pointers into Zydis, independent of the linear address.
#pragma once

#include "base/types.h"
#include "cpu/fault.h"

namespace relic86 {

class Cpu;
struct Insn;

// Executes one instruction. rip is the instruction's own offset on entry.
using Handler = Flow (*)(Cpu&, const Insn&);

enum InsnFlags : u8 {
  kInsnMemory = 1u << 0,  // the E operand is memory
  kInsnLock = 1u << 1,
  kInsnRep = 1u << 2,        // F3
  kInsnRepne = 1u << 3,      // F2
  kInsnOperand32 = 1u << 4,  // effective operand size 32 (else 16)
  kInsnAddress32 = 1u << 5,  // effective address size 32 (else 16)
  // The guest wrote over the instruction while its block lived (cpu/code_patches.h):
  kInsnPatchedImmediate = 1u << 6,  // over its immediate
  kInsnReplaced = 1u << 7,          // over more than that
};

struct Insn {
  Handler handler = nullptr;
  u32 displacement = 0;
  u32 address_mask = 0xFFFFFFFF;  // FFFFh with 16-bit addresses: offset = (base + index * scale + displacement) & mask
  u32 immediate = 0;   // sign-extended to 32 bits where the manual sign-extends; relative branch distance; moffs
  u16 immediate2 = 0;  // ENTER's level, far pointer's selector; x87: the ModRM byte, for FOP
  u16 row = 0;         // index into the instruction table (cpu/insn.def)
  u8 length = 0;       // 1 to 15 bytes
  u8 flags = 0;        // InsnFlags
  u8 reg = 0;    // ModRM.reg; without ModRM the register in the opcode: bits 2:0, for PUSH and POP of segments 5:3
  u8 rm = 0;     // ModRM.rm of a register form
  u8 base = 16;  // Gpr of the address, kNoRegister if none
  u8 index = 16;
  u8 scale = 0;    // shift count 0 to 3
  u8 segment = 3;  // SegmentName of the memory operand, override applied

  bool memory() const { return (flags & kInsnMemory) != 0; }
  bool operand32() const { return (flags & kInsnOperand32) != 0; }
  bool address32() const { return (flags & kInsnAddress32) != 0; }
  bool patched_immediate() const { return (flags & kInsnPatchedImmediate) != 0; }
  bool replaced() const { return (flags & kInsnReplaced) != 0; }
  bool repeats() const { return (flags & (kInsnRep | kInsnRepne)) != 0; }
};
static_assert(sizeof(Insn) <= 40);

}  // namespace relic86
