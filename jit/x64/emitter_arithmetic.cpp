#include "cpu/semantics/condition.h"
#include "jit/runtime/engine_area.h"
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

constexpr u32 kHostLogic = kArithmeticFlags & ~kAF;  // the host leaves AF undefined

}  // namespace

void Emitter::binary(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const bool logic = info(n.op).has(kOpLogic);
  const bool carries = info(n.op).flags_read != 0;
  const FlagNeed look = need(kArithmeticFlags);
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  if (uses(id) == 0) {  // CMP, TEST
    const u32 written = look.clobbered | insn().writes_registers;
    const auto all = [this](u16 v) { return values_[v].kind == Value::Guest || values_[v].kind == Value::Stored; };
    const bool same = n.op == Op::And && all(n.a) && all(n.b) && values_[n.a].reg == values_[n.b].reg;
    // Before the register that holds it is lost sight of.
    const bool early = look.needed() && values_[n.a].kind == Value::Stored;
    if (early) step.a = capture(n.a, bytes, written);
    const bool stored = values_[n.a].kind == Value::Stored;
    const asmjit::Operand left = stored ? asmjit::Operand(gpr(values_[n.a].reg, bytes)) : in_register(n.a, bytes);
    const bool place = stored || n.op == Op::And;  // one operand in memory is enough
    const asmjit::Operand right = place ? source(n.b, bytes) : operand(n.b, bytes);
    a_.emit(n.op == Op::Sub ? x86::Inst::kIdCmp : x86::Inst::kIdTest, left, right);
    if (look.needed()) {
      if (!early) step.a = capture(n.a, bytes, written);
      if (same) {
        step.from_result = true;
      } else {
        step.b = capture(n.b, bytes, written);
      }
    }
    add_step(step, true);
    host_flags(logic ? kHostLogic : u32{kArithmeticFlags});
    return;
  }
  u16 left = n.a, right = n.b;
  u8 reg = 0;
  bool direct = destination(id, reg);
  const auto is_destination = [&](u16 v) { return values_[v].kind == Value::Guest && values_[v].reg == reg; };
  if (direct && !is_destination(left) && is_destination(right)) {
    if (info(n.op).has(kOpCommutes)) {
      std::swap(left, right);
    } else {
      direct = false;
    }
  }
  if (direct && values_[right].kind == Value::High && values_[right].reg == reg) direct = false;
  const u32 written = look.clobbered | insn().writes_registers;
  if (look.needed()) {
    if (carries) {
      step.a = capture(left, bytes, written);
      step.b = capture(right, bytes, written);
      step.c = new_slot();
    } else if (!logic) {
      step.b = capture(right, bytes, written);
    }
  }
  Gp to;
  const asmjit::Operand from = operand(right, bytes);
  if (direct) {
    to = guest(reg, bytes);
    if (!is_destination(left)) move_to(to, left, bytes);
  } else if (values_[left].kind == Value::Temporary && values_[left].last_use == id) {
    to = sized(values_[left].reg, bytes);
    values_[left].kind = Value::Nothing;
  } else {
    to = sized(take(), bytes);
    move_to(to, left, bytes);
  }
  if (carries) {
    carry_in();
    if (step.c.kind == FlagOperand::Slot) {
      a_.setc(kAddress.r8());
      a_.movzx(kAddress.r32(), kAddress.r8());
      a_.mov(slot(step.c.value), kAddress.r32());
    }
  }
  a_.emit(instruction_of(n.op), to, from);
  values_[id].kind = direct ? Value::Guest : Value::Temporary;
  values_[id].reg = direct ? reg : static_cast<u8>(to.id());
  if (look.needed() && !carries) {
    step.from_result = true;
    step.a = capture_register(to, direct ? reg : stored_in(id), look.clobbered);
  }
  add_step(step, true);
  host_flags(logic ? kHostLogic : u32{kArithmeticFlags});
}

