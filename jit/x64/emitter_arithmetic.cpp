#include "cpu/semantics/condition.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

x86::Inst::Id instruction_of(Op op) {
  switch (op) {
    case Op::Add: return x86::Inst::kIdAdd;
    case Op::Adc: return x86::Inst::kIdAdc;
    case Op::Sub: return x86::Inst::kIdSub;
    case Op::Sbb: return x86::Inst::kIdSbb;
    case Op::And: return x86::Inst::kIdAnd;
    case Op::Or: return x86::Inst::kIdOr;
    case Op::Xor: return x86::Inst::kIdXor;
    case Op::Neg: return x86::Inst::kIdNeg;
    case Op::Inc: return x86::Inst::kIdInc;
    case Op::Dec: return x86::Inst::kIdDec;
    case Op::Not: return x86::Inst::kIdNot;
    case Op::Shl: return x86::Inst::kIdShl;
    case Op::Shr: return x86::Inst::kIdShr;
    case Op::Sar: return x86::Inst::kIdSar;
    case Op::Rol: return x86::Inst::kIdRol;
    case Op::Ror: return x86::Inst::kIdRor;
    case Op::Rcl: return x86::Inst::kIdRcl;
    case Op::Rcr: return x86::Inst::kIdRcr;
    case Op::Shld: return x86::Inst::kIdShld;
    case Op::Shrd: return x86::Inst::kIdShrd;
    case Op::Bts: return x86::Inst::kIdBts;
    case Op::Btr: return x86::Inst::kIdBtr;
    case Op::Btc: return x86::Inst::kIdBtc;
    case Op::Bsf: return x86::Inst::kIdBsf;
    case Op::Bsr: return x86::Inst::kIdBsr;
    default: return x86::Inst::kIdNone;
  }
}

constexpr u8 kHighBytes = 4;                         // registers that have one
constexpr u32 kHostLogic = kArithmeticFlags & ~kAF;  // the host leaves AF undefined

}  // namespace

// What changes AH, CH, DH or BH by itself and a constant or a byte whose name needs no REX prefix, which would name
// another register instead: as it stands. False: nothing was done.
bool Emitter::binary_of_high_byte(u16 id) {
  const Node& n = at(id);
  const Value left = registers_.value(n.a), right = registers_.value(n.b);
  const bool named = right.kind == Value::Constant || right.kind == Value::High ||
                     (right.kind == Value::Guest && right.reg < kHighBytes);
  if (n.size != 1 || left.kind != Value::High || !named || info(n.op).flags_read != 0) return false;
  const bool compares = registers_.uses(id) == 0 && (n.op == Op::Sub || n.op == Op::And);
  if (!compares && !writes_high_byte(id, left.reg)) return false;
  const bool logic = info(n.op).has(kOpLogic);
  const FlagNeed look = flags_.need(kArithmeticFlags);
  const u32 written = look.clobbered | insn().writes_registers;
  FlagStep step;
  step.op = n.op;
  step.size = 1;
  if (look.needed() && compares) step.a = flags_.capture(n.a, 1, written);
  if (look.needed() && (compares || !logic)) step.b = flags_.capture(n.b, 1, written);
  const Gp high = x86::gpb_hi(left.reg);
  asmjit::Operand from = x86::gpb_hi(right.reg);
  if (right.kind == Value::Constant) from = asmjit::Imm(static_cast<i8>(right.constant));
  if (right.kind == Value::Guest) from = x86::gpb_lo(right.reg);
  const std::size_t begin = a_.offset();
  const x86::Inst::Id alone = n.op == Op::Sub ? x86::Inst::kIdCmp : x86::Inst::kIdTest;
  a_.emit(compares ? alone : instruction_of(n.op), high, from);
  flags_.set_from(begin);
  if (!compares) {
    registers_.set_guest(id, left.reg, Value::High);
    step.from_result = true;
    if (look.needed()) step.a = flags_.capture(id, 1, look.clobbered);
  }
  flags_.add_step(step, true);
  flags_.host_holds(logic ? kHostLogic : u32{kArithmeticFlags});
  return true;
}

// The next node puts the value into that high byte, whose old value nobody wants.
bool Emitter::writes_high_byte(u16 id, u8 guest_register) const {
  if (registers_.uses(id) != 1 || id + 1u >= insn().nodes.size()) return false;
  const Node& next = at(static_cast<u16>(id + 1));
  if (next.op != Op::SetRegister || next.a != id || !names_high_byte(next) || register_of(next) != guest_register)
    return false;
  for (u16 older = 0; older < id; ++older) {
    const Value& value = registers_.value(older);
    if (value.last_use > id && value.reg == guest_register && value.in_guest()) return false;
  }
  return true;
}

