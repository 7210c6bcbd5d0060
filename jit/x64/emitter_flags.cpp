#include "cpu/semantics/condition.h"
#include "jit/runtime/engine_area.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

x86::Mem Emitter::slot(u32 number, u32 bytes) const {
  return area(offsetof(EngineArea, slots) + number * sizeof(u32), bytes);
}

// Of eight bytes: two slots.
FlagOperand Emitter::new_slot(unsigned bytes) {
  const u32 taken = bytes == 8 ? 2 : 1;
  if (next_slot_ + taken > kSlots) {
    failed_ = true;
    return {FlagOperand::Slot, 0};
  }
  slot_taken_ = true;
  next_slot_ += taken;
  return {FlagOperand::Slot, next_slot_ - taken};
}

FlagOperand Emitter::capture_register(const Gp& reg, i32 guest_register, u32 clobbered) {
  if (guest_register >= 0 && (clobbered >> guest_register & 1) == 0) {
    return {FlagOperand::Register, static_cast<u32>(guest_register)};
  }
  const unsigned bytes = mode_.code64 ? whole(reg.size()) : 4;
  const FlagOperand kept = new_slot(bytes);
  a_.mov(slot(kept.value, bytes), sized(reg.id(), bytes));
  return kept;
}

FlagOperand Emitter::capture(u16 id, unsigned bytes, u32 clobbered) {
  const Value& value = values_[id];
  switch (value.kind) {
    case Value::Constant:
      if (bytes == 8 && !fits_immediate(value.constant)) break;
      return {FlagOperand::Immediate, static_cast<u32>(value.constant)};
    case Value::Guest: return capture_register(guest(value.reg, whole(bytes)), value.reg, clobbered);
    case Value::Stored:
      if ((clobbered >> value.reg & 1) == 0) return {FlagOperand::Register, value.reg};
      break;
    case Value::High:
      if ((clobbered >> value.reg & 1) == 0) return {FlagOperand::HighByte, value.reg};
      a_.movzx(kAddress.r32(), x86::gpb_hi(value.reg));
      return capture_register(kAddress.r32(), -1, clobbered);
    default: break;
  }
  return capture_register(in_register(id, bytes), -1, clobbered);
}