void Emitter::unary(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  u8 reg = 0;
  const bool direct = destination(id, reg) && values_[n.a].kind == Value::Guest && values_[n.a].reg == reg;
  Gp to;
  if (direct) {
    to = guest(reg, bytes);
  } else if (values_[n.a].kind == Value::Temporary && values_[n.a].last_use == id) {
    to = sized(values_[n.a].reg, bytes);
    values_[n.a].kind = Value::Nothing;
  } else {
    to = sized(take(), bytes);
    move_to(to, n.a, bytes);
  }
  a_.emit(instruction_of(n.op), to);
  values_[id].kind = direct ? Value::Guest : Value::Temporary;
  values_[id].reg = direct ? reg : static_cast<u8>(to.id());
  if (n.op == Op::Not) return;
  const bool counting = counts(n.op);
  const FlagNeed look = need(info(n.op).flags_defined);
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  step.from_result = true;
  if (look.needed()) step.a = capture_register(to, direct ? reg : stored_in(id), look.clobbered);
  add_step(step, !counting);
  host_flags(counting ? (host_flags_ & kCF) | (kArithmeticFlags & ~kCF) : u32{kArithmeticFlags});
}

void Emitter::shift(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const bool through = info(n.op).flags_read != 0;
  const bool rotate = info(n.op).flags_defined != kArithmeticFlags;
  const Value& count = values_[n.b];
  const bool fixed = count.kind == Value::Constant;
  const u32 amount = static_cast<u32>(count.constant) & (bytes == 8 ? 63 : 31);
  if (!fixed && (count.kind != Value::Guest || count.reg != kEcx)) failed_ = true;
  u8 reg = 0;
  const bool direct = destination(id, reg) && values_[n.a].kind == Value::Guest && values_[n.a].reg == reg;
  if (fixed && amount == 0) {
    if (direct) {
      values_[id].kind = Value::Guest;
      values_[id].reg = reg;
      if (mode_.code64 && bytes == 4) a_.mov(guest(reg, 4), guest(reg, 4));  // the upper half goes all the same
    } else {
      const u8 host = take();
      move_to(sized(host, bytes), n.a, bytes);
      set_temporary(id, host);
    }
    return;
  }
  const FlagNeed look = need(info(n.op).flags_defined);
  const u32 written = look.clobbered | insn().writes_registers;
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  if (look.needed()) {
    step.a = capture(n.a, bytes, written);
    step.b = capture(n.b, 1, written);
    if (through) step.c = new_slot();
  }
  Gp to;
  if (direct) {
    to = guest(reg, bytes);
  } else if (values_[n.a].kind == Value::Temporary && values_[n.a].last_use == id) {
    to = sized(values_[n.a].reg, bytes);
    values_[n.a].kind = Value::Nothing;
  } else {
    to = sized(take(), bytes);
    move_to(to, n.a, bytes);
  }
  if (through) {
    carry_in();
    if (step.c.kind == FlagOperand::Slot) {
      a_.setc(kAddress.r8());
      a_.movzx(kAddress.r32(), kAddress.r8());
      a_.mov(slot(step.c.value), kAddress.r32());
    }
  }
  if (fixed) {
    a_.emit(instruction_of(n.op), to, asmjit::Imm(amount));
  } else {
    a_.emit(instruction_of(n.op), to, x86::cl);
  }
  values_[id].kind = direct ? Value::Guest : Value::Temporary;
  values_[id].reg = direct ? reg : static_cast<u8>(to.id());
  add_step(step, fixed && !rotate);
  u32 valid = rotate ? u32{kArithmeticFlags} : u32{kSF | kZF | kPF | kCF | kOF};
  if (!fixed || amount != 1) valid &= ~kOF;
  // Counts beyond the operand's width: the carry is undefined on the host.
  if (!rotate && bytes < 4 && (!fixed || amount >= bytes * 8)) valid &= ~kCF;
  const bool keeps = !fixed || rotate;  // flags of before may still hold
  if (rotate && fixed) {
    valid = (host_flags_ & ~(kCF | kOF)) | (valid & (kCF | kOF));
  } else if (keeps) {
    valid &= host_flags_;
  }
  host_flags(valid);
}

