// The intermediate representation: per guest instruction a short list of nodes, each a builder operation of
// cpu/semantics/. Values live within their instruction only; between instructions everything is in guest registers,
// guest flags and memory. So the IR of a block is as long as the block and needs no global register allocation.
//
// It is complete in itself: addresses name their registers, branches their targets, instructions of the host's units
// their operands. Insn is carried along for C++ that exits and calls of handlers lead to, and for nobody else.
#pragma once

#include <vector>

#include "base/types.h"
#include "cpu/insn.h"
#include "cpu/semantics/condition.h"
#include "jit/ir/op_table.h"

namespace relic86::jit {

// Where POP of a segment register has the selector from: the whole slot is read, or the selector alone.
enum PopFrom : u32 { kPopSlot, kPopSelector };

// Interrupt: INT n and INT3. The last three change CR0.TS, and so perhaps the mode: CLTS, LMSW, MOV to CR0.
enum class FarKind : u8 { Jump, Call, Return, InterruptReturn, Interrupt, ClearTaskSwitched, MachineStatus, Cr0 };
constexpr bool sets_unit_flags(FarKind kind) { return kind >= FarKind::ClearTaskSwitched; }

// What SMSW and MOV from a control register, SLDT and STR read.
enum class SystemSource : u8 { Cr0, Cr2, Cr3, Ldtr, Tr };

// SGDT and SIDT; LGDT and LIDT, by the operand size: 16 bits take 24 bits of the base.
enum class TableMove : u8 { Store, Load24, Load32 };

inline constexpr u16 kNoValue = 0xFFFF;
inline constexpr u16 kNoGroup = 0xFFFF;

// Added to a byte register's number.
inline constexpr u8 kLowByte = 16;
// What an instruction of which nothing is known changes.
inline constexpr u32 kAllRegisters = 0xFFFF;

// How an Atomic combines what stands in memory with its operand; Exchange: the operand takes its place. The last three
// change the bit whose number the operand is, modulo the width.
enum class AtomicKind : u8 { Exchange, Add, Sub, And, Or, Xor, SetBit, ClearBit, ComplementBit };

// What the fields mean for an operation says its row in ops.def.
struct Node {
  Op op{};
  u8 size = 0;  // bytes
  u8 reg = 0;   // size 1: 4 to 7 are AH, CH, DH, BH, with kLowByte SPL, BPL, SIL, DIL
  u8 segment = 0;
  u16 a = kNoValue, b = kNoValue, c = kNoValue;
  // Address: offset = (base + (index << scale) + immediate), cut to address_size bytes. kRipRegister as its base: the
  // immediate counts from the block's first byte.
  u8 base = kNoRegister, index = kNoRegister;
  u64 immediate = 0;
  // Accesses: the group of neighbours (jit/analyse/page_plan.h) and the distance from its first access.
  u16 group = kNoGroup;
  u8 scale = 0;
  u8 address_size = 0;
  i32 offset = 0;
};
static_assert(sizeof(Node) == 32);

struct NativeForm;

// What of an instruction of the host's units its form does not say.
struct NativeOperands {
  u8 reg = 0, rm = 0;  // of ModRM
  u8 immediate = 0;
  bool wide = false;   // a general register of eight bytes
  u16 x87_opcode = 0;  // FOP: the low bits of the escape byte and the ModRM byte
  u8 vex = 0;          // VEX.vvvv
  bool vector256 = false;
};

// What a cold instruction calls: its handler, RDTSC's clock, CPUID's table, IN's and OUT's device.
enum class ColdCall : u8 { Handler, Time, Identify, Port };

// One guest instruction. cold: its handler is called. native: the host's units carry it out.
struct InsnIr {
  const Insn* insn = nullptr;  // for exits and calls
  u32 offset = 0, end = 0;     // of its bytes, from the block's first byte; in a region perhaps before it, modulo 2^32
  bool cold = false;
  bool leaves = false;  // the mode may be another afterwards: back to the dispatcher
  // Of cold ones: what is called; whether it neither reads nor writes arithmetic flags, nor shows them to anyone;
  // whether the handler goes on elsewhere.
  ColdCall call = ColdCall::Handler;
  bool quiet = false;
  bool ends = false;
  const NativeForm* native = nullptr;
  NativeOperands operands;
  const u64* patched = nullptr;  // where a PatchedImmediate stands: the guest writes over it
  std::vector<Node> nodes;

  // For the flag analysis (flag_analysis.h).
  u32 flags_read = 0;
  u32 flags_killed = 0;  // certainly overwritten
  bool may_exit = false;
  bool branches = false;     // may leave after its own register writes
  u32 writes_registers = 0;  // bit n: guest register n