void Emitter::add_step(const FlagStep& step, bool full) {
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

asmjit::Operand Emitter::step_operand(const FlagOperand& operand, const Gp& scratch, unsigned bytes, bool& good) {
  const unsigned wide = whole(bytes);
  switch (operand.kind) {
    case FlagOperand::Register:
      if (has_host(operand.value)) return guest(operand.value, bytes);
      a_.mov(sized(scratch.id(), wide), gpr(operand.value, wide));
      return sized(scratch.id(), bytes);
    case FlagOperand::Immediate:
      return asmjit::Imm(bytes == 1   ? static_cast<i8>(operand.value)
                         : bytes == 2 ? static_cast<i16>(operand.value)
                                      : static_cast<i32>(operand.value));
    case FlagOperand::Slot:
      a_.mov(sized(scratch.id(), wide), slot(operand.value, wide));
      return sized(scratch.id(), bytes);
    case FlagOperand::HighByte: a_.movzx(scratch.r32(), x86::gpb_hi(operand.value)); return sized(scratch.id(), bytes);
    default: good = false; return {};
  }
}

// kAddress := operand.
void Emitter::fetch_operand(const FlagOperand& operand, unsigned bytes) {
  bool good = true;
  const unsigned wide = whole(bytes);
  const asmjit::Operand from = step_operand(operand, kAddress, wide, good);
  if (in_host(operand) || operand.kind == FlagOperand::Immediate) {
    a_.emit(x86::Inst::kIdMov, sized(kAddress.id(), wide), from);
  }
}

// The right operand of a repeated step, beside a left one in kAddress.
asmjit::Operand Emitter::right_operand(const FlagOperand& operand, unsigned bytes) {
  if (operand.kind == FlagOperand::Slot) return slot(operand.value, bytes);
  if (operand.kind == FlagOperand::Register && !in_host(operand)) return gpr(operand.value, bytes);
  bool good = true;
  return step_operand(operand, kAddress, bytes, good);
}

bool Emitter::rebuild(u32 mask) {
  const auto& steps = translation_.steps;
  return steps.size() > first_step_ && rebuild(FlagStep(steps.back()), mask);
}

// Repeats a step for its flags alone. Only kAddress may be changed.
bool Emitter::rebuild(const FlagStep& step, u32 mask) {
  const unsigned bytes = step.size;
  constexpr u32 kOfResult = kSF | kZF | kPF;
  if (step.a.kind == FlagOperand::None || step.b.kind == FlagOperand::HighByte) return false;
  const bool logic = info(step.op).has(kOpLogic);
  const Gp left = sized(kAddress.id(), bytes);
  if (step.from_result && (logic || (mask & ~kOfResult) == 0)) {
    if (step.a.kind == FlagOperand::Immediate) return false;
    bool good = true;
    const asmjit::Operand result = step_operand(step.a, kAddress, bytes, good);
    a_.emit(x86::Inst::kIdTest, result, result);
    host_flags(logic ? kArithmeticFlags & ~kAF : kOfResult);
    return true;
  }
  switch (step.op) {
    case Op::Sub:
    case Op::And:
    case Op::Add: {
      if (step.from_result) {
        if (step.op == Op::And) return false;
        fetch_operand(step.a, bytes);
        const asmjit::Operand right = right_operand(step.b, bytes);
        a_.emit(step.op == Op::Sub ? x86::Inst::kIdAdd : x86::Inst::kIdSub, left, right);
        a_.emit(step.op == Op::Sub ? x86::Inst::kIdSub : x86::Inst::kIdAdd, left, right);
      } else {
        if (step.op == Op::Add) return false;
        const x86::Inst::Id compare = step.op == Op::Sub ? x86::Inst::kIdCmp : x86::Inst::kIdTest;
        const bool in_place = in_host(step.a);
        if (!in_place) fetch_operand(step.a, bytes);
        const asmjit::Operand right = right_operand(step.b, bytes);
        if (step.op == Op::And && right.isMem()) {
          a_.emit(compare, right, in_place ? guest(step.a.value, bytes) : left);
        } else {
          a_.emit(compare, in_place ? guest(step.a.value, bytes) : left, right);
        }
      }
      host_flags(step.op == Op::And ? kArithmeticFlags & ~kAF : u32{kArithmeticFlags});
      return true;
    }
    case Op::Neg:
      fetch_operand(step.a, bytes);
      a_.neg(left);
      a_.neg(left);
      host_flags(kArithmeticFlags);
      return true;
    case Op::Literal:
    case Op::Image:
      if (mask == kCF && step.a.kind == FlagOperand::Slot) {
        a_.bt(slot(step.a.value), 0);
        host_flags(kCF);
        return true;
      }
      fetch_operand(step.a, 4);
      a_.and_(kAddress.r32(), static_cast<i32>(step.op == Op::Literal ? u32{kZF} | kPF | kCF : u32{kArithmeticFlags}));
      a_.push(kAddress);
      a_.popfq();
      host_flags(kArithmeticFlags);
      return true;
    case Op::Adc:
    case Op::Sbb:
      if (step.c.kind != FlagOperand::Slot) return false;
      fetch_operand(step.a, bytes);
      a_.bt(slot(step.c.value), 0);
      a_.emit(step.op == Op::Adc ? x86::Inst::kIdAdc : x86::Inst::kIdSbb, left, right_operand(step.b, bytes));
      host_flags(kArithmeticFlags);
      return true;
    case Op::Tzcnt:
    case Op::Lzcnt:
    case Op::Popcnt:
    case Op::Blsr:
    case Op::Blsmsk:
    case Op::Blsi:
    case Op::Bzhi:
    case Op::Bextr: return rebuild_bits(step);
    default: return false;
  }
}

// All steps run through C++; the host's flags then hold all of the guest's.
void Emitter::flatten() {
  ExitPoint* const exit = new_exit(ExitKind::Before, undone_before());
  call_thunk(thunks_.flatten, exit);
  from_home_ = true;
  entry_home_ = false;
  record_ = 0;
  home_current_ = true;
  first_step_ = static_cast<u16>(translation_.steps.size());
  host_flags(kArithmeticFlags);
}

u16 Emitter::registers_of_steps() const {
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

// Before a direct branch: the home names the steps as they stand, one store. False: the steps cannot be named, or need
// not. The host's flags stay.
bool Emitter::leave_record() {
  if (!options_.lazy_flags || home_current_ || from_home_) return false;
  if (record_ != 0) return true;
  const u32 number = records_.add({&translation_, first_step_, static_cast<u16>(translation_.steps.size())});
  translation_.flag_records.push_back(number);
  record_ = number + 1;
  a_.mov(area(offsetof(EngineArea, home_step), 8), static_cast<i32>(FlagRecords::home_of(number)));
  return true;
}

x86::CondCode Emitter::condition_code(u32 condition) {
  const u32 mask = flags_read_by(static_cast<Condition>(condition));
  if ((mask & ~host_flags_) != 0 && !(rebuild(mask) && (mask & ~host_flags_) == 0)) {
    if (from_home_ && home_current_ && translation_.steps.size() == first_step_) {
      if (entry_home_) entry_exposed_ = true;
      call_thunk(thunks_.home_flags, new_exit(ExitKind::Before, undone_before()));
      host_flags(kArithmeticFlags & ~kAF);
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

void Emitter::carry_in() { (void)condition_code(static_cast<u32>(Condition::Below)); }

void Emitter::home_operand(std::size_t offset, const FlagOperand& operand, unsigned bytes) {
  const x86::Mem to = area(offset, bytes);
  const Gp scratch = sized(kAddress.id(), bytes);
  switch (operand.kind) {
    case FlagOperand::None: break;
    case FlagOperand::Register:
      if (in_host(operand)) {
        a_.mov(to, guest(operand.value, bytes));
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
void Emitter::write_home() {
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

}  // namespace relic86::jit::x64
