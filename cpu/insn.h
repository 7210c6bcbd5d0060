// A decoded instruction as the engines use it. 40 bytes, no pointers into Zydis, independent of the linear address.
// Fields of 64 bits are zero in their upper halves but in 64-bit code, where they are sign-extended.
#pragma once

#include "base/types.h"
#include "cpu/fault.h"

namespace relic86 {

class Cpu;
struct Insn;

// Executes one instruction. rip is the instruction's own offset on entry.
using Handler = Flow (*)(Cpu&, const Insn&);

enum InsnFlags : u16 {
  kInsnMemory = 1u << 0,  // the E operand is memory
  kInsnLock = 1u << 1,
  kInsnRep = 1u << 2,        // F3
  kInsnRepne = 1u << 3,      // F2
  kInsnOperand32 = 1u << 4,  // effective operand size 32 or 64 (else 16)
  kInsnAddress32 = 1u << 5,  // effective address size 32 or 64 (else 16)
  // The guest wrote over the instruction while its block lived (cpu/code_patches.h):
  kInsnPatchedImmediate = 1u << 6,  // over its immediate
  kInsnReplaced = 1u << 7,          // over more than that
  // 64-bit code only:
  kInsnOperand64 = 1u << 8,  // effective operand size 64
  kInsnAddress64 = 1u << 9,  // effective address size 64 (else 32)
  kInsnRex = 1u << 10,       // byte registers 4 to 7 are SPL, BPL, SIL, DIL, not AH, CH, DH, BH
  kInsnCode64 = 1u << 11,    // decoded as 64-bit code
  // With a VEX prefix:
  kInsnVector256 = 1u << 12,  // VEX.L: vectors are 256 bits wide
  kInsnVex = 1u << 13,
};

struct Insn {
  Handler handler = nullptr;
  // Of the memory operand; moffs. From the next instruction where base is kRipRegister: then it includes the length.
  u64 displacement = 0;
  // Sign-extended where the manual sign-extends; relative branch distance. Bits 47:32: immediate2().
  u64 immediate = 0;
  // FFFFh with 16-bit addresses: offset = (base + index * scale + displacement) & mask; kInsnAddress64: not masked.
  u32 address_mask = 0xFFFFFFFF;
  u16 row = 0;    // index into the instruction table (cpu/insn.def)
  u16 flags = 0;  // InsnFlags
  u8 length = 0;  // 1 to 15 bytes
  u8 reg = 0;     // ModRM.reg; without ModRM the register in the opcode: bits 2:0, for PUSH and POP of segments 5:3
  u8 rm = 0;      // ModRM.rm of a register form
  u8 base = 16;   // Gpr of the address, kNoRegister if none, kRipRegister
  u8 index = 16;
  u8 scale = 0;         // shift count 0 to 3
  u8 segment = 3;       // SegmentName of the memory operand, override applied
  u8 vex_register = 0;  // VEX.vvvv

  bool memory() const { return (flags & kInsnMemory) != 0; }
  bool operand32() const { return (flags & kInsnOperand32) != 0; }
  bool address32() const { return (flags & kInsnAddress32) != 0; }
  bool operand64() const { return (flags & kInsnOperand64) != 0; }
  bool address64() const { return (flags & kInsnAddress64) != 0; }
  bool vex() const { return (flags & kInsnVex) != 0; }
  bool vector256() const { return (flags & kInsnVector256) != 0; }
  bool code64() const { return (flags & kInsnCode64) != 0; }
  // ENTER's level, a far pointer's selector, the second of two bytes, the ModRM byte of x87 forms (for FOP).
  u16 immediate2() const { return static_cast<u16>(immediate >> 32); }
  bool patched_immediate() const { return (flags & kInsnPatchedImmediate) != 0; }
  bool replaced() const { return (flags & kInsnReplaced) != 0; }
  bool repeats() const { return (flags & (kInsnRep | kInsnRepne)) != 0; }
};
static_assert(sizeof(Insn) <= 40);

}  // namespace relic86
