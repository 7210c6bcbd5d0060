// What is known of every instruction form: the rows of cpu/insn.def as data. Drives decoding, dispatch, flag liveness,
// undefined-flag masks, fuzz generation and the coverage table.
#pragma once

#include <span>

#include "base/types.h"
#include "cpu/code_size.h"
#include "cpu/insn.h"
#include "cpu/unit_shape.h"

namespace relic86 {

// None, 0F, 0F 38, 0F 3A, and the last three again with a VEX prefix.
enum class OpcodeMap : u8 { OneByte, TwoByte, Escape38, Escape3A, VexTwoByte, Vex38, Vex3A };
inline constexpr std::size_t kOpcodeMaps = 7;

// Which encodings of an opcode a row covers. ANY covers all; conditions are joined with |.
enum MatchBits : u32 {
  kMatchReg = 1u << 3,  // ModRM.reg is bits 2:0
  kMatchRm = 1u << 7,   // ModRM.rm is bits 6:4
  kMatchMemory = 1u << 8,
  kMatchRegister = 1u << 9,
  kMatchNoPrefix = 1u << 10,  // mandatory prefixes of MMX and SSE forms
  kMatch66 = 1u << 11,
  kMatchF3 = 1u << 12,
  kMatchF2 = 1u << 13,
  kMatchPrefixes = kMatchNoPrefix | kMatch66 | kMatchF3 | kMatchF2,
  kMatchModRm = kMatchReg | kMatchRm | kMatchMemory | kMatchRegister,  // what asks for a ModRM byte
  kMatchNoRexB = 1u << 14,
  // With a VEX prefix: its L and W bits, and that VEX.vvvv names an operand (else it must be 1111b).
  kMatchL0 = 1u << 15,
  kMatchL1 = 1u << 16,
  kMatchW0 = 1u << 17,
  kMatchW1 = 1u << 18,
  kMatchVexRegister = 1u << 19,
};

// What a processor model must have for a form to exist; without it the form is #UD. The first five are generations.
enum class Feature : u8 {
  I8086,
  I80186,
  I80286,
  I80386,
  I80486,
  Cpuid,
  Tsc,
  Msr,
  Cmpxchg8b,
  Cmov,
  Sysenter,
  RdPmc,
  Fpu,
  Mmx,
  Fxsr,
  Sse,
  Sse2,
  Sse3,
  Ssse3,
  Sse41,
  Sse42,
  Sse4a,
  Aes,
  Pclmulqdq,
  Sha,
  Avx,
  Avx2,
  F16c,
  Fma,
  AvxAes,        // AVX and AES
  AvxPclmulqdq,  // AVX and PCLMULQDQ
  Clflush,
  Pause,  // PAUSE is more than NOP: the machine has several processors
  Monitor,
  Smap,
  Rdtscp,
  Popcnt,
  Syscall,
  Cmpxchg16b,
  Lahf64,  // LAHF and SAHF in 64-bit mode
  Lzcnt,
  Movbe,
  Adx,
  Rdrand,
  Rdseed,
  Fsgsbase,
  Invpcid,
  Bmi1,
  Bmi2,
  Xsave,
  Xsaveopt,
  Xsavec,
  Count
};
using FeatureSet = u64;  // bit n: Feature n
constexpr FeatureSet feature_bit(Feature feature) { return FeatureSet{1} << static_cast<unsigned>(feature); }
constexpr FeatureSet kAllFeatures = (FeatureSet{1} << static_cast<unsigned>(Feature::Count)) - 1;

enum TraitBits : u16 {
  kTraitLockable = 1u << 0,         // LOCK is legal on the form with a memory destination
  kTraitFaults = 1u << 1,           // can fault apart from its memory operand
  kTraitEndsBlock = 1u << 2,        // never followed by the next instruction within a block
  kTraitBranch = 1u << 3,           // may leave the block, may fall through
  kTraitCpl0 = 1u << 4,             // #GP(0) unless CPL = 0
  kTraitIopl = 1u << 5,             // sensitive to IOPL or the I/O permission map
  kTraitStack = 1u << 6,            // touches the stack
  kTraitString = 1u << 7,           // REP prefixes repeat it
  kTraitMaybeFlags = 1u << 8,       // the written flags stay in some cases: a shift count of 0
  kTraitNoOperandPrefix = 1u << 9,  // 66 does not change the operand size (it is a mandatory prefix, or ignored)
  kTraitNot64 = 1u << 10,           // #UD in 64-bit mode
  kTraitOnly64 = 1u << 11,          // exists in 64-bit mode alone
  kTraitDefault64 = 1u << 12,       // in 64-bit mode the operand size is 64, with 66 16
  kTraitNear64 = 1u << 13,          // the same of near branches, where 66 is ignored by some parts (vendor_behaviour.h)
};

// The one value that relic86 gives flags that the manual leaves undefined.
enum class UndefinedValue : u8 {
  None,
  Zero,
  Keep,     // unchanged
  Formula,  // spelled out where the semantics are
};
struct UndefinedFlags {
  u32 flags = 0;
  UndefinedValue value = UndefinedValue::None;
};

// Bytes behind ModRM, SIB and displacement.
enum class ImmediateKind : u8 {
  None,
  Byte,          // Ib
  SignedByte,    // Ib sign-extended to the operand size
  Word,          // Iw
  OperandSize,   // Iz: 2 or 4 bytes, sign-extended to operand size 64
  RelativeByte,  // Jb
  RelativeFull,  // Jz
  FarPointer,    // Ap: offset of the operand size, then a selector
  Offset,        // Ob, Ov: offset of the address size (a displacement)
  WordByte,      // Iw,Ib of ENTER
  OperandFull,   // Iv: 2, 4 or 8 bytes
  BytePair,      // Ib,Ib of EXTRQ and INSERTQ
};

struct InstructionRow {
  OpcodeMap map;
  u8 opcode;
  u32 match;  // MatchBits
  const char* mnemonic;
  const char* operands;  // the manual's notation, in parentheses
  const char* meaning;   // name of the semantics class or the cold function
  bool hot;
  bool modrm;            // a ModRM byte follows the opcode
  bool opcode_register;  // the opcode's low three bits name a register: the row covers eight opcodes
  // ModRM.reg and ModRM.rm that REX does not extend: MMX and segment registers, parts of the opcode.
  bool eight_by_reg, eight_by_rm;
  ImmediateKind immediate;
  u32 flags_read;
  u32 flags_written;  // defined ones
  UndefinedFlags undefined;
  u16 traits;  // TraitBits
  Feature feature;
  UnitShape shape;  // 0 unless the host's x87, MMX or SSE unit can carry it out
};

std::span<const InstructionRow> instruction_table();

// The interpreter's handlers of one row by operand size. Rows without an E operand have the same one for register and
// memory.
struct SizedHandlers {
  Handler register16, memory16, register32, memory32;
};
struct HandlerSet {
  SizedHandlers legacy;  // of 16- and 32-bit code
  SizedHandlers code64;  // of 64-bit code
  Handler register64, memory64;

