#include "jit/x64/host_units.h"

#include "jit/record/native_forms.h"
#include "jit/runtime/engine_area.h"
#include "jit/x64/addresses.h"
#include "jit/x64/exits.h"

namespace relic86::jit::x64 {

bool HostUnits::used_from(std::size_t index) const {
  for (std::size_t i = index; i < ir_.insns.size(); ++i) {
    const NativeForm* const form = ir_.insns[i].native;
    if (form == nullptr || form->special == NativeForm::Special::Nothing) continue;
    if (form->special != NativeForm::Special::Wait || mode_.traps) return true;
  }
  return false;
}

void HostUnits::hold() {
  if (held_) return;
  held_ = true;
  const Label absent = a_.newLabel(), present = a_.newLabel();
  a_.cmp(area(offsetof(EngineArea, units)), 0);
  flags_.host_lost();
  a_.je(absent);
  a_.bind(present);
  deferred_.add([=, this] {
    a_.bind(absent);
    a_.call(thunks_.load_units);
    a_.jmp(present);
  });
}

void HostUnits::describe(ExitPoint& exit) const {
  exit.units = held_ && used_from(index_);
  if (pending_ == 0) return;
  exit.x87 = true;
  exit.x87_opcode = ir_.insns[pending_ - 1].operands.x87_opcode;
  exit.x87_eip = eip_of(pending_ - 1);
}

// The exit for exceptions that the host's unit raises at this instruction, or has pending there: the interpreter
// carries it out, and delivers what comes of it.
void HostUnits::expect_trap() {
  if (!mode_.traps || !insn().native->traps) return;
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  trap_exits_[index_] = exit;
  deferred_.add([=, this] {
    exit->stub_offset = static_cast<u32>(a_.offset());
    exits_.leave(exit);
  });
}

// The host's instruction that follows at once may trap.
void HostUnits::trap_here() {
  if (const ExitPoint* const exit = trap_exits_[index_]; exit != nullptr)
    translation_.trap_sites.push_back({static_cast<u32>(a_.offset()), exit});
}

bool HostUnits::may_wait() const {
  using Unit = NativeForm::Unit;
  if (trap_exits_[index_] == nullptr) return false;
  const Unit unit = insn().native->unit;
  return unit != Unit::Sse && unit != Unit::Avx;
}

// Before a slow access of an x87 or MMX instruction, which may fault or fill a TLB entry: a pending exception goes
// first.
void HostUnits::wait_here() {
  if (!may_wait()) return;
  trap_here();
  a_.fwait();
}

// No flags change.
void HostUnits::note_upper(Upper upper) {
  if (upper == Upper::Used && upper_noted_) return;
  upper_noted_ = upper == Upper::Used;
  a_.mov(area(offsetof(EngineArea, upper)), static_cast<u32>(upper));
}

// FDP, FDS: the offset is in kAddress.
void HostUnits::point_data_here(unsigned segment) {
  if (mode_.code64) {
    a_.mov(area(offsetof(EngineArea, long_fdp), 8), kAddress);
  } else {
    a_.mov(fx(offsetof(FxState, data), 4), kAddress.r32());
  }
  if (data_segment_ == segment) return;
  data_segment_ = segment;
  a_.movzx(kAddress.r32(), segment_field(segment, offsetof(Segment, selector), 2));
  a_.mov(fx(offsetof(FxState, data_selector), 4), kAddress.r32());
}

// FIP, FCS, FOP are written for the block's last x87 instruction only; exits before it carry the instruction.
void HostUnits::point_here() {
  pending_ = index_ + 1;
  for (std::size_t i = index_ + 1; i < ir_.insns.size(); ++i) {
    if (ir_.insns[i].native != nullptr && ir_.insns[i].native->tracked) return;
  }
  store_pointers();
}

void HostUnits::store_pointers() {
  if (pending_ == 0) return;
  const std::size_t at_index = pending_ - 1;
  pending_ = 0;
  addresses_.load_eip(kAddress, eip_of(at_index));
  if (mode_.code64) {
    a_.mov(area(offsetof(EngineArea, long_fip), 8), kAddress);
  } else {
    a_.mov(fx(offsetof(FxState, instruction), 4), kAddress.r32());
  }
  a_.movzx(kAddress.r32(), segment_field(kCs, offsetof(Segment, selector), 2));
  a_.mov(fx(offsetof(FxState, instruction_selector), 4), kAddress.r32());
  a_.mov(fx(offsetof(FxState, opcode), 2), ir_.insns[at_index].operands.x87_opcode);
}

void HostUnits::forget_pointers() {
  pending_ = 0;
  forget_data_segment();
}

}  // namespace relic86::jit::x64