void Emitter::binary(u16 id) {
  if (binary_of_high_byte(id)) return;
  const Node n = at(id);
  const unsigned bytes = n.size;
  const bool logic = info(n.op).has(kOpLogic);
  const bool carries = info(n.op).flags_read != 0;
  const FlagNeed look = flags_.need(kArithmeticFlags);
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  if (registers_.uses(id) == 0 && (n.op == Op::Sub || n.op == Op::And)) {  // CMP, TEST
    const u32 written = look.clobbered | insn().writes_registers;
    const auto all = [this](u16 v) {
      return registers_.value(v).kind == Value::Guest || registers_.value(v).kind == Value::Stored;
    };
    const bool same = n.op == Op::And && all(n.a) && all(n.b) && registers_.value(n.a).reg == registers_.value(n.b).reg;
    // Before the register that holds it is lost sight of.
    const bool early = look.needed() && registers_.value(n.a).kind == Value::Stored;
    if (early) step.a = flags_.capture(n.a, bytes, written);
    const bool stored = registers_.value(n.a).kind == Value::Stored;
    const asmjit::Operand left =
        stored ? asmjit::Operand(gpr(registers_.value(n.a).reg, bytes)) : registers_.in_register(n.a, bytes);
    const bool place = stored || n.op == Op::And;  // one operand in memory is enough
    const asmjit::Operand right = place ? registers_.source(n.b, bytes) : registers_.operand(n.b, bytes);
    if (look.needed()) {
      if (!early) step.a = flags_.capture(n.a, bytes, written);
      if (same) {
        step.from_result = true;
      } else {
        step.b = flags_.capture(n.b, bytes, written);
      }
    }
    const std::size_t begin = a_.offset();
    a_.emit(n.op == Op::Sub ? x86::Inst::kIdCmp : x86::Inst::kIdTest, left, right);
    flags_.set_from(begin);
    flags_.add_step(step, true);
    flags_.host_holds(logic ? kHostLogic : u32{kArithmeticFlags});
    return;
  }
  u16 left = n.a, right = n.b;
  u8 reg = 0;
  bool direct = registers_.destination(id, reg);
  const auto is_destination = [&](u16 v) { return registers_.is_guest(v, reg); };
  if (direct && !is_destination(left) && is_destination(right)) {
    if (info(n.op).has(kOpCommutes)) {
      std::swap(left, right);
    } else {
      direct = false;
    }
  }
  if (direct && registers_.value(right).kind == Value::High && registers_.value(right).reg == reg) direct = false;
  const u32 written = look.clobbered | insn().writes_registers;
  if (look.needed()) {
    if (carries) {
      step.a = flags_.capture(left, bytes, written);
      step.b = flags_.capture(right, bytes, written);
      step.c = flags_.new_slot();
    } else if (!logic) {
      step.b = flags_.capture(right, bytes, written);
    }
  }
  Gp to;
  const asmjit::Operand from = registers_.operand(right, bytes);
  if (direct) {
    to = registers_.guest(reg, bytes);
    if (!is_destination(left)) registers_.move_to(to, left, bytes);
  } else if (registers_.value(left).kind == Value::Temporary && registers_.value(left).last_use == id) {
    to = sized(registers_.value(left).reg, bytes);
    registers_.value(left).kind = Value::Nothing;
  } else {
    to = sized(registers_.take(), bytes);
    registers_.move_to(to, left, bytes);
  }
  if (carries) {
    flags_.carry_in();
    if (step.c.kind == FlagOperand::Slot) {
      a_.setc(kAddress.r8());
      a_.movzx(kAddress.r32(), kAddress.r8());
      a_.mov(flags_.slot(step.c.value), kAddress.r32());
    }
  }
  const std::size_t begin = a_.offset();
  a_.emit(instruction_of(n.op), to, from);
  flags_.set_from(begin);
  registers_.set_result(id, direct, reg, to);
  if (look.needed() && !carries) {
    step.from_result = true;
    step.a = flags_.capture_register(to, direct ? reg : registers_.stored_in(id), look.clobbered);
  }
  flags_.add_step(step, true);
  flags_.host_holds(logic ? kHostLogic : u32{kArithmeticFlags});
}

