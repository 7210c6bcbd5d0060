#include "jit/x64/flag_chain.h"

#include <algorithm>

#include "cpu/semantics/condition.h"
#include "jit/runtime/engine_area.h"
#include "jit/x64/exits.h"

namespace relic86::jit::x64 {

void FlagChain::begin_block() {
  u32 written = 0;
  for (const InsnIr& each : ir_.insns) {
    written_before_.push_back(written);
    written |= each.writes_registers;
  }
}

x86::Mem FlagChain::slot(u32 number, u32 bytes) const {
  return area(offsetof(EngineArea, slots) + number * sizeof(u32), bytes);
}

// Of eight bytes: two slots.
FlagOperand FlagChain::new_slot(unsigned bytes) {
  const u32 taken = bytes == 8 ? 2 : 1;
  if (next_slot_ + taken > kSlots) {
    failed_ = true;
    return {FlagOperand::Slot, 0};
  }
  slot_taken_ = true;
  next_slot_ += taken;
  return {FlagOperand::Slot, next_slot_ - taken};
}

FlagOperand FlagChain::capture_register(const Gp& reg, i32 guest_register, u32 clobbered) {
  if (guest_register >= 0 && (clobbered >> guest_register & 1) == 0) {
    return {FlagOperand::Register, static_cast<u32>(guest_register)};
  }
  const unsigned bytes = mode_.code64 ? whole(reg.size()) : 4;
  const FlagOperand kept = new_slot(bytes);
  a_.mov(slot(kept.value, bytes), sized(reg.id(), bytes));
  return kept;
}

FlagOperand FlagChain::capture(u16 id, unsigned bytes, u32 clobbered) {
  const Value& value = registers_.value(id);
  switch (value.kind) {
    case Value::Constant:
      if (bytes == 8 && !fits_immediate(value.constant)) break;
      return {FlagOperand::Immediate, static_cast<u32>(value.constant)};
    case Value::Guest: return capture_register(registers_.guest(value.reg, whole(bytes)), value.reg, clobbered);
    case Value::Stored:
      if ((clobbered >> value.reg & 1) == 0) return {FlagOperand::Register, value.reg};
      break;
    case Value::High:
      if ((clobbered >> value.reg & 1) == 0) return {FlagOperand::HighByte, value.reg};
      a_.movzx(kAddress.r32(), x86::gpb_hi(value.reg));
      return capture_register(kAddress.r32(), -1, clobbered);
    default: break;
  }
  return capture_register(registers_.in_register(id, bytes), -1, clobbered);
}

void FlagChain::add_step(const FlagStep& step, bool full) {
  auto& steps = translation_.steps;
  home_current_ = false;
  record_ = 0;
  if (full) {
    from_home_ = false;
    entry_home_ = false;
    first_step_ = static_cast<u16>(steps.size());
  } else if (counts(step.op) && steps.size() > first_step_ && counts(steps.back().op)) {
    // An INC or DEC hides all of the one before it but nothing else.
    const u16 start = static_cast<u16>(steps.size());
    for (u16 i = first_step_; i + 1u < start; ++i) steps.push_back(FlagStep(steps[i]));
    first_step_ = start;
  }
  steps.push_back(step);
}

x86::CondCode FlagChain::condition_code(u32 condition) {
  const u32 mask = flags_read_by(static_cast<Condition>(condition));
  if ((mask & ~host_) != 0 && !(rebuild(mask) && (mask & ~host_) == 0)) {
    if (is_home()) {
      if (entry_home_) entry_exposed_ = true;
      exits_.call_thunk(thunks_.home_flags, exits_.add(ExitKind::Before, undone_before()));
      host_holds(kArithmeticFlags & ~kAF);
    } else if (!join_steps() || !rebuild(mask)) {
      flatten();
    }
  }
  static constexpr x86::CondCode kCodes[16] = {
      x86::CondCode::kO, x86::CondCode::kNO, x86::CondCode::kB,  x86::CondCode::kNB,
      x86::CondCode::kZ, x86::CondCode::kNZ, x86::CondCode::kBE, x86::CondCode::kNBE,
      x86::CondCode::kS, x86::CondCode::kNS, x86::CondCode::kP,  x86::CondCode::kNP,
      x86::CondCode::kL, x86::CondCode::kNL, x86::CondCode::kLE, x86::CondCode::kNLE};
  return kCodes[condition];
}

// No step since.
bool FlagChain::is_home() const { return from_home_ && home_current_ && translation_.steps.size() == first_step_; }

void FlagChain::carry_in() { (void)condition_code(static_cast<u32>(Condition::Below)); }

// All steps run through C++; the host's flags then hold all of the guest's.
void FlagChain::flatten() {
  exits_.call_thunk(thunks_.flatten, exits_.add(ExitKind::Before, undone_before()));
  settle();
  host_holds(kArithmeticFlags);
}

void FlagChain::settle() {
  from_home_ = home_current_ = true;
  entry_home_ = false;
  record_ = 0;
  first_step_ = static_cast<u16>(translation_.steps.size());
}

void FlagChain::home_operand(std::size_t offset, const FlagOperand& operand, unsigned bytes) {
  const x86::Mem to = area(offset, bytes);
  const Gp scratch = sized(kAddress.id(), bytes);
  switch (operand.kind) {
    case FlagOperand::None: break;
    case FlagOperand::Register:
      if (in_host_register(operand)) {
        a_.mov(to, registers_.guest(operand.value, bytes));
      } else {
        a_.mov(scratch, gpr(operand.value, bytes));
        a_.mov(to, scratch);
      }
      break;
    case FlagOperand::HighByte:
      a_.movzx(kAddress.r32(), x86::gpb_hi(operand.value));
      a_.mov(to, scratch);
      break;
    case FlagOperand::Immediate: a_.mov(to, static_cast<i32>(operand.value)); break;
    case FlagOperand::Slot:
      a_.mov(scratch, slot(operand.value, bytes));
      a_.mov(to, scratch);
      break;
  }
}

// The steps since the home become the home. Only moves: the host's flags stay, unless the steps are of a rare shape.
void FlagChain::write_home() {
  if (entry_home_ && from_home_) entry_exposed_ = true;
  if (home_current_) return;
  record_ = 0;
  const auto& steps = translation_.steps;
  const auto fits = [&] {
    const std::size_t length = steps.size() - first_step_;
    const bool counting = length > 0 && counts(steps.back().op);
    return length == 0 || (from_home_ ? counting && length == 1 : length == 1 || (counting && length == 2));
  };
  if (!fits() && !join_steps()) {
    flatten();
    return;
  }
  const std::size_t length = steps.size() - first_step_;
  const bool counting = length > 0 && counts(steps.back().op);
  home_current_ = true;
  if (length == 0) return;
  if (!from_home_) {
    const FlagStep& full = steps[first_step_];
    const bool wide = full.size == 8;
    const std::size_t home = wide ? offsetof(EngineArea, home_wide) : offsetof(EngineArea, home_operand);
    const unsigned bytes = whole(full.size);
    home_operand(home, full.a, bytes);
    home_operand(home + bytes, full.b, takes_count(full.op) ? 4 : bytes);
    home_operand(home + 2 * std::size_t{bytes}, full.c);
    // The partial step's descriptor behind it becomes 0.
    a_.mov(area(offsetof(EngineArea, home_step), 8), static_cast<i32>(full.descriptor()));
  }
  if (counting) {
    const bool wide = steps.back().size == 8;
    home_operand(wide ? offsetof(EngineArea, home_partial_wide) : offsetof(EngineArea, home_partial_result),
                 steps.back().a, whole(steps.back().size));
    a_.mov(area(offsetof(EngineArea, home_partial)), steps.back().descriptor());
  }
}

// Before a direct branch: the home names the steps as they stand, one store. False: the steps cannot be named, or need
// not. The host's flags stay.
bool FlagChain::leave_record() {
  if (!options_.lazy_flags || home_current_ || from_home_) return false;
  if (record_ != 0) return true;
  const u32 number = records_.add({&translation_, first_step_, static_cast<u16>(translation_.steps.size())});
  translation_.flag_records.push_back(number);
  record_ = number + 1;
  const std::size_t begin = a_.offset();
  a_.mov(area(offsetof(EngineArea, home_step), 8), static_cast<i32>(FlagRecords::home_of(number)));
  if (options_.fusion && setter_end_ == begin) move_before_setter(begin);
  return true;
}

// What has been emitted from `begin` on changes no flags and uses nothing that the setter of the flags, which ends
// there, has made. No label and no relocation lies within either.
void FlagChain::move_before_setter(std::size_t begin) {
  u8* const code = a_.bufferData();
  std::rotate(code + setter_begin_, code + begin, code + a_.offset());
  setter_begin_ += a_.offset() - begin;
  setter_end_ = a_.offset();
}

u16 FlagChain::registers_of_steps() const {
  u32 registers = 0;
  for (std::size_t i = first_step_; i < translation_.steps.size(); ++i) {
    const FlagStep& step = translation_.steps[i];
    for (const FlagOperand& operand : {step.a, step.b, step.c}) {
      if (operand.kind == FlagOperand::Register) registers |= 1u << operand.value;
      if (operand.kind == FlagOperand::HighByte) registers |= 1u << (operand.value & 3);
    }
  }
  return static_cast<u16>(registers);
}

void FlagChain::describe(ExitPoint& exit) {
  note_look(exit.kind);
  exit.first_step = first_step_;
  exit.last_step = static_cast<u16>(translation_.steps.size());
  exit.from_home = from_home_;
}

// An exit shows the flags, perhaps those of the block's entry. Branches have written them home.
void FlagChain::note_look(ExitKind kind) {
  if (!entry_home_ || !from_home_ || kind == ExitKind::Branch || kind == ExitKind::Indirect) return;
  entry_clobbers_ |= written_before_[index_];
  if (kind == ExitKind::Done) entry_clobbers_ |= insn().writes_registers;
  if (slot_taken_) entry_exposed_ = true;
}

void FlagChain::note_passing() {
  entry_clobbers_ |= written_before_[index_] | flag_need_from(ir_, index_, kArithmeticFlags).clobbered;
}

FlagChain::Snapshot FlagChain::snapshot() const {
  const auto& steps = translation_.steps;
  return {{steps.begin() + first_step_, steps.end()}, from_home_, home_current_, entry_home_};
}

void FlagChain::restore(const Snapshot& snapshot) {
  first_step_ = static_cast<u16>(translation_.steps.size());
  translation_.steps.insert(translation_.steps.end(), snapshot.steps.begin(), snapshot.steps.end());
  from_home_ = snapshot.from_home;
  home_current_ = snapshot.home_current;
  entry_home_ = snapshot.entry_home;
  record_ = 0;
}

}  // namespace relic86::jit::x64
