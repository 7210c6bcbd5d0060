#include "jit/record/recorders.h"

#include "cpu/instruction_table.h"
#include "cpu/semantics/arithmetic.h"
#include "cpu/semantics/branches.h"
#include "cpu/semantics/moves.h"
#include "cpu/semantics/shifts.h"
#include "cpu/simd_soft.h"
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
          &record_text<Semantics, u32, false, Notation...>, &record_text<Semantics, u32, kSplits, Notation...>};
}

#define RELIC86_NOTATION(...) ::relic86::Operands<__VA_ARGS__>
#define HOT(map, opcode, match, mnemonic, operands, Semantics, ...) \
  hot<::relic86::semantics::Semantics>(RELIC86_NOTATION operands{}),
#define COLD(...) RecorderSet{},

using namespace notation;
constexpr RecorderSet kRecorders[] = {
#include "cpu/insn.def"
};

bool touches_memory(const InsnIr& ir) {
  for (const Node& node : ir.nodes) {
    switch (node.op) {
      case Op::Load:
      case Op::LoadForWrite:
      case Op::Store:
      case Op::Push:
      case Op::Pop:
      case Op::Peek:
      case Op::Div:
      case Op::Idiv:
      case Op::JumpTo:
      case Op::CheckTarget:
      case Op::JumpIf:
      case Op::JumpIfCounting:
      case Op::CheckTrusted:
      case Op::SetFlags:
      case Op::ClearInterrupts:
      case Op::SetInterrupts:
      case Op::LoadSegment:
      case Op::CompareExchange8:
      case Op::PushAll:
      case Op::PopAll:
      case Op::Enter:
      case Op::TableLoad:
      case Op::CheckBounds:
      case Op::CheckOverflow:
      case Op::RepeatMove:
      case Op::RepeatStore:
      case Op::VerifySegment:
      case Op::LoadFar:
      case Op::DescribeSegment:
      case Op::CheckProtected:
      case Op::AdjustLevel:
      case Op::FastTransfer:
      case Op::FarTransfer:
      case Op::DirectTransfer:
      case Op::TableRegister:
      case Op::SystemRegister:
      case Op::StringLoad:
      case Op::StringStore: return true;
      default: break;
    }
  }
  return false;
}

// A shift by a count that is not known to be other than 0 may leave the flags alone.
bool certain_flags(const Insn& insn, const InstructionRow& row) {
  if ((row.traits & kTraitMaybeFlags) == 0) return true;
  if ((row.traits & kTraitString) != 0) return !insn.repeats();
  return row.immediate == ImmediateKind::Byte && (insn.immediate & 31) != 0;
}

void record_native(InsnIr& ir, const InstructionRow& row) {
  const NativeForm& form = *ir.native;
  ir.may_exit = form.special != NativeForm::Special::Nothing;
  ir.flags_read = row.flags_read;
  ir.flags_killed = form.compares ? u32{kArithmeticFlags} : 0;
  if (form.status_to_ax) ir.writes_registers = 1u << kEax;
  if (form.general_reg) ir.writes_registers = 1u << ir.insn->reg;
  if (form.general_rm && form.store && !ir.insn->memory()) ir.writes_registers = 1u << ir.insn->rm;
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
    const RecorderSet& set = recorders_of(insn.row);
    const Recorder recorder = insn.operand32() ? (insn.memory() ? set.memory32 : set.register32)
                                               : (insn.memory() ? set.memory16 : set.register16);
    if (recorder == nullptr) {
      if (!ir.cold && simd_soft::host_carries_out(instruction_table()[insn.row], host))
        ir.native = native_form(insn, mode);
      ir.cold = ir.native == nullptr && (ir.cold || !(record_system(ir, mode, vendor) ||
                                                      record_string(ir, mode, vendor) || record_compound(ir, mode)));
      ir.leaves = ir.cold && changes_units(insn);
    } else {
      IrBuilder builder(ir, mode);
      recorder(builder);
    }
  }
  if (ir.cold) {
    ir.nodes.clear();
    ir.may_exit = true;
    ir.flags_read = kArithmeticFlags;
    ir.flags_killed = 0;
    ir.writes_registers = 0xFF;
    return;
  }
  const InstructionRow& row = instruction_table()[insn.row];
  if (ir.native != nullptr) {
    record_native(ir, row);
    return;
  }
  for (const Node& node : ir.nodes) {
    if (node.op == Op::SetDirection && (node.immediate != 0) != mode.down) ir.leaves = true;
  }
  ir.may_exit = touches_memory(ir) || ir.leaves;
  ir.branches = (row.traits & (kTraitBranch | kTraitEndsBlock)) != 0;
  ir.flags_read = row.flags_read;
  for (const Node& node : ir.nodes) {
    if (node.op == Op::SetFlagsByte) ir.flags_read |= kOF;  // an image of all six is made
  }
  if (certain_flags(insn, row)) {
    ir.flags_killed = row.flags_written | (row.undefined.value == UndefinedValue::Keep ? 0u : row.undefined.flags);
  }
}

}  // namespace relic86::jit
