// Counts of bits, BMI1 and BMI2: the host's own instructions.
#include "jit/x64/bit_instructions.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

// Of these instructions one source may be in memory: of two the first, of PDEP and PEXT the second.
void Emitter::bit_operation(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const BitInstruction instruction = instruction_of(n.op);
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  if (instruction.flags != 0) {
    const FlagNeed look = flags_.need(kArithmeticFlags);
    const u32 written = look.clobbered | insn().writes_registers;
    if (look.needed()) {
      step.a = flags_.capture(n.a, bytes, written);
      if (n.b != kNoValue) step.b = flags_.capture(n.b, bytes, written);
    }
  }
  const bool second = n.op == Op::Pdep || n.op == Op::Pext;
  const auto anywhere = [&](u16 v) {
    return registers_.value(v).kind == Value::Constant ? asmjit::Operand(registers_.in_register(v, bytes))
                                                       : registers_.operand(v, bytes);
  };
  u8 reg = 0;
  const bool direct = registers_.destination(id, reg);
  const asmjit::Operand a = second ? asmjit::Operand(registers_.in_register(n.a, bytes)) : anywhere(n.a);
  asmjit::Operand b;
  if (n.b != kNoValue) b = second ? anywhere(n.b) : asmjit::Operand(registers_.in_register(n.b, bytes));
  const Gp to = direct ? registers_.guest(reg, bytes) : sized(registers_.take(), bytes);
  if (n.b != kNoValue) {
    a_.emit(instruction.id, to, a, b);
  } else {
    a_.emit(instruction.id, to, a);
  }
  registers_.set_result(id, direct, reg, to);
  if (instruction.flags == 0) return;
  flags_.add_step(step, true);
  flags_.host_holds(instruction.flags);
}

void Emitter::rotate_without_flags(u16 id) {
  const Node n = at(id);
  u8 reg = 0;
  const bool direct = registers_.destination(id, reg);
  const asmjit::Operand from = registers_.value(n.a).kind == Value::Constant
                                   ? asmjit::Operand(registers_.in_register(n.a, n.size))
                                   : registers_.operand(n.a, n.size);
  const Gp to = direct ? registers_.guest(reg, n.size) : sized(registers_.take(), n.size);
  a_.emit(x86::Inst::kIdRorx, to, from, asmjit::Imm(n.immediate));
  registers_.set_result(id, direct, reg, to);
}

// By EDX, which the host's MULX takes, too.
void Emitter::multiply_without_flags(u16 id) {
  const Node n = at(id);
  static_assert(kHostOfGuest[kEdx] == kEdx);
  const asmjit::Operand from = registers_.value(n.a).kind == Value::Constant
                                   ? asmjit::Operand(registers_.in_register(n.a, n.size))
                                   : registers_.operand(n.a, n.size);
  const u8 low = registers_.take(), high = registers_.take();
  a_.emit(x86::Inst::kIdMulx, sized(high, n.size), sized(low, n.size), from);
  registers_.set_temporary(static_cast<u16>(id + 1), low);
  registers_.set_temporary(static_cast<u16>(id + 2), high);
}

}  // namespace relic86::jit::x64