  Handler of(const Insn& insn) const {
    if (insn.operand64()) return insn.memory() ? memory64 : register64;
    const SizedHandlers& sized = insn.code64() ? code64 : legacy;
    if (insn.operand32()) return insn.memory() ? sized.memory32 : sized.register32;
    return insn.memory() ? sized.memory16 : sized.register16;
  }
};
const HandlerSet& handlers_of(unsigned row);

// The row that covers an encoding, or kNoRow. reg, rm and memory are ModRM's; 0 and false without ModRM.
inline constexpr u16 kNoRow = 0xFFFF;
struct Encoding {
  OpcodeMap map = OpcodeMap::OneByte;
  u8 opcode = 0;
  u8 reg = 0;
  u8 rm = 0;
  bool memory = false;
  bool prefix66 = false;
  bool prefix_f3 = false;
  bool prefix_f2 = false;
  bool rex_b = false;
  // With a VEX prefix; vex_register is 0 without an operand in VEX.vvvv.
  bool vex_w = false;
  bool vex_l = false;
  u8 vex_register = 0;
};
// Whether any row of this opcode exists in code of this size, and whether the opcode has a ModRM byte.
struct OpcodeShape {
  bool exists = false;
  bool modrm = false;
};
OpcodeShape opcode_shape(CodeSize size, OpcodeMap map, u8 opcode, FeatureSet features);
u16 find_row(CodeSize size, const Encoding& encoding, FeatureSet features);

}  // namespace relic86
