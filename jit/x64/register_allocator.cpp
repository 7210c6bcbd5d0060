#include "jit/x64/register_allocator.h"

#include <bit>

#include "base/assert.h"
#include "jit/record/native_forms.h"
#include "jit/x64/addresses.h"
#include "jit/x64/shared_pages.h"

namespace relic86::jit::x64 {

namespace {

u32 general_registers(const InsnIr& insn) {
  const NativeForm* const form = insn.native;
  if (form == nullptr) return 0;
  return (form->general_reg ? 1u << (insn.operands.reg & 15) : 0) |
         (form->general_rm ? 1u << (insn.operands.rm & 15) : 0);
}

}  // namespace

void RegisterAllocator::begin_block() {
  if (mode_.code64 && options_.copies) note_registers();
}

// Which registers each instruction reads or names in an address, and which it writes whole without a look.
void RegisterAllocator::note_registers() {
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

void RegisterAllocator::begin_instruction() {
  values_.assign(insn().nodes.size(), Value{});
  count_uses();
  free_temporaries();
  for (std::size_t reg = kPinned; reg < hosts_.size(); ++reg) {
    if (has_host(static_cast<u32>(reg))) free_ &= ~(1u << hosts_[reg]);
  }
  busy_ = 0;
}

void RegisterAllocator::count_uses() {
  uses_.assign(insn().nodes.size(), 0);
  for (u16 id = 0; id < insn().nodes.size(); ++id) {
    for (const u16 operand : {at(id).a, at(id).b, at(id).c}) {
      if (operand == kNoValue) continue;
      ++uses_[operand];
      values_[operand].last_use = id;
    }
  }
}

void RegisterAllocator::restore(const Places& places) {
  hosts_ = places.hosts;
  if (mode_.code64) free_ = places.free;
}

void RegisterAllocator::free_temporaries() {
  free_ = 0;
  for (const unsigned host : kTemporaries) free_ |= 1u << host;
  free_ &= ~pages_.taken();
}

u32 RegisterAllocator::pointers() const {
  u32 hosts = 0;
  for (const Value& value : values_) {
    if (value.kind == Value::Address) hosts |= 1u << value.host_pointer;
  }
  return hosts;
}

u8 RegisterAllocator::take() {
  if (free_ == 0 && !drop_copy(0)) {
    const u8 evicted = pages_.evict();
    if (evicted == 0) {
      failed_ = true;
      return static_cast<u8>(kTemporaries[0]);
    }
    give(evicted);
  }
  const u8 host = static_cast<u8>(std::countr_zero(free_));
  free_ &= free_ - 1;
  return host;
}

void RegisterAllocator::release(u16 now) {
  for (u16 id = 0; id <= now; ++id) {
    Value& value = values_[id];
    if (value.last_use > now || value.last_use == 0) continue;
    if (value.kind == Value::Temporary) {
      give(value.reg);
      value.kind = Value::Nothing;
    } else if (value.kind == Value::Address && value.host_pointer != 0) {
      give(value.host_pointer);
      value.host_pointer = 0;
    }
  }
}

void RegisterAllocator::set_temporary(u16 id, u8 host) {
  values_[id].kind = Value::Temporary;
  values_[id].reg = host;
}

void RegisterAllocator::set_guest(u16 id, u8 guest_register, Value::Kind kind) {
  values_[id].kind = kind;
  values_[id].reg = guest_register;
}

void RegisterAllocator::set_result(u16 id, bool direct, u8 guest_register, const Gp& to) {
  if (direct) {
    set_guest(id, guest_register);
  } else {
    set_temporary(id, static_cast<u8>(to.id()));
  }
}

x86::Gp RegisterAllocator::in_register(u16 id, unsigned bytes) {
  Value& value = values_[id];
  switch (value.kind) {
    case Value::Guest: return guest(value.reg, bytes);
    case Value::Temporary: return sized(value.reg, bytes);
    default: return sized(in_temporary(id, bytes), bytes);
  }
}

u8 RegisterAllocator::in_temporary(u16 id, unsigned bytes) {
  Value& value = values_[id];
  if (value.kind == Value::Temporary) return value.reg;
  const u8 host = take();
  move_to(sized(host, bytes), id, bytes);
  set_temporary(id, host);
  return host;
}

asmjit::Operand RegisterAllocator::source(u16 id, unsigned bytes) {
  const Value& value = values_[id];
  if (value.kind == Value::Constant) {
    const u64 c = value.constant;
    if (bytes == 1) return asmjit::Imm(static_cast<i8>(c));
    if (bytes == 2) return asmjit::Imm(static_cast<i16>(c));
    if (bytes == 4 || fits_immediate(c)) return asmjit::Imm(static_cast<i32>(c));
  }
  return in_register(id, bytes);
}

asmjit::Operand RegisterAllocator::operand(u16 id, unsigned bytes) {
  if (values_[id].kind == Value::Stored) return gpr(values_[id].reg, bytes);
  return source(id, bytes);
}

void RegisterAllocator::move_to(const Gp& to, u16 id, unsigned bytes) {
  const Value& value = values_[id];
  const Gp to32 = to.r32();
  const unsigned wide = whole(bytes);
  const Gp all = sized(to.id(), wide);
  switch (value.kind) {
    case Value::Constant: load_constant(all, value.constant); break;
    case Value::Guest:
      if (hosts_[value.reg] != to.id()) a_.mov(all, guest(value.reg, wide));
      break;
    case Value::Stored: a_.mov(all, gpr(value.reg, wide)); break;
    case Value::Temporary:
      if (value.reg != to.id()) a_.mov(all, sized(value.reg, wide));
      break;
    case Value::High:
      a_.movzx(kAddress.r32(), x86::gpb_hi(value.reg));
      if (to.id() != kAddress.id()) a_.mov(to32, kAddress.r32());
      break;
    case Value::Address:
      addresses_.load(all, id);
      if (bytes == 2) a_.movzx(to32, to.r16());
      break;
    default: RELIC86_ASSERT(false);
  }
}

void RegisterAllocator::before_write(u8 guest_register, u16 now) {
  for (u16 id = 0; id < now; ++id) {
    Value& value = values_[id];
    if (value.last_use <= now || value.reg != guest_register) continue;
    if (value.in_guest()) (void)in_temporary(id, whole(at(id).size));
  }
}

bool RegisterAllocator::destination(u16 id, u8& guest_register) {
  if (!only_setter(id, guest_register) || !has_host(guest_register)) return false;
  busy_ |= 1u << guest_register;
  return true;
}

i32 RegisterAllocator::stored_in(u16 id) const {
  u8 reg = 0;
  return only_setter(id, reg) && reg >= kPinned ? i32{reg} : -1;
}

bool RegisterAllocator::only_setter(u16 id, u8& guest_register) const {
  if (uses(id) != 1) return false;
  const u16 user = values_[id].last_use;
  const Node& n = at(user);
  if (n.op != Op::SetRegister || n.size != at(id).size || names_high_byte(n)) return false;
  const u8 reg = register_of(n);
  // Nothing between the two may leave the block, read the register's old value or write it.
  for (u16 between = static_cast<u16>(id + 1); between < user; ++between) {
    if (!info(at(between).op).has(kOpSilent)) return false;
  }
  for (u16 older = 0; older < id; ++older) {
    const Value& value = values_[older];
    if (value.last_use > id && value.reg == reg && value.in_guest()) return false;
    if (value.kind == Value::Address && value.last_use > id) return false;
  }
  guest_register = reg;
  return true;
}

// How many instructions later the register is read next; 0: not in this block, or not before a handler is called.
std::size_t RegisterAllocator::next_read(u8 reg) const {
  for (std::size_t i = index_ + 1; i < registers_read_.size(); ++i) {
    if (ir_.insns[i].cold) return 0;
    if ((registers_read_[i] >> reg & 1) != 0) return i - index_;
    if ((registers_replaced_[i] >> reg & 1) != 0) return 0;
  }
  return 0;
}

x86::Gp RegisterAllocator::guest(unsigned reg, unsigned bytes) {
  RELIC86_ASSERT(hosts_[reg] != kNoHost);
  busy_ |= 1u << reg;
  return sized(hosts_[reg], bytes);
}

// A copy for what is going to be read again, if there is a temporary for it: the last ones but one are for values.
void RegisterAllocator::hold_for_reads(u8 reg) {
  if (has_host(reg) || deferring_) return;
  const std::size_t next = next_read(reg);
  if (next == 0) return;
  if (std::popcount(free_) < 2) (void)drop_copy(next);
  if (std::popcount(free_) < 2) return;
  hold(reg, take());
  a_.mov(guest(reg, 8), gpr(reg, 8));
}

// The temporary becomes the register's copy.
void RegisterAllocator::hold(u8 reg, u8 host) {
  hosts_[reg] = host;
  busy_ |= 1u << reg;
  for (Value& value : values_) {
    if (value.kind == Value::Stored && value.reg == reg) value.kind = Value::Guest;
  }
}

// CpuState has the register.
void RegisterAllocator::drop(u8 reg) {
  if (!has_host(reg)) return;
  give(hosts_[reg]);
  hosts_[reg] = kNoHost;
  for (Value& value : values_) {
    if (value.kind == Value::Guest && value.reg == reg) value.kind = Value::Stored;
  }
}

void RegisterAllocator::drop_copies() {
  for (u8 reg = kPinned; reg < hosts_.size(); ++reg) drop(reg);
}

// The copy that is read last, if not before so many instructions and not by the present node. Code that stands behind
// the block goes back to where copies are as they were.
bool RegisterAllocator::drop_copy(std::size_t before) {
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

}  // namespace relic86::jit::x64