void Emitter::unary(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  u8 reg = 0;
  const bool direct = registers_.destination(id, reg) && registers_.is_guest(n.a, reg);
  Gp to;
  if (direct) {
    to = registers_.guest(reg, bytes);
  } else if (registers_.value(n.a).kind == Value::Temporary && registers_.value(n.a).last_use == id) {
    to = sized(registers_.value(n.a).reg, bytes);
    registers_.value(n.a).kind = Value::Nothing;
  } else {
    to = sized(registers_.take(), bytes);
    registers_.move_to(to, n.a, bytes);
  }
  const std::size_t begin = a_.offset();
  a_.emit(instruction_of(n.op), to);
  flags_.set_from(begin);
  registers_.set_result(id, direct, reg, to);
  if (n.op == Op::Not) return;
  const bool counting = counts(n.op);
  const FlagNeed look = flags_.need(info(n.op).flags_defined);
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  step.from_result = true;
  if (look.needed()) step.a = flags_.capture_register(to, direct ? reg : registers_.stored_in(id), look.clobbered);
  flags_.add_step(step, !counting);
  flags_.host_holds(counting ? (flags_.host() & kCF) | (kArithmeticFlags & ~kCF) : u32{kArithmeticFlags});
}

void Emitter::shift(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const bool through = info(n.op).flags_read != 0;
  const bool rotate = info(n.op).flags_defined != kArithmeticFlags;
  const Value& count = registers_.value(n.b);
  const bool fixed = count.kind == Value::Constant;
  const u32 amount = static_cast<u32>(count.constant) & (bytes == 8 ? 63 : 31);
  if (!fixed && (count.kind != Value::Guest || count.reg != kEcx)) failed_ = true;
  u8 reg = 0;
  const bool direct = registers_.destination(id, reg) && registers_.is_guest(n.a, reg);
  if (fixed && amount == 0) {
    if (direct) {
      registers_.set_guest(id, reg);
      if (mode_.code64 && bytes == 4)
        a_.mov(registers_.guest(reg, 4), registers_.guest(reg, 4));  // the upper half goes all the same
    } else {
      const u8 host = registers_.take();
      registers_.move_to(sized(host, bytes), n.a, bytes);
      registers_.set_temporary(id, host);
    }
    return;
  }
  const FlagNeed look = flags_.need(info(n.op).flags_defined);
  const u32 written = look.clobbered | insn().writes_registers;
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  if (look.needed()) {
    step.a = flags_.capture(n.a, bytes, written);
    step.b = flags_.capture(n.b, 1, written);
    if (through) step.c = flags_.new_slot();
  }
  Gp to;
  if (direct) {
    to = registers_.guest(reg, bytes);
  } else if (registers_.value(n.a).kind == Value::Temporary && registers_.value(n.a).last_use == id) {
    to = sized(registers_.value(n.a).reg, bytes);
    registers_.value(n.a).kind = Value::Nothing;
  } else {
    to = sized(registers_.take(), bytes);
    registers_.move_to(to, n.a, bytes);
  }
  if (through) {
    flags_.carry_in();
    if (step.c.kind == FlagOperand::Slot) {
      a_.setc(kAddress.r8());
      a_.movzx(kAddress.r32(), kAddress.r8());
      a_.mov(flags_.slot(step.c.value), kAddress.r32());
    }
  }
  if (fixed) {
    a_.emit(instruction_of(n.op), to, asmjit::Imm(amount));
  } else {
    a_.emit(instruction_of(n.op), to, x86::cl);
  }
  registers_.set_result(id, direct, reg, to);
  flags_.add_step(step, fixed && !rotate);
  u32 valid = rotate ? u32{kArithmeticFlags} : u32{kSF | kZF | kPF | kCF | kOF};
  if (!fixed || amount != 1) valid &= ~kOF;
  // Counts beyond the operand's width: the carry is undefined on the host.
  if (!rotate && bytes < 4 && (!fixed || amount >= bytes * 8)) valid &= ~kCF;
  const bool keeps = !fixed || rotate;  // flags of before may still hold
  if (rotate && fixed) {
    valid = (flags_.host() & ~(kCF | kOF)) | (valid & (kCF | kOF));
  } else if (keeps) {
    valid &= flags_.host();
  }
  flags_.host_holds(valid);
}

