#include "jit/record/recorders.h"

#include <string_view>

#include "cpu/instruction_table.h"
#include "cpu/locked_access.h"
#include "cpu/semantics/arithmetic.h"
#include "cpu/semantics/bits.h"
#include "cpu/semantics/branches.h"
#include "cpu/semantics/moves.h"
#include "cpu/semantics/shifts.h"
#include "cpu/simd_soft.h"
#include "cpu/system_instructions.h"
#include "jit/record/atomic_forms.h"
#include "jit/record/compound_forms.h"
#include "jit/record/native_forms.h"
#include "jit/record/string_forms.h"
#include "jit/record/system_forms.h"

namespace relic86::jit {

namespace {

template <class Semantics, class V, bool memory, class... Notation>
void record_text(IrBuilder& builder) {
  Semantics::run(builder, typename Notation::template As<V, memory>{}...);
}

template <class Semantics, class... Notation>
constexpr RecorderSet hot(Operands<Notation...>) {
  constexpr bool kSplits = Operands<Notation...>::kSplits;
  return {&record_text<Semantics, u16, false, Notation...>, &record_text<Semantics, u16, kSplits, Notation...>,
          &record_text<Semantics, u32, false, Notation...>, &record_text<Semantics, u32, kSplits, Notation...>,
          &record_text<Semantics, u64, false, Notation...>, &record_text<Semantics, u64, kSplits, Notation...>};
}

#define RELIC86_NOTATION(...) ::relic86::Operands<__VA_ARGS__>
#define HOT(map, opcode, match, mnemonic, operands, Semantics, ...) \
  hot<::relic86::semantics::Semantics>(RELIC86_NOTATION operands{}),
#define COLD(...) RecorderSet{},
#define UNIT(...) RecorderSet{},

using namespace notation;
constexpr RecorderSet kRecorders[] = {
#include "cpu/insn.def"
};

// A shift by a count that is not known to be other than 0 may leave the flags alone. REX.W does not make the counts of
// bytes longer.
bool certain_flags(const Insn& insn, const InstructionRow& row) {
  if ((row.traits & kTraitMaybeFlags) == 0) return true;
  if ((row.traits & kTraitString) != 0) return !insn.repeats();
  const bool quadword = insn.operand64() && !std::string_view(row.operands).starts_with("(Eb");
  return row.immediate == ImmediateKind::Byte && (insn.immediate & (quadword ? 63 : 31)) != 0;
}

void record_native(InsnIr& ir, const InstructionRow& row) {
  const NativeForm& form = *ir.native;
  const Insn& insn = *ir.insn;
  constexpr u8 kCompare = 0xC2, kPredicates = 7;  // CMPPS and its like: hosts with AVX know others
  u8 immediate = static_cast<u8>(row.opcode == kCompare && !form.vex ? insn.immediate & kPredicates : insn.immediate);
  bool wide = insn.operand64() && (form.general_rm || form.general_reg);
  if (form.vex) {
    wide = form.vex_w || (form.by_w && insn.operand64());
    // The upper half of an immediate may name a register, one of eight outside of 64-bit code.
    if (form.fourth && !insn.code64()) immediate &= 0x7F;
  }
  ir.operands = {
      insn.reg, insn.rm, immediate, wide, x87_opcode(insn), insn.vex_register, form.length && insn.vector256()};
  if (insn.memory()) {
    const u16 address = 0;
    ir.nodes.push_back(address_of(ir));
    const u8 size = native_bytes(form, insn);
    ir.nodes.push_back({.op = form.store ? Op::NativeStore : Op::NativeLoad, .size = size, .a = address});
  } else {
    ir.nodes.push_back({.op = Op::NativeRegister});
  }
  ir.may_exit = form.special != NativeForm::Special::Nothing;
  ir.flags_read = row.flags_read;
  ir.flags_killed = form.compares ? u32{kArithmeticFlags} : 0;
  if (form.status_to_ax) ir.writes_registers = 1u << kEax;
  if (form.general_reg) ir.writes_registers = 1u << insn.reg;
  if (form.general_rm && form.store && !insn.memory()) ir.writes_registers = 1u << insn.rm;
}

// What the back end has to know of a call of the instruction's handler.
void describe_call(InsnIr& ir) {
  const Insn& insn = *ir.insn;
  const bool known = insn.row != kNoRow;
  const InstructionRow* const row = known ? &instruction_table()[insn.row] : nullptr;
  ir.ends = !known || (row->traits & kTraitEndsBlock) != 0;
  if (known) {
    const bool arithmetic = row->feature >= Feature::Fpu && row->feature <= Feature::AvxPclmulqdq;
    const bool system = insn.handler == mov_to_segment || insn.handler == pop_segment;
    ir.quiet = (row->flags_read | row->flags_written | row->undefined.flags) == 0 && !ir.ends &&
               (arithmetic || (row->traits & kTraitString) != 0 || system);
  }
  const bool time = insn.handler == rdtsc, identify = insn.handler == cpuid;
  ir.quiet = ir.quiet || (known && (time || identify || leaves_flags_alone(insn)));
  if (insn.replaced()) return;
  ir.call = time                  ? ColdCall::Time
            : identify            ? ColdCall::Identify
            : accesses_port(insn) ? ColdCall::Port
                                  : ColdCall::Handler;
}

// What has neither a text nor a form of the host's units.
bool record_other(InsnIr& ir, const Mode& mode, const VendorBehaviour& vendor) {
  return record_system(ir, mode, vendor) || record_string(ir, mode, vendor) ||
         (!mode.code64 && record_compound(ir, mode));
}

}  // namespace

const RecorderSet& recorders_of(unsigned row) { return kRecorders[row]; }

// An instruction that becomes another one all the time is called; so is a shift by a count that does.
bool call_when_patched(const Insn& insn) {
  return insn.replaced() ||
         (insn.patched_immediate() && (instruction_table()[insn.row].traits & kTraitMaybeFlags) != 0);
}

void record(InsnIr& ir, const Mode& mode, const VendorBehaviour& vendor, const HostUnits& host) {
  const Insn& insn = *ir.insn;
  if (insn.row == kNoRow || call_when_patched(insn)) {
    ir.cold = true;
  } else {
    constexpr std::size_t kUsual = 8;  // nodes
    ir.nodes.reserve(kUsual);
    const RecorderSet& set = recorders_of(insn.row);
    const Recorder recorder = insn.operand64()   ? (insn.memory() ? set.memory64 : set.register64)
                              : insn.operand32() ? (insn.memory() ? set.memory32 : set.register32)
                                                 : (insn.memory() ? set.memory16 : set.register16);
    if (recorder == nullptr) {
      if (!ir.cold && simd_soft::host_carries_out(instruction_table()[insn.row], host))
        ir.native = native_form(insn, mode, vendor);
      ir.cold = ir.native == nullptr && (ir.cold || !record_other(ir, mode, vendor));
      ir.leaves = ir.cold && changes_units(insn);
    } else {
      IrBuilder builder(ir, mode);
      recorder(builder);
    }
    if (!ir.cold && ir.native == nullptr && insn.handler == carry_out_locked) ir.cold = !make_atomic(ir);
  }
  if (ir.cold) {
    ir.nodes.clear();
    ir.may_exit = true;
    ir.flags_read = kArithmeticFlags;
    ir.flags_killed = 0;
    ir.writes_registers = kAllRegisters;
    describe_call(ir);
    return;
  }
  const InstructionRow& row = instruction_table()[insn.row];
  if (ir.native != nullptr) {
    record_native(ir, row);
    return;
  }
  summarise(ir);
  ir.branches = (row.traits & (kTraitBranch | kTraitEndsBlock)) != 0;
  ir.flags_read = row.flags_read;
  for (const Node& node : ir.nodes) {
    if (node.op == Op::SetFlagsByte) ir.flags_read |= kOF;  // an image of all six is made
    if (node.op == Op::SetInterrupts) describe_call(ir);    // at the end of a block it is its handler's
    if (node.op != Op::SetDirection || (node.immediate != 0) == mode.down) continue;
    ir.leaves = ir.may_exit = true;
  }
  if (certain_flags(insn, row)) {
    ir.flags_killed = row.flags_written | (row.undefined.value == UndefinedValue::Keep ? 0u : row.undefined.flags);
  }
}

}  // namespace relic86::jit