void Emitter::double_shift(u16 id) {
  const Node n = at(id);
  const Value& count = values_[n.c];
  const bool fixed = count.kind == Value::Constant;
  const u32 amount = static_cast<u32>(count.constant) & (n.size == 8 ? 63 : 31);
  if (!fixed && (count.kind != Value::Guest || count.reg != kEcx)) failed_ = true;
  if (fixed && amount == 0) failed_ = true;  // nobody writes this
  u8 reg = 0;
  const bool direct = destination(id, reg) && values_[n.a].kind == Value::Guest && values_[n.a].reg == reg;
  const FlagNeed look = need(kArithmeticFlags);
  const u32 written = look.clobbered | insn().writes_registers;
  FlagStep step;
  step.op = n.op;
  step.size = n.size;
  if (look.needed()) {
    step.a = capture(n.a, n.size, written);
    step.b = capture(n.b, n.size, written);
    step.c = capture(n.c, 1, written);
  }
  Gp to;
  if (direct) {
    to = guest(reg, n.size);
  } else {
    to = sized(in_temporary(n.a, n.size), n.size);
    values_[n.a].kind = Value::Nothing;
  }
  const Gp filler = in_register(n.b, n.size);
  if (fixed) {
    a_.emit(instruction_of(n.op), to, filler, asmjit::Imm(amount));
  } else {
    a_.emit(instruction_of(n.op), to, filler, x86::cl);
  }
  values_[id].kind = direct ? Value::Guest : Value::Temporary;
  values_[id].reg = direct ? reg : static_cast<u8>(to.id());
  add_step(step, fixed);
  const u32 valid = kSF | kZF | kPF | kCF;
  host_flags(fixed ? valid : valid & host_flags_);
}

void Emitter::multiply(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const u16 low = static_cast<u16>(id + 1), high = static_cast<u16>(id + 2);
  const FlagNeed look = need(kArithmeticFlags);
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  if (uses(high) == 0) {  // IMUL to one register
    u8 reg = 0;
    const bool direct = destination(low, reg);
    const u32 written = look.clobbered | insn().writes_registers;
    if (look.needed()) {
      step.a = capture(n.a, bytes, written);
      step.b = capture(n.b, bytes, written);
    }
    const asmjit::Operand right = operand(n.b, bytes);
    const Gp to = direct ? guest(reg, bytes) : sized(take(), bytes);
    if (right.isImm()) {
      a_.emit(x86::Inst::kIdImul, to, in_register(n.a, bytes), right);
    } else {
      if (!direct) {
        move_to(to, n.a, bytes);
      } else if (values_[n.a].kind != Value::Guest || values_[n.a].reg != reg) {
        failed_ = true;
      }
      a_.emit(x86::Inst::kIdImul, to, right);
    }
    values_[low].kind = direct ? Value::Guest : Value::Temporary;
    values_[low].reg = direct ? reg : static_cast<u8>(to.id());
  } else {
    const u32 written = look.clobbered | insn().writes_registers;
    if (look.needed()) {
      step.a = capture(n.a, bytes, written);
      step.b = capture(n.b, bytes, written);
    }
    a_.emit(n.op == Op::Mul ? x86::Inst::kIdMul : x86::Inst::kIdImul, in_register(n.b, bytes));
    values_[low].kind = Value::Guest;
    values_[low].reg = kEax;
    values_[high].kind = bytes == 1 ? Value::High : Value::Guest;
    values_[high].reg = bytes == 1 ? u8{kEax} : u8{kEdx};
  }
  add_step(step, true);
  host_flags(kCF | kOF);
}

// A quotient that does not fit would trap on the host: such divisions, and signed ones of a wide dividend, are left to
// the interpreter.
void Emitter::divide(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const u16 low = static_cast<u16>(id + 1), high = static_cast<u16>(id + 2);
  ExitPoint* const exit = new_exit(ExitKind::Before, undone_before());
  const Label slow = a_.newLabel();
  const Gp divisor = in_register(n.c, bytes);
  if (n.op == Op::Div) {
    if (bytes == 1) {
      a_.movzx(kAddress.r32(), x86::ah);
      a_.cmp(kAddress.r8(), divisor);
    } else {
      a_.cmp(guest(kEdx, bytes), divisor);
    }
    a_.jae(slow);
    a_.div(divisor);
  } else {
    const Gp scratch = sized(kAddress.id(), bytes);
    a_.mov(scratch, guest(kEax, bytes));
    a_.sar(scratch, bytes * 8 - 1);
    a_.cmp(scratch, guest(kEdx, bytes));
    a_.jne(slow);
    // 0 and -1
    a_.mov(scratch, divisor);
    a_.inc(scratch);
    a_.cmp(scratch, 1);
    a_.jbe(slow);
    a_.idiv(divisor);
  }
  values_[low].kind = values_[high].kind = Value::Guest;
  values_[low].reg = kEax;
  values_[high].reg = kEdx;
  if (bytes == 1) {
    values_[high].kind = Value::High;
    values_[high].reg = kEax;
  }
  host_flags(0);
  defer([=, this] {
    a_.bind(slow);
    leave(exit);
  });
}

