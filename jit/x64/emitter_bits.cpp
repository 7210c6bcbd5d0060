// Counts of bits, BMI1 and BMI2: the host's own instructions.
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

struct BitInstruction {
  x86::Inst::Id id = x86::Inst::kIdNone;
  u32 flags = 0;  // those that the host leaves as the guest has them
};

BitInstruction instruction_of(Op op) {
  constexpr u32 kOfResult = kSF | kZF | kCF | kOF;
  switch (op) {
    case Op::Tzcnt: return {x86::Inst::kIdTzcnt, kZF | kCF};
    case Op::Lzcnt: return {x86::Inst::kIdLzcnt, kZF | kCF};
    case Op::Popcnt: return {x86::Inst::kIdPopcnt, kArithmeticFlags};
    case Op::Blsr: return {x86::Inst::kIdBlsr, kOfResult};
    case Op::Blsmsk: return {x86::Inst::kIdBlsmsk, kOfResult};
    case Op::Blsi: return {x86::Inst::kIdBlsi, kOfResult};
    case Op::Bzhi: return {x86::Inst::kIdBzhi, kOfResult};
    case Op::Bextr: return {x86::Inst::kIdBextr, kZF | kCF | kOF};
    case Op::Sarx: return {x86::Inst::kIdSarx};
    case Op::Shlx: return {x86::Inst::kIdShlx};
    case Op::Shrx: return {x86::Inst::kIdShrx};
    case Op::Pdep: return {x86::Inst::kIdPdep};
    case Op::Pext: return {x86::Inst::kIdPext};
    default: return {};
  }
}

}  // namespace

// Of these instructions one source may be in memory: of two the first, of PDEP and PEXT the second.
void Emitter::bit_operation(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const BitInstruction instruction = instruction_of(n.op);
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  if (instruction.flags != 0) {
    const FlagNeed look = need(kArithmeticFlags);
    const u32 written = look.clobbered | insn().writes_registers;
    if (look.needed()) {
      step.a = capture(n.a, bytes, written);
      if (n.b != kNoValue) step.b = capture(n.b, bytes, written);
    }
  }
  const bool second = n.op == Op::Pdep || n.op == Op::Pext;
  const auto anywhere = [&](u16 v) {
    return values_[v].kind == Value::Constant ? asmjit::Operand(in_register(v, bytes)) : operand(v, bytes);
  };
  u8 reg = 0;
  const bool direct = destination(id, reg);
  const asmjit::Operand a = second ? asmjit::Operand(in_register(n.a, bytes)) : anywhere(n.a);
  asmjit::Operand b;
  if (n.b != kNoValue) b = second ? anywhere(n.b) : asmjit::Operand(in_register(n.b, bytes));
  const Gp to = direct ? guest(reg, bytes) : sized(take(), bytes);
  if (n.b != kNoValue) {
    a_.emit(instruction.id, to, a, b);
  } else {
    a_.emit(instruction.id, to, a);
  }
  values_[id].kind = direct ? Value::Guest : Value::Temporary;
  values_[id].reg = direct ? reg : static_cast<u8>(to.id());
  if (instruction.flags == 0) return;
  add_step(step, true);
  host_flags(instruction.flags);
}

void Emitter::rotate_without_flags(u16 id) {
  const Node n = at(id);
  u8 reg = 0;
  const bool direct = destination(id, reg);
  const asmjit::Operand from =
      values_[n.a].kind == Value::Constant ? asmjit::Operand(in_register(n.a, n.size)) : operand(n.a, n.size);
  const Gp to = direct ? guest(reg, n.size) : sized(take(), n.size);
  a_.emit(x86::Inst::kIdRorx, to, from, asmjit::Imm(n.immediate));
  values_[id].kind = direct ? Value::Guest : Value::Temporary;
  values_[id].reg = direct ? reg : static_cast<u8>(to.id());
}

// By EDX, which the host's MULX takes, too.
void Emitter::multiply_without_flags(u16 id) {
  const Node n = at(id);
  static_assert(kHostOfGuest[kEdx] == kEdx);
  const asmjit::Operand from =
      values_[n.a].kind == Value::Constant ? asmjit::Operand(in_register(n.a, n.size)) : operand(n.a, n.size);
  const u8 low = take(), high = take();
  a_.emit(x86::Inst::kIdMulx, sized(high, n.size), sized(low, n.size), from);
  set_temporary(static_cast<u16>(id + 1), low);
  set_temporary(static_cast<u16>(id + 2), high);
}

// Repeats such a step for its flags alone; only kAddress may be changed.
bool Emitter::rebuild_bits(const FlagStep& step) {
  const BitInstruction instruction = instruction_of(step.op);
  const bool two = step.op == Op::Bzhi || step.op == Op::Bextr;
  if (two && !in_host(step.b)) return false;
  fetch_operand(step.a, step.size);
  const Gp value = sized(kAddress.id(), step.size);
  if (two) {
    a_.emit(instruction.id, value, value, guest(step.b.value, step.size));
  } else {
    a_.emit(instruction.id, value, value);
  }
  host_flags(instruction.flags);
  return true;
}

}  // namespace relic86::jit::x64