void Emitter::double_shift(u16 id) {
  const Node n = at(id);
  const Value& count = registers_.value(n.c);
  const bool fixed = count.kind == Value::Constant;
  const u32 amount = static_cast<u32>(count.constant) & (n.size == 8 ? 63 : 31);
  if (!fixed && (count.kind != Value::Guest || count.reg != kEcx)) failed_ = true;
  if (fixed && amount == 0) failed_ = true;  // nobody writes this
  u8 reg = 0;
  const bool direct = registers_.destination(id, reg) && registers_.is_guest(n.a, reg);
  const FlagNeed look = flags_.need(kArithmeticFlags);
  const u32 written = look.clobbered | insn().writes_registers;
  FlagStep step;
  step.op = n.op;
  step.size = n.size;
  if (look.needed()) {
    step.a = flags_.capture(n.a, n.size, written);
    step.b = flags_.capture(n.b, n.size, written);
    step.c = flags_.capture(n.c, 1, written);
  }
  Gp to;
  if (direct) {
    to = registers_.guest(reg, n.size);
  } else {
    to = sized(registers_.in_temporary(n.a, n.size), n.size);
    registers_.value(n.a).kind = Value::Nothing;
  }
  const Gp filler = registers_.in_register(n.b, n.size);
  if (fixed) {
    a_.emit(instruction_of(n.op), to, filler, asmjit::Imm(amount));
  } else {
    a_.emit(instruction_of(n.op), to, filler, x86::cl);
  }
  registers_.set_result(id, direct, reg, to);
  flags_.add_step(step, fixed);
  const u32 valid = kSF | kZF | kPF | kCF;
  flags_.host_holds(fixed ? valid : valid & flags_.host());
}

void Emitter::multiply(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const u16 low = static_cast<u16>(id + 1), high = static_cast<u16>(id + 2);
  const FlagNeed look = flags_.need(kArithmeticFlags);
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  if (registers_.uses(high) == 0) {  // IMUL to one register
    u8 reg = 0;
    const bool direct = registers_.destination(low, reg);
    const u32 written = look.clobbered | insn().writes_registers;
    if (look.needed()) {
      step.a = flags_.capture(n.a, bytes, written);
      step.b = flags_.capture(n.b, bytes, written);
    }
    const asmjit::Operand right = registers_.operand(n.b, bytes);
    const Gp to = direct ? registers_.guest(reg, bytes) : sized(registers_.take(), bytes);
    if (right.isImm()) {
      a_.emit(x86::Inst::kIdImul, to, registers_.in_register(n.a, bytes), right);
    } else {
      if (!direct) {
        registers_.move_to(to, n.a, bytes);
      } else if (registers_.value(n.a).kind != Value::Guest || registers_.value(n.a).reg != reg) {
        failed_ = true;
      }
      a_.emit(x86::Inst::kIdImul, to, right);
    }
    registers_.set_result(low, direct, reg, to);
  } else {
    const u32 written = look.clobbered | insn().writes_registers;
    if (look.needed()) {
      step.a = flags_.capture(n.a, bytes, written);
      step.b = flags_.capture(n.b, bytes, written);
    }
    a_.emit(n.op == Op::Mul ? x86::Inst::kIdMul : x86::Inst::kIdImul, registers_.in_register(n.b, bytes));
    registers_.set_guest(low, kEax);
    registers_.value(high).kind = bytes == 1 ? Value::High : Value::Guest;
    registers_.value(high).reg = bytes == 1 ? u8{kEax} : u8{kEdx};
  }
  flags_.add_step(step, true);
  flags_.host_holds(kCF | kOF);
}

// A quotient that does not fit would trap on the host: such divisions, and signed ones of a wide dividend, are left to
// the interpreter.
void Emitter::divide(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const u16 low = static_cast<u16>(id + 1), high = static_cast<u16>(id + 2);
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label slow = a_.newLabel();
  const Gp divisor = registers_.in_register(n.c, bytes);
  if (n.op == Op::Div) {
    if (bytes == 1) {
      a_.movzx(kAddress.r32(), x86::ah);
      a_.cmp(kAddress.r8(), divisor);
    } else {
      a_.cmp(registers_.guest(kEdx, bytes), divisor);
    }
    a_.jae(slow);
    a_.div(divisor);
  } else {
    const Gp scratch = sized(kAddress.id(), bytes);
    a_.mov(scratch, registers_.guest(kEax, bytes));
    a_.sar(scratch, bytes * 8 - 1);
    a_.cmp(scratch, registers_.guest(kEdx, bytes));
    a_.jne(slow);
    // 0 and -1
    a_.mov(scratch, divisor);
    a_.inc(scratch);
    a_.cmp(scratch, 1);
    a_.jbe(slow);
    a_.idiv(divisor);
  }
  registers_.value(low).kind = registers_.value(high).kind = Value::Guest;
  registers_.value(low).reg = kEax;
  registers_.value(high).reg = kEdx;
  if (bytes == 1) {
    registers_.set_guest(high, kEax, Value::High);
  }
  flags_.host_lost();
  defer([=, this] {
    a_.bind(slow);
    exits_.leave(exit);
  });
}

