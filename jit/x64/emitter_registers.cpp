// R8 to R15 of 64-bit code. They stand in CpuState; a block that goes on to use one holds a copy of it in a temporary.
// Every write of a copy goes to CpuState as well, all eight bytes of it, so that exits, helpers and steps of flags find
// the register there, a copy is dropped for nothing, and no load meets a narrower store that is still under way, which
// host processors cannot forward.
#include <bit>

#include "base/assert.h"
#include "jit/record/native_forms.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

u32 general_registers(const InsnIr& insn) {
  const NativeForm* const form = insn.native;
  if (form == nullptr) return 0;
  return (form->general_reg ? 1u << (insn.operands.reg & 15) : 0) |
         (form->general_rm ? 1u << (insn.operands.rm & 15) : 0);
}

}  // namespace

// Which registers each instruction reads or names in an address, and which it writes whole without a look.
void Emitter::note_registers() {
  if (!mode_.code64 || !options_.copies) return;
  for (const InsnIr& insn : ir_.insns) {
    u32 reads = 0, writes = 0;
    for (const Node& n : insn.nodes) {
      const bool narrow = n.size < 4;
      if (n.op == Op::GetRegister || n.op == Op::SetRegisterIf || (n.op == Op::SetRegister && narrow))
        reads |= 1u << register_of(n);
      if (n.op == Op::SetRegister && !narrow) writes |= 1u << register_of(n);
      if (n.op != Op::Address) continue;
      if (n.base < kNoRegister) reads |= 1u << n.base;
      if (n.index < kNoRegister) reads |= 1u << n.index;
    }
    registers_read_.push_back(static_cast<u16>(reads | general_registers(insn)));
    registers_replaced_.push_back(static_cast<u16>(writes & ~reads));
  }
}

// How many instructions later the register is read next; 0: not in this block, or not before a handler is called.
std::size_t Emitter::next_read(u8 reg) const {
  for (std::size_t i = index_ + 1; i < registers_read_.size(); ++i) {
    if (ir_.insns[i].cold) return 0;
    if ((registers_read_[i] >> reg & 1) != 0) return i - index_;
    if ((registers_replaced_[i] >> reg & 1) != 0) return 0;
  }
  return 0;
}

Emitter::Gp Emitter::guest(unsigned reg, unsigned bytes) {
  RELIC86_ASSERT(hosts_[reg] != kNoHost);
  busy_ |= 1u << reg;
  return sized(hosts_[reg], bytes);
}

// A copy for what is going to be read again, if there is a temporary for it: the last ones but one are for values.
void Emitter::hold_for_reads(u8 reg) {
  if (has_host(reg) || deferring_) return;
  const std::size_t next = next_read(reg);
  if (next == 0) return;
  if (std::popcount(free_) < 2) (void)drop_copy(next);
  if (std::popcount(free_) < 2) return;
  hold(reg, take());
  a_.mov(guest(reg, 8), gpr(reg, 8));
}

// The temporary becomes the register's copy.
void Emitter::hold(u8 reg, u8 host) {
  hosts_[reg] = host;
  busy_ |= 1u << reg;
  for (Value& value : values_) {
    if (value.kind == Value::Stored && value.reg == reg) value.kind = Value::Guest;
  }
}

// CpuState has the register.
void Emitter::drop(u8 reg) {
  if (!has_host(reg)) return;
  give(hosts_[reg]);
  hosts_[reg] = kNoHost;
  for (Value& value : values_) {
    if (value.kind == Value::Guest && value.reg == reg) value.kind = Value::Stored;
  }
}

void Emitter::drop_copies() {
  for (u8 reg = kPinned; reg < hosts_.size(); ++reg) drop(reg);
}

// The copy that is read last, if not before so many instructions and not by the present node. Code that stands behind
// the block goes back to where copies are as they were.
bool Emitter::drop_copy(std::size_t before) {
  constexpr std::size_t kNever = ~std::size_t{0};
  if (deferring_) return false;
  u8 last = 0;
  std::size_t latest = before;
  for (u8 reg = kPinned; reg < hosts_.size(); ++reg) {
    if (!has_host(reg) || (busy_ >> reg & 1) != 0) continue;
    const std::size_t next = next_read(reg) == 0 ? kNever : next_read(reg);
    if (next <= latest) continue;
    latest = next;
    last = reg;
  }
  if (last == 0) return false;
  drop(last);
  return true;
}

// A write of four bytes clears the upper half, as in a host register.
void Emitter::set_stored_register(u16 id) {
  const Node& n = at(id);
  const u8 reg = register_of(n);
  const bool whole_register = n.size >= 4;
  if (values_[n.a].kind == Value::Guest && values_[n.a].reg == reg) {  // already there
    if (n.size == 4 && at(n.a).op == Op::GetRegister) a_.mov(guest(reg, 4), guest(reg, 4));
    a_.mov(gpr(reg, 8), guest(reg, 8));
    return;
  }
  before_write(reg, id);
  Value& value = values_[n.a];
  const bool constant = value.kind == Value::Constant && fits_immediate(value.constant);
  const bool wanted = next_read(reg) != 0 && !deferring_;
  if (whole_register && !has_host(reg) && wanted && value.kind == Value::Temporary && value.last_use == id) {
    const u8 host = value.reg;  // temporaries of four bytes have nothing in their upper halves
    value.kind = Value::Nothing;
    hold(reg, host);
    a_.mov(gpr(reg, 8), guest(reg, 8));
    return;
  }
  if (whole_register && !wanted) {
    drop(reg);
    if (constant) {
      const i64 number = static_cast<i64>(value.constant);
      a_.mov(gpr(reg, 8), static_cast<i32>(number));
      return;
    }
    // Of a guest register it is not known what is in the upper half.
    const bool plain = value.kind == Value::Guest && (n.size != 4 || at(n.a).op != Op::GetRegister);
    a_.mov(gpr(reg, 8), plain ? guest(value.reg, 8) : sized(in_temporary(n.a, n.size), 8));
    return;
  }
  const bool held = has_host(reg);
  const u8 host = held ? static_cast<u8>(guest(reg, 8).id()) : take();
  const Gp to = sized(host, n.size);
  if (whole_register) {
    move_to(to, n.a, n.size);
  } else {
    if (!held) a_.mov(sized(host, 8), gpr(reg, 8));
    if (value.kind == Value::Constant) {
      a_.mov(to, n.size == 1 ? static_cast<i8>(value.constant) : static_cast<i16>(value.constant));
    } else {
      a_.mov(to, in_register(n.a, n.size));
    }
  }
  a_.mov(gpr(reg, 8), sized(host, 8));
  if (!held && wanted) {
    hold(reg, host);
  } else if (!held) {
    give(host);
  }
}

}  // namespace relic86::jit::x64