void Emitter::bit_test(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const FlagNeed look = need(kCF);
  FlagStep step;
  step.op = Op::Bt;
  step.size = static_cast<u8>(bytes);
  asmjit::Operand index = source(n.b, bytes);
  if (index.isImm()) index = asmjit::Imm(values_[n.b].constant & (bytes * 8 - 1));
  if (n.op == Op::Bt) {
    const Gp left = in_register(n.a, bytes);
    a_.emit(x86::Inst::kIdBt, left, index);
    if (look.needed()) {
      step.a = capture(n.a, bytes, look.clobbered);
      step.b = capture(n.b, bytes, look.clobbered);
    }
  } else {
    u8 reg = 0;
    const bool direct = destination(id, reg) && values_[n.a].kind == Value::Guest && values_[n.a].reg == reg;
    const u32 written = look.clobbered | insn().writes_registers;
    if (look.needed()) {
      step.a = capture(n.a, bytes, written);
      step.b = capture(n.b, bytes, written);
    }
    Gp to;
    if (direct) {
      to = guest(reg, bytes);
    } else {
      to = sized(in_temporary(n.a, bytes), bytes);
      values_[n.a].kind = Value::Nothing;
    }
    a_.emit(instruction_of(n.op), to, index);
    values_[id].kind = direct ? Value::Guest : Value::Temporary;
    values_[id].reg = direct ? reg : static_cast<u8>(to.id());
  }
  add_step(step, false);
  host_flags(kCF | (host_flags_ & kZF));
}

// With a source of 0 the host leaves the destination alone, as the guest's processor does.
void Emitter::bit_scan(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size;
  const FlagNeed look = need(kArithmeticFlags);
  u8 reg = 0;
  const bool direct = destination(id, reg) && values_[n.b].kind == Value::Guest && values_[n.b].reg == reg;
  FlagStep step;
  step.op = n.op;
  step.size = static_cast<u8>(bytes);
  if (look.needed()) step.a = capture(n.a, bytes, look.clobbered | insn().writes_registers);
  const Gp to = direct ? guest(reg, bytes) : sized(take(), bytes);
  if (!direct) move_to(to, n.b, bytes);
  a_.emit(instruction_of(n.op), to, in_register(n.a, bytes));
  values_[id].kind = direct ? Value::Guest : Value::Temporary;
  values_[id].reg = direct ? reg : static_cast<u8>(to.id());
  add_step(step, true);
  host_flags(kZF);
}

void Emitter::extend(u16 id) {
  const Node n = at(id);
  const unsigned from = n.reg;
  Value& value = values_[n.a];
  if (values_[id].kind != Value::Nothing) return;  // the load has done it
  if (n.op == Op::SignExtend && uses(id) == 1 && at(values_[id].last_use).op == Op::HighHalf) return;
  if (n.op == Op::HighHalf) {  // CWD, CDQ
    u8 reg = 0;
    if (!destination(id, reg) || reg != kEdx) failed_ = true;
    if (n.size == 2) {
      a_.cwd();
    } else {
      a_.cdq();
    }
    values_[id].kind = Value::Guest;
    values_[id].reg = kEdx;
    return;
  }
  if (n.op == Op::Truncate) {
    const u8 host = take();
    move_to(sized(host, 4), n.a, from);
    set_temporary(id, host);
    return;
  }
  u8 reg = 0;
  const bool direct = destination(id, reg);
  const bool zero = n.op == Op::ZeroExtend, half = from == 4;
  const x86::Inst::Id move =
      zero ? (half ? x86::Inst::kIdMov : x86::Inst::kIdMovzx) : (half ? x86::Inst::kIdMovsxd : x86::Inst::kIdMovsx);
  // A write of four bytes clears the rest.
  const unsigned width = zero && n.size == 8 ? 4 : n.size;
  const Gp to = direct ? guest(reg, width) : sized(take(), width);
  if (value.kind == Value::High && to.id() < 8 && width < 8) {
    a_.emit(move, to, x86::gpb_hi(value.reg));
  } else if (value.kind == Value::Stored) {
    a_.emit(move, to, gpr(value.reg, from));
  } else {
    const Gp low = in_register(n.a, from);
    a_.emit(move, to, low);
  }
  values_[id].kind = direct ? Value::Guest : Value::Temporary;
  values_[id].reg = direct ? reg : static_cast<u8>(to.id());
}

