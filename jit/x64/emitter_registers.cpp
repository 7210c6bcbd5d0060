#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

void Emitter::patched_immediate(u16 id) {
  const u8 host = registers_.take();
  registers_.set_temporary(id, host);
  a_.mov(kAddress, reinterpret_cast<u64>(insn().patched));
  const unsigned bytes = whole(at(id).size);
  a_.mov(sized(host, bytes), Mem(kAddress, 0, bytes));
  if (at(id).size < 4) a_.movzx(sized(host, 4), sized(host, at(id).size));
}

void Emitter::set_register(u16 id) {
  const Node& n = at(id);
  Value& value = registers_.value(n.a);
  const bool high = names_high_byte(n);
  const u8 reg = register_of(n);
  if (reg >= kPinned) return set_stored_register(id);
  if (value.kind == Value::Guest && value.reg == reg && !high) {  // already there
    // MOV EAX,EAX clears the upper half of RAX.
    if (mode_.code64 && n.size == 4 && at(n.a).op == Op::GetRegister)
      a_.mov(registers_.guest(reg, 4), registers_.guest(reg, 4));
    return;
  }
  if (value.kind == Value::High && value.reg == reg && high) return;
  registers_.before_write(reg, id);
  if (high) {
    if (value.kind == Value::Constant) {
      a_.mov(x86::gpb_hi(reg), static_cast<i8>(value.constant));
    } else if (value.kind == Value::Guest && value.reg < 4) {
      a_.mov(x86::gpb_hi(reg), x86::gpb_lo(value.reg));
    } else if (value.kind == Value::High) {
      a_.mov(x86::gpb_hi(reg), x86::gpb_hi(value.reg));
    } else {
      write_high(reg, registers_.in_register(n.a, 1));
    }
    return;
  }
  const Gp to = registers_.guest(reg, n.size);
  if (value.kind == Value::Constant) {
    if (n.size == 1) a_.mov(to, static_cast<i8>(value.constant));
    if (n.size == 2) a_.mov(to, static_cast<i16>(value.constant));
    if (n.size >= 4) load_constant(to, value.constant);
  } else if (value.kind == Value::High && n.size == 1 && reg < 4) {
    a_.mov(x86::gpb_lo(reg), x86::gpb_hi(value.reg));
  } else if (value.kind == Value::Address && n.size >= 4) {
    addresses_.load(to, n.a);
  } else if (value.kind == Value::Stored) {
    a_.mov(to, gpr(value.reg, n.size));
  } else {
    a_.mov(to, registers_.in_register(n.a, n.size));
  }
}

// A write of four bytes clears the upper half, as in a host register.
void Emitter::set_stored_register(u16 id) {
  const Node& n = at(id);
  const u8 reg = register_of(n);
  const bool whole_register = n.size >= 4;
  if (registers_.is_guest(n.a, reg)) {  // already there
    if (n.size == 4 && at(n.a).op == Op::GetRegister) a_.mov(registers_.guest(reg, 4), registers_.guest(reg, 4));
    a_.mov(gpr(reg, 8), registers_.guest(reg, 8));
    return;
  }
  registers_.before_write(reg, id);
  Value& value = registers_.value(n.a);
  const bool constant = value.kind == Value::Constant && fits_immediate(value.constant);
  const bool wanted = registers_.next_read(reg) != 0 && !deferring_;
  if (whole_register && !registers_.has_host(reg) && wanted && value.kind == Value::Temporary && value.last_use == id) {
    const u8 host = value.reg;  // temporaries of four bytes have nothing in their upper halves
    value.kind = Value::Nothing;
    registers_.hold(reg, host);
    a_.mov(gpr(reg, 8), registers_.guest(reg, 8));
    return;
  }
  if (whole_register && !wanted) {
    registers_.drop(reg);
    if (constant) {
      const i64 number = static_cast<i64>(value.constant);
      a_.mov(gpr(reg, 8), static_cast<i32>(number));
      return;
    }
    // Of a guest register it is not known what is in the upper half.
    const bool plain = value.kind == Value::Guest && (n.size != 4 || at(n.a).op != Op::GetRegister);
    a_.mov(gpr(reg, 8), plain ? registers_.guest(value.reg, 8) : sized(registers_.in_temporary(n.a, n.size), 8));
    return;
  }
  const bool held = registers_.has_host(reg);
  const u8 host = held ? static_cast<u8>(registers_.guest(reg, 8).id()) : registers_.take();
  const Gp to = sized(host, n.size);
  if (whole_register) {
    registers_.move_to(to, n.a, n.size);
  } else {
    if (!held) a_.mov(sized(host, 8), gpr(reg, 8));
    if (value.kind == Value::Constant) {
      a_.mov(to, n.size == 1 ? static_cast<i8>(value.constant) : static_cast<i16>(value.constant));
    } else {
      a_.mov(to, registers_.in_register(n.a, n.size));
    }
  }
  a_.mov(gpr(reg, 8), sized(host, 8));
  if (!held && wanted) {
    registers_.hold(reg, host);
  } else if (!held) {
    registers_.give(host);
  }
}

void Emitter::set_register_if(u16 id) {
  const Node& n = at(id);
  const u8 reg = register_of(n);
  registers_.before_write(reg, id);
  const Gp value = sized(registers_.in_temporary(n.b, n.size), 8);  // its upper half is empty
  const x86::CondCode condition = condition_of(n.a);
  if (registers_.has_host(reg)) {
    a_.cmov(condition, registers_.guest(reg, 8), value);
    if (reg >= kPinned) a_.mov(gpr(reg, 8), registers_.guest(reg, 8));
    return;
  }
  const u8 host = registers_.take();
  a_.mov(sized(host, 8), gpr(reg, 8));
  a_.cmov(condition, sized(host, 8), value);
  a_.mov(gpr(reg, 8), sized(host, 8));
  registers_.give(host);
}

// AH and kin from a register that needs a REX prefix: by way of AL. No flags change.
void Emitter::write_high(u8 guest_register, const Gp& low_byte) {
  const Gp low = x86::gpb_lo(guest_register), high = x86::gpb_hi(guest_register);
  a_.xchg(low, high);
  a_.mov(low, low_byte);
  a_.xchg(low, high);
}

}  // namespace relic86::jit::x64
