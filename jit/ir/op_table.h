// What is known of every operation of the intermediate representation: the rows of ops.def as data. The analyses, the
// recorders' summaries, the verifier, listings and the generator of random blocks read them; only what host code an
// operation becomes is said elsewhere.
#pragma once

#include "base/types.h"
#include "cpu/insn.h"
#include "cpu/lazy_flags.h"
#include "cpu/state.h"

namespace relic86::jit {

enum class Op : u8 {
#define OP(Name, ...) Name,
#include "jit/ir/ops.def"
#undef OP
};

// What a node gives.
enum class Kind : u8 { None, Value, Truth, Address, Pair, Target };
// What an operand of a node may be (explained on top of ops.def).
enum class Slot : u8 {
  None,
  Value,
  Byte,
  Source,
  Any,
  Selector,
  Optional,
  MaybeValue,
  Constants,
  Truth,
  Address,
  Pair,
  Place
};
enum class RegisterUse : u8 { None, Read, Written, MaybeWritten, Width, Pointer, Index, Table };
enum class ImmediateUse : u8 {
  None,
  Value,
  Displacement,
  Carry,
  Flag,
  Condition,
  Bytes,
  Offset,
  Registers,
  Far,
  System,
  Decimal,
  Slot,
  Table,
  Flags,
  Atomic
};

enum OpTraits : u32 {
  kOpFaults = 1u << 0,
  kOpLeaves = 1u << 1,
  kOpExitsLate = 1u << 2,
  kOpEnds = 1u << 3,
  kOpLoads = 1u << 4,
  kOpStores = 1u << 5,
  kOpChanges = 1u << 6,
  kOpReloads = 1u << 7,
  kOpNoLoop = 1u << 8,
  kOpSettles = 1u << 9,
  kOpMaybeFlags = 1u << 10,
  kOpLogic = 1u << 11,
  kOpCommutes = 1u << 12,
  kOpSilent = 1u << 13,
  kOpFlagsOnly = 1u << 14,
  kOpAddressed = 1u << 15,
  kOpSegment = 1u << 16,
  kOpShares = 1u << 17,
  kOpRemaps = 1u << 18,
};

struct OpInfo {
  const char* name;
  Kind result;
  Slot operands[3];
  u32 sizes;  // bit n: Node::size may be n
  RegisterUse reg;
  ImmediateUse immediate;
  u32 flags_defined, flags_read;
  u8 registers_read, registers_written;  // beyond those that the node names; bit n: guest register n
  u32 traits;                            // OpTraits

  constexpr bool has(OpTraits trait) const { return (traits & trait) != 0; }
};

namespace op_rows {

// The vocabulary of the columns.
constexpr u32 W0 = 1u << 0, W1 = 1u << 1, W2 = 1u << 2, W4 = 1u << 4, W6 = 1u << 6, W8 = 1u << 8, W16 = 1u << 16,
              UNITS = W2 | W4 | W8 | 1u << 10 | W16;
constexpr u32 CF = kCF, OF = kOF, ZF = kZF, OSZAPC = kArithmeticFlags, OSZAP = OSZAPC & ~CF;
constexpr u8 EAX = 1u << kEax, ECX = 1u << kEcx, EDX = 1u << kEdx, EBX = 1u << kEbx, ESP = 1u << kEsp, EBP = 1u << kEbp,
             ESI = 1u << kEsi, EDI = 1u << kEdi, ALL = 0xFF;
constexpr u32 FAULTS = kOpFaults, LEAVES = kOpLeaves, EXITS_LATE = kOpExitsLate, ENDS = kOpEnds, LOADS = kOpLoads,
              STORES = kOpStores, CHANGES = kOpChanges, RELOADS = kOpReloads, NO_LOOP = kOpNoLoop, SETTLES = kOpSettles,
              MAYBE_FLAGS = kOpMaybeFlags, LOGIC = kOpLogic, COMMUTES = kOpCommutes, SILENT = kOpSilent,
              FLAGS_ONLY = kOpFlagsOnly, ADDRESSED = kOpAddressed, SEGMENT = kOpSegment, SHARES = kOpShares,
              REMAPS = kOpRemaps;

#define RELIC86_SLOTS(a, b, c) \
  { Slot::a, Slot::b, Slot::c }
#define OP(Name, result, operands, sizes, reg, immediate, defined, read, fixed_read, fixed_written, traits) \
  {#Name, Kind::result, RELIC86_SLOTS operands, sizes, RegisterUse::reg, ImmediateUse::immediate, defined,  \
   read,  fixed_read,   fixed_written,          traits},
inline constexpr OpInfo kRows[] = {
#include "jit/ir/ops.def"
};
#undef OP
#undef RELIC86_SLOTS

}  // namespace op_rows

inline constexpr unsigned kOperations = sizeof(op_rows::kRows) / sizeof(op_rows::kRows[0]);
static_assert(kOperations <= 256);

constexpr const OpInfo& info(Op op) { return op_rows::kRows[static_cast<unsigned>(op)]; }

// INC and DEC: all flags but CF.
constexpr bool counts(Op op) { return info(op).flags_defined == op_rows::OSZAP; }
// Shifts and rotations: b is a count of one byte, in whatever width it was kept.
constexpr bool takes_count(Op op) { return info(op).operands[1] == Slot::Byte; }

}  // namespace relic86::jit
