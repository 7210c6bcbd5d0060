// A step of the chain, repeated so that the host's EFLAGS hold what it defines.
#include "jit/x64/bit_instructions.h"
#include "jit/x64/flag_chain.h"

namespace relic86::jit::x64 {

asmjit::Operand FlagChain::step_operand(const FlagOperand& operand, const Gp& scratch, unsigned bytes, bool& good) {
  const unsigned wide = whole(bytes);
  switch (operand.kind) {
    case FlagOperand::Register:
      if (registers_.has_host(operand.value)) return registers_.guest(operand.value, bytes);
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
void FlagChain::fetch_operand(const FlagOperand& operand, unsigned bytes) {
  bool good = true;
  const unsigned wide = whole(bytes);
  const asmjit::Operand from = step_operand(operand, kAddress, wide, good);
  if (in_host_register(operand) || operand.kind == FlagOperand::Immediate) {
    a_.emit(x86::Inst::kIdMov, sized(kAddress.id(), wide), from);
  }
}

// The right operand of a repeated step, beside a left one in kAddress.
asmjit::Operand FlagChain::right_operand(const FlagOperand& operand, unsigned bytes) {
  if (operand.kind == FlagOperand::Slot) return slot(operand.value, bytes);
  if (operand.kind == FlagOperand::Register && !in_host_register(operand)) return gpr(operand.value, bytes);
  bool good = true;
  return step_operand(operand, kAddress, bytes, good);
}

bool FlagChain::rebuild(u32 mask) {
  const auto& steps = translation_.steps;
  return steps.size() > first_step_ && rebuild(FlagStep(steps.back()), mask);
}

// Repeats a step for its flags alone. Only kAddress may be changed.
bool FlagChain::rebuild(const FlagStep& step, u32 mask) {
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
    host_holds(logic ? kArithmeticFlags & ~kAF : kOfResult);
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
        const bool in_place = in_host_register(step.a);
        if (!in_place) fetch_operand(step.a, bytes);
        const asmjit::Operand right = right_operand(step.b, bytes);
        if (step.op == Op::And && right.isMem()) {
          a_.emit(compare, right, in_place ? registers_.guest(step.a.value, bytes) : left);
        } else {
          a_.emit(compare, in_place ? registers_.guest(step.a.value, bytes) : left, right);
        }
      }
      host_holds(step.op == Op::And ? kArithmeticFlags & ~kAF : u32{kArithmeticFlags});
      return true;
    }
    case Op::Neg:
      fetch_operand(step.a, bytes);
      a_.neg(left);
      a_.neg(left);
      host_holds(kArithmeticFlags);
      return true;
    case Op::Literal:
    case Op::Image:
      if (mask == kCF && step.a.kind == FlagOperand::Slot) {
        a_.bt(slot(step.a.value), 0);
        host_holds(kCF);
        return true;
      }
      fetch_operand(step.a, 4);
      a_.and_(kAddress.r32(), static_cast<i32>(step.op == Op::Literal ? u32{kZF} | kPF | kCF : u32{kArithmeticFlags}));
      a_.push(kAddress);
      a_.popfq();
      host_holds(kArithmeticFlags);
      return true;
    case Op::Adc:
    case Op::Sbb:
      if (step.c.kind != FlagOperand::Slot) return false;
      fetch_operand(step.a, bytes);
      a_.bt(slot(step.c.value), 0);
      a_.emit(step.op == Op::Adc ? x86::Inst::kIdAdc : x86::Inst::kIdSbb, left, right_operand(step.b, bytes));
      host_holds(kArithmeticFlags);
      return true;
    case Op::Shl:
    case Op::Shr:
    case Op::Sar: return rebuild_shift(step, mask);
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

// A shift by a count that is known: with another, the flags of before may hold.
bool FlagChain::rebuild_shift(const FlagStep& step, u32 mask) {
  const unsigned bits = step.size * 8u;
  const u32 count = step.b.value & (bits == 64 ? 63 : 31);
  if (step.b.kind != FlagOperand::Immediate || count == 0) return false;
  u32 valid = kSF | kZF | kPF;
  if (count < bits) valid |= kCF;
  if (count == 1) valid |= kOF;
  if ((mask & ~valid) != 0) return false;
  fetch_operand(step.a, step.size);
  const Gp value = sized(kAddress.id(), step.size);
  const x86::Inst::Id instruction = step.op == Op::Shl   ? x86::Inst::kIdShl
                                    : step.op == Op::Shr ? x86::Inst::kIdShr
                                                         : x86::Inst::kIdSar;
  a_.emit(instruction, value, asmjit::Imm(count));
  host_holds(valid);
  return true;
}

// Repeats such a step for its flags alone; only kAddress may be changed.
bool FlagChain::rebuild_bits(const FlagStep& step) {
  const BitInstruction instruction = instruction_of(step.op);
  const bool two = step.op == Op::Bzhi || step.op == Op::Bextr;
  if (two && !in_host_register(step.b)) return false;
  fetch_operand(step.a, step.size);
  const Gp value = sized(kAddress.id(), step.size);
  if (two) {
    a_.emit(instruction.id, value, value, registers_.guest(step.b.value, step.size));
  } else {
    a_.emit(instruction.id, value, value);
  }
  host_holds(instruction.flags);
  return true;
}

}  // namespace relic86::jit::x64