void Emitter::bit_test(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const FlagNeed look = flags_.need(kCF);
  FlagStep step;
  step.op = Op::Bt;
  step.size = static_cast<u8>(bytes);
  asmjit::Operand index = registers_.source(n.b, bytes);
  if (index.isImm()) index = asmjit::Imm(registers_.value(n.b).constant & (bytes * 8 - 1));
  if (n.op == Op::Bt) {
    const Gp left = registers_.in_register(n.a, bytes);
    a_.emit(x86::Inst::kIdBt, left, index);
    if (look.needed()) {
      step.a = flags_.capture(n.a, bytes, look.clobbered);
      step.b = flags_.capture(n.b, bytes, look.clobbered);
    }
  } else {
    u8 reg = 0;
    const bool direct = registers_.destination(id, reg) && registers_.is_guest(n.a, reg);
    const u32 written = look.clobbered | insn().writes_registers;
    if (look.needed()) {
      step.a = flags_.capture(n.a, bytes, written);
      step.b = flags_.capture(n.b, bytes, written);
    }
    Gp to;
    if (direct) {
      to = registers_.guest(reg, bytes);
    } else {
      to = sized(registers_.in_temporary(n.a, bytes), bytes);
      registers_.value(n.a).kind = Value::Nothing;
    }
    a_.emit(instruction_of(n.op), to, index);
    registers_.set_result(id, direct, reg, to);
  }
  flags_.add_step(step, false);
  flags_.host_holds(kCF | (flags_.host() & kZF));
}

// With a source of 0 the host leaves the destination alone, as the guest's processor does.
void Emitter::bit_scan(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const FlagNeed look = flags_.need(kArithmeticFlags);
  u8 reg = 0;
  const bool direct = registers_.destination(id, reg) && registers_.is_guest(n.b, reg);
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  if (look.needed()) step.a = flags_.capture(n.a, bytes, look.clobbered | insn().writes_registers);
  const Gp to = direct ? registers_.guest(reg, bytes) : sized(registers_.take(), bytes);
  if (!direct) registers_.move_to(to, n.b, bytes);
  a_.emit(instruction_of(n.op), to, registers_.in_register(n.a, bytes));
  registers_.set_result(id, direct, reg, to);
  flags_.add_step(step, true);
  flags_.host_holds(kZF);
}

void Emitter::extend(u16 id) {
  const Node n = at(id);
  const unsigned from = n.reg;
  Value& value = registers_.value(n.a);
  if (registers_.value(id).kind != Value::Nothing) return;  // the load has done it
  if (n.op == Op::SignExtend && registers_.uses(id) == 1 && at(registers_.value(id).last_use).op == Op::HighHalf)
    return;
  if (n.op == Op::HighHalf) {  // CWD, CDQ
    u8 reg = 0;
    if (!registers_.destination(id, reg) || reg != kEdx) failed_ = true;
    if (n.size == 2) {
      a_.cwd();
    } else {
      a_.cdq();
    }
    registers_.set_guest(id, kEdx);
    return;
  }
  if (n.op == Op::Truncate) {
    const u8 host = registers_.take();
    registers_.move_to(sized(host, 4), n.a, from);
    registers_.set_temporary(id, host);
    return;
  }
  u8 reg = 0;
  const bool direct = registers_.destination(id, reg);
  const bool zero = n.op == Op::ZeroExtend, half = from == 4;
  const x86::Inst::Id move =
      zero ? (half ? x86::Inst::kIdMov : x86::Inst::kIdMovzx) : (half ? x86::Inst::kIdMovsxd : x86::Inst::kIdMovsx);
  // A write of four bytes clears the rest.
  const unsigned width = zero && n.size == 8 ? 4 : n.size;
  const Gp to = direct ? registers_.guest(reg, width) : sized(registers_.take(), width);
  if (value.kind == Value::High && to.id() < 8 && width < 8) {
    a_.emit(move, to, x86::gpb_hi(value.reg));
  } else if (value.kind == Value::Stored) {
    a_.emit(move, to, gpr(value.reg, from));
  } else {
    const Gp low = registers_.in_register(n.a, from);
    a_.emit(move, to, low);
  }
  registers_.set_result(id, direct, reg, to);
}

