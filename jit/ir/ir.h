// The intermediate representation: per guest instruction a short list of nodes, each a builder operation of
// cpu/semantics/. Values live within their instruction only; between instructions everything is in guest registers,
// guest flags and memory. So the IR of a block is as long as the block and needs no global register allocation.
#pragma once

#include <vector>

#include "base/types.h"
#include "cpu/insn.h"

namespace relic86::jit {

enum class Op : u8 {
  Constant,          // immediate
  PatchedImmediate,  // what Insn::immediate holds when the instruction executes
  GetRegister,       // reg, size; reg 4 to 7 with size 1: AH, CH, DH, BH
  SetRegister,       // reg, size, a
  Address,           // the instruction's effective address
  Load,              // a: Address; size
  LoadForWrite,
  Store,  // a: Address, b: value
  ZeroExtend,
  SignExtend,
  Truncate,
  HighHalf,
  // Operations that define flags as the host's instruction of the same name does.
  Add,
  Adc,
  Sub,
  Sbb,
  Neg,
  And,
  Or,
  Xor,
  Inc,
  Dec,
  Shl,
  Shr,
  Sar,
  Rol,
  Ror,
  Rcl,
  Rcr,
  Shld,
  Shrd,
  Mul,   // a, b; Low and High take the halves
  Imul,  // as Mul
  Bt,
  Bts,
  Btr,
  Btc,
  Bsf,
  Bsr,
  SetCarry,          // immediate 0 or 1; 2: the other one
  CompareExchange8,  // a: Address; EDX:EAX, ECX:EBX
  Literal,           // a step only: ZF, PF, CF from an EFLAGS image; OF, SF, AF 0
  Image,             // a step only: all six from an EFLAGS image
  // Operations without flags.
  Not,
  PlainAdd,
  Div,
  Idiv,
  Low,
  High,
  ByteSwap,
  SetFlagsByte,  // a: AH
  SetDirection,
  Condition,  // immediate: encoding of the condition
  ZeroCount,  // a == 0 under the address size
  Invert,
  Both,    // a, b: truths; a is one of ECX
  Select,  // a: truth, b: yes, c: no
  Truth,
  Push,  // a; immediate: what ESP goes down by where that is more than size
  Pop,
  Peek,             // immediate: 0 at ESP, 1 at EBP (LEAVE)
  SetStackPointer,  // ESP := (0: ESP, 1: EBP) + immediate; reg tells which
  NextInstruction,
  TargetOf,     // the branch's relative target
  JumpTo,       // a
  CheckTarget,  // a: a branch's target, before anything else happens: within CS's limit
  JumpIf,       // a: truth
  JumpIfCounting,
  // String instructions without a repeat prefix (jit/record/string_forms.h).
  StringLoad,   // reg: ESI or EDI
  StringStore,  // b: value
  Advance,      // immediate: registers that go on by size, up or down
  RepeatMove,   // REP MOVS within a page on each side
  RepeatStore,  // REP STOS within a page
  // Of the system's instructions, the usual case (jit/record/system_forms.h).
  Selector,         // reg: segment
  FlagsImage,       // what PUSHF pushes; immediate 1: for the arithmetic flags alone
  CheckTrusted,     // POPF before it looks at the stack: virtual-8086 mode needs IOPL 3
  SetFlags,         // a: what POPF popped
  ClearInterrupts,  // CLI
  SetInterrupts,    // STI
  LoadSegment,      // a: Address if from memory; reg: segment; immediate: LoadSegmentFrom; size: of the stack's slot
  LoadFar,          // a: Address; reg: segment; the offset goes to the instruction's register (LES and its like)
  DescribeSegment,  // LAR, LSL; a: Address if from memory; immediate 1: LSL
  VerifySegment,    // VERR, VERW; a: Address if from memory; immediate 1: for writing
  SetZero,          // a step only: ZF
  CheckProtected,   // not real-address or virtual-8086 mode, before anything else happens
  AdjustLevel,      // ARPL; a: the selector to be adjusted; the instruction's operand takes the result
  FastTransfer,     // SYSENTER; immediate 1: SYSEXIT
  FarTransfer,      // of 16-bit real-mode code; a: Address if indirect; immediate: FarKind
  DirectTransfer,   // of all other code; immediate: FarKind
  TableRegister,    // SGDT, SIDT; a: Address; reg 1: that of interrupts; immediate 1: LGDT, LIDT
  SystemRegister,   // to the instruction's register; immediate: SystemSource
  // Several steps in one instruction (jit/record/compound_forms.h). What is unusual is the interpreter's.
  BitAddress,  // a: Address, b: bit number; the operand of that size which holds the bit (BT to BTC)
  PushAll,
  PopAll,
  Enter,           // immediate: bytes of locals
  TableLoad,       // XLAT's byte
  CheckBounds,     // BOUND; a: Address
  CheckOverflow,   // INTO
  DecimalAdjust,   // a: flags; immediate: Decimal (cpu/integer_instructions.h)
  DivideDigits,    // AAM: AH and AL; immediate: the base
  MultiplyDigits,  // AAD: AH times immediate, no flags
};

// Where MOV and POP of a segment register have the selector from. POP reads the whole slot or the selector alone.
enum LoadSegmentFrom : u32 { kFromOperand, kFromSlot, kFromSlotsSelector };

// Interrupt: INT n and INT3. UnitFlags: what may change CR0.TS, and so the mode.
enum class FarKind : u8 { Jump, Call, Return, InterruptReturn, Interrupt, UnitFlags };

// What SMSW and MOV from a control register, SLDT and STR read.
enum class SystemSource : u8 { Cr0, Cr2, Cr3, Ldtr, Tr };

inline constexpr u16 kNoValue = 0xFFFF;
inline constexpr u16 kNoGroup = 0xFFFF;

struct Node {
  Op op{};
  u8 size = 0;  // bytes
  u8 reg = 0;
  u16 a = kNoValue, b = kNoValue, c = kNoValue;
  u32 immediate = 0;
  // Accesses: the group of neighbours (jit/analyse/page_plan.h) and the distance from its first access.
  u16 group = kNoGroup;
  i32 offset = 0;
};

struct NativeForm;

// One guest instruction. cold: its handler is called. native: the host's units carry it out.
struct InsnIr {
  const Insn* insn = nullptr;
  u32 offset = 0;  // from the block's first byte
  bool cold = false;
  bool leaves = false;  // the mode may be another behind it: back to the dispatcher
  const NativeForm* native = nullptr;
  Node access{};  // native: of the memory operand; only its size, group and offset count
  std::vector<Node> nodes;

  // For the flag analysis (flag_analysis.h).
  u32 flags_read = 0;
  u32 flags_killed = 0;  // certainly overwritten
  bool may_exit = false;
  bool branches = false;     // may leave behind its own register writes
  u32 writes_registers = 0;  // bit n: guest register n
};

// Accesses that lie at constant distances from each other: bytes [low, high) from the first one's address.
struct PageGroup {
  i32 low = 0, high = 0;
  u32 accesses = 0;
  bool writes = false;  // one of them does
  // Of a loop: the first access, an instruction's memory operand, and whether no iteration moves its address.
  bool fixed = false;
  u16 insn = 0;
};

struct BlockIr {
  std::vector<InsnIr> insns;
  std::vector<PageGroup> groups;
  bool code32 = false;
  // The block ends with a branch to its own start, and nothing in it can change what a check found: checks may stand
  // before the loop.
  bool loop = false;
};

}  // namespace relic86::jit
