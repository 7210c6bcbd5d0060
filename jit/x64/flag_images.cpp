// Chains of steps that the home cannot name (flag_chain.cpp): a rotation, a bit test or another step that defines
// few flags, on top of others. They become an image of all flags here, without a call of C++.
#include <bit>

#include "jit/runtime/engine_area.h"
#include "jit/x64/exits.h"
#include "jit/x64/flag_chain.h"

namespace relic86::jit::x64 {

namespace {

// Without operands: nobody looks at what the step defines.
bool dead(const FlagStep& step) { return step.a.kind == FlagOperand::None; }

bool appends(const FlagStep& step) {
  switch (step.op) {
    case Op::Rol:
    case Op::Ror: return dead(step) || step.b.kind == FlagOperand::Immediate;
    case Op::Bt:
      return dead(step) || (step.size >= 2 && (step.b.kind == FlagOperand::Immediate ||
                                               (step.b.kind == FlagOperand::Register && step.b.value < kPinned)));
    case Op::Inc:
    case Op::Dec:
    case Op::SetCarry:
    case Op::SetZero: return true;
    default: return false;
  }
}

}  // namespace

// The image's low bit from kAddress's becomes this flag.
void FlagChain::put_in_image(const Mem& image, u32 flag) {
  a_.and_(image, ~static_cast<i32>(flag));
  if (flag != kCF) a_.shl(kAddress.r32(), std::countr_zero(flag));
  a_.or_(image, kAddress.r32());
}

// image := the flags before step `next`, where the rest begins. False: that cannot be done here.
bool FlagChain::begin_image(const Mem& image, std::size_t& next) {
  next = first_step_;
  u32 mask = kArithmeticFlags;
  if (from_home_) {
    if (entry_home_) entry_exposed_ = true;
    ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
    exit->last_step = exit->first_step;  // C++ is to see no more than the home
    exits_.call_thunk(thunks_.home_image, exit);
    a_.mov(kAddress.r32(), area(offsetof(EngineArea, value)));
  } else {
    const FlagStep step = translation_.steps[next++];
    if (dead(step)) {
      a_.mov(image, 0);
      return true;
    }
    if (step.op == Op::Image) {
      fetch_operand(step.a, 4);
    } else {
      if (!rebuild(step, kArithmeticFlags) || (kArithmeticFlags & ~kAF & ~host_) != 0) return false;
      mask &= host_;  // where the host leaves AF undefined it is 0
      a_.pushfq();
      a_.pop(kAddress);
    }
  }
  a_.and_(kAddress.r32(), static_cast<i32>(mask));
  a_.mov(image, kAddress.r32());
  return true;
}

void FlagChain::append_to_image(const Mem& image, const FlagStep& step) {
  const Gp value = sized(kAddress.id(), step.size);
  const Mem overflow = area(offsetof(EngineArea, value), 1), carry = area(offsetof(EngineArea, value) + 1, 1);
  if (dead(step)) return;
  fetch_operand(step.a, step.size);
  switch (step.op) {
    case Op::Rol:
    case Op::Ror: {
      // Rotated by one at last: then the host's OF is what it is for any count here.
      const x86::Inst::Id rotate = step.op == Op::Rol ? x86::Inst::kIdRol : x86::Inst::kIdRor;
      if (const u32 count = step.b.value & (step.size == 8 ? 63 : 31); count > 1)
        a_.emit(rotate, value, asmjit::Imm(count - 1));
      a_.emit(rotate, value, asmjit::Imm(1));
      a_.seto(overflow);
      a_.setc(carry);
      a_.movzx(kAddress.r32(), overflow);
      put_in_image(image, kOF);
      a_.movzx(kAddress.r32(), carry);
      put_in_image(image, kCF);
      break;
    }
    case Op::Bt:
      if (step.b.kind == FlagOperand::Immediate) {
        a_.bt(value, asmjit::Imm(step.b.value & (step.size * 8u - 1)));
      } else {
        a_.bt(value, registers_.guest(step.b.value, step.size));
      }
      a_.setc(kAddress.r8());
      a_.movzx(kAddress.r32(), kAddress.r8());
      put_in_image(image, kCF);
      break;
    case Op::Inc:
    case Op::Dec: {
      const bool up = step.op == Op::Inc;
      a_.emit(up ? x86::Inst::kIdDec : x86::Inst::kIdInc, value);
      a_.emit(up ? x86::Inst::kIdInc : x86::Inst::kIdDec, value);
      a_.pushfq();
      a_.pop(kAddress);
      a_.and_(kAddress.r32(), static_cast<i32>(kArithmeticFlags & ~kCF));
      a_.and_(image, static_cast<i32>(kCF));
      a_.or_(image, kAddress.r32());
      break;
    }
    case Op::SetCarry: put_in_image(image, kCF); break;
    default: put_in_image(image, kZF); break;
  }
}

// The chain becomes one step, an image in a slot; the host's flags go. False: C++ has to run the steps.
bool FlagChain::join_steps() {
  const auto& steps = translation_.steps;
  const std::size_t partial = first_step_ + (from_home_ ? 0u : 1u);
  if (!options_.lazy_flags || partial >= steps.size()) return false;
  for (std::size_t i = partial; i < steps.size(); ++i) {
    if (!appends(steps[i])) return false;
  }
  const FlagOperand kept = new_slot();
  const Mem image = slot(kept.value);
  std::size_t next = 0;
  if (!begin_image(image, next)) return false;
  for (; next < steps.size(); ++next) append_to_image(image, FlagStep(steps[next]));
  FlagStep step;
  step.op = Op::Image;
  step.a = kept;
  add_step(step, true);
  host_lost();
  return true;
}

// AND, OR and XOR clear AF; the host leaves it undefined.
bool FlagChain::logic_left_flags() const {
  const auto& steps = translation_.steps;
  if (host_ != (kArithmeticFlags & ~u32{kAF}) || steps.size() <= first_step_) return false;
  return info(steps.back().op).has(kOpLogic);
}

// The host's flags are the guest's, or can be made so.
bool FlagChain::at_hand() {
  const auto here = [this] { return (kArithmeticFlags & ~host_) == 0; };
  return here() || (rebuild(kArithmeticFlags) && here());
}

// image := the arithmetic flags.
void FlagChain::load_image(const Gp& image) {
  if (at_hand()) {
    a_.pushfq();
    a_.pop(image.r64());
  } else if (logic_left_flags()) {
    a_.pushfq();
    a_.pop(image.r64());
    a_.and_(image, ~static_cast<i32>(kAF));
  } else if (is_home()) {
    if (entry_home_) entry_exposed_ = true;
    exits_.call_thunk(thunks_.home_image, exits_.add(ExitKind::Before, undone_before()));
    a_.mov(image, area(offsetof(EngineArea, value)));
  } else if (join_steps()) {
    a_.mov(image, slot(translation_.steps.back().a.value));
  } else {
    flatten();
    a_.mov(image, area(offsetof(EngineArea, value)));
  }
  host_lost();
  a_.and_(image, static_cast<i32>(kArithmeticFlags));
}

}  // namespace relic86::jit::x64