  // Of a region: 1 + index of the innermost call that it has followed and not returned from.
  u16 followed_call = 0;
};

// Accesses that lie at constant distances from each other: bytes [low, high) from the first one's address.
struct PageGroup {
  i32 low = 0, high = 0;
  u32 accesses = 0;
  bool writes = false;       // one of them does
  bool within_page = false;  // whatever the registers hold
  // The access at this distance faults if it is no multiple of so many bytes; 0: none does.
  u32 alignment = 0;
  i32 aligned_at = 0;
  // Of a loop: the first access is an instruction's memory operand, and no iteration moves its address.
  bool fixed = false;
  u16 insn = 0;            // of the first access
  u16 address = kNoValue;  // its Address there; none: the stack's
};

// A page of a region's code other than its head's.
struct CodePage {
  i32 first = 0;             // where it begins, from the beginning of the head's page on
  const u8* host = nullptr;  // its first byte
};

// A call that a region follows to where it leads.
struct FollowedCall {
  u32 return_place = 0;  // from the head's first byte on
  u16 outer = 0;         // InsnIr::followed_call of the instruction
};

struct BlockIr {
  std::vector<InsnIr> insns;
  std::vector<PageGroup> groups;
  bool code32 = false;
  bool code64 = false;
  u32 page_offset = 0;        // where the block begins in its page
  u64 head_page = 0;          // the number of that page in the backing store
  bool region = false;        // instructions of several blocks, in the order of a path (jit/region/path.h)
  u32 head_instructions = 0;  // of the first of these blocks
  std::vector<CodePage> pages;
  std::vector<FollowedCall> calls;
  // Of these, the one that holds a place, which counts from the beginning of the head's page; null: none does.
  const CodePage* page_at(i32 place) const {
    for (const CodePage& page : pages) {
      if (page.first == (place & ~static_cast<i32>(kPageSize - 1))) return &page;
    }
    return nullptr;
  }
  // The block ends with a branch to its own start, and nothing in it can change what a check found: checks may stand
  // before the loop.
  bool loop = false;
};

// AH, CH, DH or BH.
constexpr bool names_high_byte(const Node& node) { return node.size == 1 && node.reg >= 4 && node.reg < 8; }
// The guest register that holds what Node::reg names.
constexpr u8 register_of(const Node& node) {
  if (node.size != 1 || node.reg == kNoRegister) return node.reg;
  return names_high_byte(node) ? node.reg & 3u : node.reg & (kLowByte - 1u);
}

// The guest registers that a node writes.
constexpr u32 registers_written(const Node& node) {
  const OpInfo& row = info(node.op);
  u32 written = row.registers_written;
  const bool names = row.reg == RegisterUse::Written || row.reg == RegisterUse::MaybeWritten;
  if (names && node.reg != kNoRegister) written |= 1u << register_of(node);
  if (row.immediate == ImmediateUse::Registers) written |= static_cast<u32>(node.immediate);
  return written;
}

// The arithmetic flags that a node reads, and those that it defines, if perhaps not always (kOpMaybeFlags).
constexpr u32 flags_read(const Node& node) {
  constexpr u32 kComplement = 2;
  u32 read = info(node.op).flags_read;
  if (node.op == Op::Condition) read |= flags_read_by(static_cast<Condition>(node.immediate));
  if (node.op == Op::FlagsByte) read |= static_cast<u32>(node.immediate);
  if (node.op == Op::SetCarry && node.immediate == kComplement) read |= kCF;
  return read;
}
constexpr u32 flags_defined(const Node& node) {
  const bool returns =
      info(node.op).immediate == ImmediateUse::Far && node.immediate == static_cast<u32>(FarKind::InterruptReturn);
  return returns ? u32{kArithmeticFlags} : info(node.op).flags_defined;
}

// A direct branch's target, as an offset from the block's first byte; false: the node is none.
constexpr bool direct_target(const InsnIr& insn, const Node& node, i32& target) {
  if (!info(node.op).has(kOpLeaves)) return false;
  if (info(node.op).immediate == ImmediateUse::Offset) {
    target = static_cast<i32>(node.immediate);
    return true;
  }
  if (node.a == kNoValue || insn.nodes[node.a].op != Op::TargetOf) return false;
  target = static_cast<i32>(insn.nodes[node.a].immediate);
  return true;
}

// Fills what the flag analysis wants to know of an instruction's nodes, all but flags_read, flags_killed, branches.
void summarise(InsnIr& insn);

}  // namespace relic86::jit