void Emitter::select(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size < 4 ? 4 : n.size;  // there is no CMOV of bytes; the upper part does not matter
  u8 reg = 0;
  const bool direct = registers_.destination(id, reg) && n.size >= 4;
  const Gp yes = registers_.in_register(n.b, bytes), no = registers_.in_register(n.c, bytes);
  const x86::CondCode condition = condition_of(n.a);  // last: the moves above leave the flags alone
  if (direct && registers_.is_guest(n.c, reg)) {
    a_.cmov(condition, registers_.guest(reg, bytes), yes);
  } else if (direct && registers_.is_guest(n.b, reg)) {
    a_.cmov(x86::negateCond(condition), registers_.guest(reg, bytes), no);
  } else {
    const Gp to = sized(registers_.take(), bytes);
    a_.mov(to, no);
    a_.cmov(condition, to, yes);
    registers_.set_temporary(id, static_cast<u8>(to.id()));
    return;
  }
  registers_.set_guest(id, reg);
}

void Emitter::truth(u16 id) {
  const x86::CondCode condition = condition_of(at(id).a);
  u8 reg = 0;
  if (registers_.destination(id, reg)) {
    a_.set(condition, registers_.guest(reg, 1));
    registers_.set_guest(id, reg);
    return;
  }
  const u8 host = registers_.take();
  a_.set(condition, sized(host, 1));
  registers_.set_temporary(id, host);
}

void Emitter::plain(u16 id) {
  const Node n = at(id);
  if (n.op == Op::NextInstruction) {
    const u8 host = registers_.take();
    addresses_.load_eip(sized(host, 4), next_eip());
    registers_.set_temporary(id, host);
    return;
  }
  u8 reg = 0;
  const bool direct = registers_.destination(id, reg) && registers_.is_guest(n.a, reg);
  const Gp to = direct ? registers_.guest(reg, n.size) : sized(registers_.take(), n.size);
  if (!direct) registers_.move_to(to, n.a, n.size);
  a_.bswap(to);
  registers_.set_result(id, direct, reg, to);
}

// CQO leaves the flags alone; other registers do not occur.
void Emitter::sign_copies(u16 id) {
  const Value& source = registers_.value(at(id).a);
  u8 reg = 0;
  if (!registers_.destination(id, reg) || reg != kEdx || source.kind != Value::Guest || source.reg != kEax)
    failed_ = true;
  a_.cqo();
  registers_.set_guest(id, kEdx);
}

void Emitter::set_direction(u16 id) {
  if ((at(id).immediate != 0) == mode_.down) return;
  const x86::Mem flags = state(offsetof(CpuState, system_flags), 4);
  if (at(id).immediate != 0) {
    a_.or_(flags, static_cast<i32>(kDF));
  } else {
    a_.and_(flags, ~static_cast<i32>(kDF));
  }
  flags_.host_lost();
}

void Emitter::set_carry(u16 id) {
  constexpr u32 kComplement = 2;
  const u32 carry = static_cast<u32>(at(id).immediate);
  if (carry == kComplement) {
    FlagStep step;
    step.op = Op::SetCarry;
    const x86::CondCode code = flags_.condition_code(static_cast<u32>(Condition::Below));
    if (flags_.need(kCF).needed()) {
      step.a = flags_.new_slot();
      a_.set(x86::negateCond(code), kAddress.r8());
      a_.movzx(kAddress.r32(), kAddress.r8());
      a_.mov(flags_.slot(step.a.value), kAddress.r32());
    }
    a_.cmc();
    flags_.add_step(step, false);
    return;
  }
  if (carry != 0) {
    a_.stc();
  } else {
    a_.clc();
  }
  FlagStep step;
  step.op = Op::SetCarry;
  step.a = {FlagOperand::Immediate, carry};
  flags_.add_step(step, false);
  flags_.host_holds(flags_.host() | kCF);
}

}  // namespace relic86::jit::x64