void Emitter::select(u16 id) {
  const Node n = at(id);
  const unsigned bytes = n.size < 4 ? 4 : n.size;  // there is no CMOV of bytes; the upper part does not matter
  u8 reg = 0;
  const bool direct = destination(id, reg) && n.size >= 4;
  const Gp yes = in_register(n.b, bytes), no = in_register(n.c, bytes);
  const Truth truth = truth_of(n.a);  // last: the moves above leave the flags alone
  if (direct && values_[n.c].kind == Value::Guest && values_[n.c].reg == reg) {
    a_.cmov(truth.code, guest(reg, bytes), yes);
  } else if (direct && values_[n.b].kind == Value::Guest && values_[n.b].reg == reg) {
    a_.cmov(x86::negateCond(truth.code), guest(reg, bytes), no);
  } else {
    const Gp to = sized(take(), bytes);
    a_.mov(to, no);
    a_.cmov(truth.code, to, yes);
    set_temporary(id, static_cast<u8>(to.id()));
    return;
  }
  values_[id].kind = Value::Guest;
  values_[id].reg = reg;
}

void Emitter::truth(u16 id) {
  const Truth truth = truth_of(at(id).a);
  u8 reg = 0;
  if (destination(id, reg)) {
    a_.set(truth.code, guest(reg, 1));
    values_[id].kind = Value::Guest;
    values_[id].reg = reg;
    return;
  }
  const u8 host = take();
  a_.set(truth.code, sized(host, 1));
  set_temporary(id, host);
}

void Emitter::plain(u16 id) {
  const Node n = at(id);
  if (n.op == Op::NextInstruction) {
    const u8 host = take();
    load_eip(sized(host, 4), next_eip());
    set_temporary(id, host);
    return;
  }
  u8 reg = 0;
  const bool direct = destination(id, reg) && values_[n.a].kind == Value::Guest && values_[n.a].reg == reg;
  const Gp to = direct ? guest(reg, n.size) : sized(take(), n.size);
  if (!direct) move_to(to, n.a, n.size);
  a_.bswap(to);
  values_[id].kind = direct ? Value::Guest : Value::Temporary;
  values_[id].reg = direct ? reg : static_cast<u8>(to.id());
}

// CQO leaves the flags alone; other registers do not occur.
void Emitter::sign_copies(u16 id) {
  const Value& source = values_[at(id).a];
  u8 reg = 0;
  if (!destination(id, reg) || reg != kEdx || source.kind != Value::Guest || source.reg != kEax) failed_ = true;
  a_.cqo();
  values_[id].kind = Value::Guest;
  values_[id].reg = kEdx;
}

void Emitter::set_direction(u16 id) {
  if ((at(id).immediate != 0) == mode_.down) return;
  const x86::Mem flags = state(offsetof(CpuState, system_flags), 4);
  if (at(id).immediate != 0) {
    a_.or_(flags, static_cast<i32>(kDF));
  } else {
    a_.and_(flags, ~static_cast<i32>(kDF));
  }
  host_flags(0);
}

void Emitter::set_carry(u16 id) {
  constexpr u32 kComplement = 2;
  const u32 carry = static_cast<u32>(at(id).immediate);
  if (carry == kComplement) {
    FlagStep step;
    step.op = Op::SetCarry;
    const x86::CondCode code = condition_code(static_cast<u32>(Condition::Below));
    if (need(kCF).needed()) {
      step.a = new_slot();
      a_.set(x86::negateCond(code), kAddress.r8());
      a_.movzx(kAddress.r32(), kAddress.r8());
      a_.mov(slot(step.a.value), kAddress.r32());
    }
    a_.cmc();
    add_step(step, false);
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
  add_step(step, false);
  host_flags(host_flags_ | kCF);
}

}  // namespace relic86::jit::x64
