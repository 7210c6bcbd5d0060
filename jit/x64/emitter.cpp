#include "jit/x64/emitter.h"

#include <bit>

#include "base/assert.h"
#include "jit/runtime/engine_area.h"

namespace relic86::jit::x64 {

namespace {

// asmjit reports what it cannot encode here; the block is then given up.
class Refusal final : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error, const char*, asmjit::BaseEmitter*) override { failed = true; }
  bool failed = false;
};

}  // namespace

Emitter::Emitter(asmjit::CodeHolder& code, const BlockIr& ir, const Mode& mode, Translation& translation,
                 const Thunks& thunks, const ModeTag& tag_of, FlagRecords& records, const EmitterOptions& options)
    : a_(&code),
      ir_(ir),
      mode_(mode),
      translation_(translation),
      thunks_(thunks),
      tag_of_(tag_of),
      tag_(tag_of(mode)),
      records_(records),
      options_(options) {
  page_offset_ = static_cast<i32>(translation.block->first.raw & (kPageSize - 1));
}

bool Emitter::run() {
  Refusal refusal;
  a_.setErrorHandler(&refusal);
  translation_.count = static_cast<u32>(ir_.insns.size());
  for (const PageGroup& group : ir_.groups) left_.push_back(group.accesses);
  trap_exits_.resize(ir_.insns.size());
  note_registers();
  u32 written = 0;
  for (const InsnIr& each : ir_.insns) {
    written_before_.push_back(written);
    written |= each.writes_registers;
  }
  translation_.entry_offset = static_cast<u32>(a_.offset());
  if (mode_.limited) check_block();
  if (ir_.loop) hoist();
  // The block's budget. Before any flag: at entry the home holds them all.
  a_.sub(kRemaining, translation_.count);
  ExitPoint* const budget = new_exit(ExitKind::Budget, translation_.count);
  const Label out = a_.newLabel();
  a_.js(out);
  // A block that runs over the end of its page: the rest must be where it was. Else the dispatcher looks.
  if (translation_.second_page != 0) check_second_page(out);
  defer([=, this] {
    a_.bind(out);
    leave(budget);
  });
  for (index_ = 0; index_ < ir_.insns.size(); ++index_) {
    instruction();
    if (failed_ || refusal.failed) {
      failed_at_ = index_;
      return false;
    }
  }
  index_ = ir_.insns.size() - 1;
  if (!ended_) fall_through_exit();
  // Deferred code may defer more.
  deferring_ = true;
  for (std::size_t i = 0; i < deferred_.size(); ++i) {
    const auto code = std::move(deferred_[i]);
    code();
  }
  failed_at_ = ir_.insns.size();
  translation_.lazy_entry = options_.lazy_flags && !entry_exposed_;
  translation_.entry_clobbers = static_cast<u16>(entry_clobbers_);
  for (ExitPoint* const exit : passing_) {
    exit->lazy = translation_.lazy_entry;
    exit->lazy_registers = static_cast<u16>(~entry_clobbers_);  // what a record may name here
  }
  return !refusal.failed && !failed_;
}

void Emitter::instruction() {
  if (insn().cold) {
    cold();
    return;
  }
  values_.assign(insn().nodes.size(), Value{});
  count_uses();
  free_ = 0;
  for (const unsigned host : kTemporaries) free_ |= 1u << host;
  for (const SharedPage& page : shared_) {
    if (page.host != 0) free_ &= ~(1u << page.host);
  }
  for (std::size_t reg = kPinned; reg < hosts_.size(); ++reg) {
    if (has_host(static_cast<u32>(reg))) free_ &= ~(1u << hosts_[reg]);
  }
  busy_ = 0;
  pinned_ = 0;
  if (insn().native != nullptr) {
    native();
    return;
  }
  for (u16 id = 0; id < insn().nodes.size(); ++id) {
    node(id);
    release(id);
  }
  if (insn().leaves) leave_mode();
}

void Emitter::count_uses() {
  uses_.assign(insn().nodes.size(), 0);
  for (u16 id = 0; id < insn().nodes.size(); ++id) {
    for (const u16 operand : {at(id).a, at(id).b, at(id).c}) {
      if (operand == kNoValue) continue;
      ++uses_[operand];
      values_[operand].last_use = id;
    }
  }
}

void Emitter::node(u16 id) {
  const Node& n = at(id);
  Value& value = values_[id];
  busy_ = 0;
  switch (n.op) {
    case Op::Constant:
      value.kind = Value::Constant;
      value.constant = n.immediate;
      break;
    case Op::PatchedImmediate: patched_immediate(id); break;
    case Op::GetRegister:
      value.reg = register_of(n);
      hold_for_reads(value.reg);
      value.kind = names_high_byte(n) ? Value::High : has_host(value.reg) ? Value::Guest : Value::Stored;
      break;
    case Op::SetRegister: set_register(id); break;
    case Op::SetRegisterIf: set_register_if(id); break;
    case Op::SignCopies: sign_copies(id); break;
    case Op::Address:
    case Op::BitAddress: value.kind = Value::Address; break;
    case Op::Load: load(id); break;
    case Op::LoadForWrite: load_for_write(id); break;
    case Op::Store: store(id); break;
    case Op::ZeroExtend:
    case Op::SignExtend:
    case Op::Truncate:
    case Op::HighHalf: extend(id); break;
    case Op::Add:
    case Op::Adc:
    case Op::Sub:
    case Op::Sbb:
    case Op::And:
    case Op::Or:
    case Op::Xor: binary(id); break;
    case Op::Neg:
    case Op::Inc:
    case Op::Dec:
    case Op::Not: unary(id); break;
    case Op::Shl:
    case Op::Shr:
    case Op::Sar:
    case Op::Rol:
    case Op::Ror:
    case Op::Rcl:
    case Op::Rcr: shift(id); break;
    case Op::PushAll: push_all(id); break;
    case Op::PopAll: pop_all(id); break;
    case Op::Enter: enter(id); break;
    case Op::TableLoad: table_load(id); break;
    case Op::CheckBounds: check_bounds(id); break;
    case Op::CheckOverflow: check_overflow(); break;
    case Op::DecimalAdjust: decimal_adjust(id); break;
    case Op::DivideDigits: divide_digits(id); break;
    case Op::MultiplyDigits: multiply_digits(id); break;
    case Op::Shld:
    case Op::Shrd: double_shift(id); break;
    case Op::Mul:
    case Op::Imul: multiply(id); break;
    case Op::Div:
    case Op::Idiv: divide(id); break;
    case Op::Low:
    case Op::High: break;  // placed by the operation
    case Op::Bt:
    case Op::Bts:
    case Op::Btr:
    case Op::Btc: bit_test(id); break;
    case Op::Bsf:
    case Op::Bsr: bit_scan(id); break;
    case Op::Tzcnt:
    case Op::Lzcnt:
    case Op::Popcnt:
    case Op::Blsr:
    case Op::Blsmsk:
    case Op::Blsi:
    case Op::Bzhi:
    case Op::Bextr:
    case Op::Sarx:
    case Op::Shlx:
    case Op::Shrx:
    case Op::Pdep:
    case Op::Pext: bit_operation(id); break;
    case Op::Rorx: rotate_without_flags(id); break;
    case Op::Mulx: multiply_without_flags(id); break;
    case Op::ByteSwap:
    case Op::NextInstruction: plain(id); break;
    case Op::SetCarry: set_carry(id); break;
    case Op::Literal:
    case Op::SetZero:
    case Op::Image: break;
    case Op::Selector: selector(id); break;
    case Op::FlagsImage:
    case Op::FlagsByte: flags_image(id); break;
    case Op::CheckTrusted: check_v86_trusted(); break;
    case Op::SetFlags: set_flags(id); break;
    case Op::SetFlagsByte: set_flags_byte(); break;
    case Op::ClearInterrupts: clear_interrupts(); break;
    case Op::SetInterrupts: set_interrupts(); break;
    case Op::LoadSegment: load_segment(id); break;
    case Op::PopSegment: pop_segment(id); break;
    case Op::VerifySegment: verify_segment(id); break;
    case Op::LoadFar: load_far(id); break;
    case Op::DescribeSegment: describe_segment(id); break;
    case Op::CheckProtected: check_protected(); break;
    case Op::AdjustLevel: adjust_level(id); break;
    case Op::FastTransfer: fast_transfer(id); break;
    case Op::SystemCall: system_call(id); break;
    case Op::SystemReturn: system_return(id); break;
    case Op::SwapGs: swap_gs(); break;
    case Op::SetUserAccess: set_user_access(id); break;
    case Op::FarTransfer: far_transfer(id); break;
    case Op::DirectTransfer: direct_transfer(id); break;
    case Op::TableRegister: table_register(id); break;
    case Op::SystemRegister: system_register(id); break;
    case Op::SetDirection: set_direction(id); break;
    case Op::StringLoad: string_load(id); break;
    case Op::StringStore: string_store(id); break;
    case Op::Advance: advance(id); break;
    case Op::CompareExchange8: compare_exchange8(id); break;
    case Op::RepeatMove:
    case Op::RepeatStore: repeat_string(id); break;
    case Op::Condition:
    case Op::ZeroCount:
    case Op::Invert:
    case Op::Both:
    case Op::TargetOf: break;  // by their users
    case Op::Follow: break;    // the next instruction is emitted next
    case Op::Select: select(id); break;
    case Op::Truth: truth(id); break;
    case Op::Push: push(id); break;
    case Op::Pop: pop(id); break;
    case Op::Peek: peek(id); break;
    case Op::SetStackPointer: set_stack_pointer(id); break;
    case Op::CheckTarget: check_target(id); break;
    case Op::JumpTo:
    case Op::Call:
    case Op::Return: jump_to(id); break;
    case Op::NativeRegister:
    case Op::NativeLoad:
    case Op::NativeStore: break;  // by native()
    case Op::JumpIf: jump_if(id); break;
    case Op::JumpIfCounting: counting_jump(id); break;
  }
}

void Emitter::patched_immediate(u16 id) {
  const u8 host = take();
  set_temporary(id, host);
  a_.mov(kAddress, reinterpret_cast<u64>(insn().patched));
  const unsigned bytes = whole(at(id).size);
  a_.mov(sized(host, bytes), Mem(kAddress, 0, bytes));
  if (at(id).size < 4) a_.movzx(sized(host, 4), sized(host, at(id).size));
}

u8 Emitter::take() {
  if (free_ == 0 && !drop_copy(0) && !evict_page()) {
    failed_ = true;
    return static_cast<u8>(kTemporaries[0]);
  }
  const u8 host = static_cast<u8>(std::countr_zero(free_));
  free_ &= free_ - 1;
  return host;
}

void Emitter::give(u8 host) { free_ |= 1u << host; }

void Emitter::release(u16 now) {
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

void Emitter::set_temporary(u16 id, u8 host) {
  values_[id].kind = Value::Temporary;
  values_[id].reg = host;
}

void Emitter::lea_address(const Gp& to, u16 address, i32 extra) {
  const Node& named = at(address);
  const Node& n = named.op == Op::BitAddress ? at(named.a) : named;
  if (mode_.code64) return lea_long_address(to, n, extra);
  offset_ = width_of_offset(n.address_size);
  const bool base = n.base != kNoRegister, index = n.index != kNoRegister;
  const u32 constant = static_cast<u32>(n.immediate) + static_cast<u32>(extra);
  if (!base && !index) {
    a_.mov(to.r32(), narrow() ? constant & 0xFFFF : constant);
    return;
  }
  const i32 displacement = static_cast<i32>(constant);
  if (!narrow() && n.immediate == 0 && extra == 0 && !index) {
    a_.mov(to.r32(), guest(n.base, 4));
    return;
  }
  if (narrow() && displacement == 0 && base != index) {
    a_.movzx(to.r32(), guest(base ? n.base : n.index, 2));
    return;
  }
  // 64-bit address arithmetic, cut to 32 bits by the destination: no 67h prefix needed.
  if (base && index) {
    a_.lea(to.r32(), x86::ptr(guest(n.base, 8), guest(n.index, 8), n.scale, displacement));
  } else if (base) {
    a_.lea(to.r32(), x86::ptr(guest(n.base, 8), displacement));
  } else {
    a_.lea(to.r32(), x86::ptr(u64{0}, guest(n.index, 8), n.scale).cloneAdjusted(displacement));
  }
  if (narrow()) a_.movzx(to.r32(), to.r16());
}

// Offsets of 64-bit code, and of 32 bits if the instruction says so. kAddress may be needed besides `to`. No flags
// change.
void Emitter::lea_long_address(const Gp& to, const Node& n, i32 extra) {
  offset_ = Offset::Full;
  const Gp offset = n.address_size == 8 ? to : to.r32();
  i64 displacement = static_cast<i64>(n.immediate) + extra;
  if (n.base == kRipRegister) {
    a_.mov(kAddress, area(offsetof(EngineArea, page_eip), 8));
    lea_long(offset, &kAddress, nullptr, 0, displacement + page_offset_);
    return;
  }
  const bool based = n.base != kNoRegister, indexed = n.index != kNoRegister;
  if (!based && !indexed && displacement == static_cast<i32>(displacement)) offset_ = Offset::Constant;
  const bool plain = insn().native == nullptr;  // of units the address may be made anew, on one of two ways
  if (based && plain) hold_for_reads(n.base);
  const bool base_stored = based && !has_host(n.base);
  const Gp base = based && !base_stored ? guest(n.base, 8) : kAddress;
  if (indexed && plain) hold_for_reads(n.index);
  const bool index_stored = indexed && !has_host(n.index);
  Gp index = indexed && !index_stored ? guest(n.index, 8) : kAddress;
  u8 temporary = 0;
  if (base_stored) a_.mov(base, gpr(n.base, 8));
  if (index_stored && !(base_stored && n.base == n.index)) {
    if (base_stored) {
      temporary = take();
      index = sized(temporary, 8);
    }
    a_.mov(index, gpr(n.index, 8));
  }
  lea_long(offset, based ? &base : nullptr, indexed ? &index : nullptr, n.scale, displacement);
  if (temporary != 0) give(temporary);
}

void Emitter::lea_long(const Gp& to, const Gp* base, const Gp* index, u8 scale, i64 displacement) {
  if (base == nullptr && index == nullptr) return load_constant(to, static_cast<u64>(displacement));
  const i32 near = static_cast<i32>(displacement);
  const i64 rest = displacement - near;
  if (base != nullptr && index != nullptr) {
    a_.lea(to, x86::ptr(*base, *index, scale, near));
  } else if (index != nullptr) {
    a_.lea(to, x86::ptr(u64{0}, *index, scale).cloneAdjusted(near));
  } else if (near != 0) {
    a_.lea(to, x86::ptr(*base, near));
  } else if (to.id() != base->id() || to.size() != 8) {
    a_.mov(to, sized(base->id(), to.size()));
  }
  if (rest == 0) return;
  const u8 host = take();
  load_constant(sized(host, 8), static_cast<u64>(rest));
  a_.lea(to, x86::ptr(to.r64(), sized(host, 8)));
  give(host);
}

void Emitter::load_constant(const Gp& to, u64 value) {
  if (to.size() < 8 || value <= ~u32{0}) {
    a_.mov(to.r32(), static_cast<u32>(value));
  } else if (fits_immediate(value)) {
    a_.mov(to, static_cast<i32>(value));
  } else {
    a_.movabs(to, value);
  }
}

Emitter::Mem Emitter::gpr(unsigned guest_register, unsigned bytes) const {
  return state(offsetof(CpuState, gpr) + guest_register * sizeof(u64), bytes);
}

Emitter::Gp Emitter::in_register(u16 id, unsigned bytes) {
  Value& value = values_[id];
  switch (value.kind) {
    case Value::Guest: return guest(value.reg, bytes);
    case Value::Temporary: return sized(value.reg, bytes);
    default: return sized(in_temporary(id, bytes), bytes);
  }
}

u8 Emitter::in_temporary(u16 id, unsigned bytes) {
  Value& value = values_[id];
  if (value.kind == Value::Temporary) return value.reg;
  const u8 host = take();
  move_to(sized(host, bytes), id, bytes);
  set_temporary(id, host);
  return host;
}

asmjit::Operand Emitter::source(u16 id, unsigned bytes) {
  const Value& value = values_[id];
  if (value.kind == Value::Constant) {
    const u64 c = value.constant;
    if (bytes == 1) return asmjit::Imm(static_cast<i8>(c));
    if (bytes == 2) return asmjit::Imm(static_cast<i16>(c));
    if (bytes == 4 || fits_immediate(c)) return asmjit::Imm(static_cast<i32>(c));
  }
  return in_register(id, bytes);
}

asmjit::Operand Emitter::operand(u16 id, unsigned bytes) {
  if (values_[id].kind == Value::Stored) return gpr(values_[id].reg, bytes);
  return source(id, bytes);
}

void Emitter::move_to(const Gp& to, u16 id, unsigned bytes) {
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
      lea_address(all, id);
      if (bytes == 2) a_.movzx(to32, to.r16());
      break;
    default: RELIC86_ASSERT(false);
  }
}

void Emitter::before_write(u8 guest_register, u16 now) {
  for (u16 id = 0; id < now; ++id) {
    Value& value = values_[id];
    if (value.last_use <= now || value.reg != guest_register) continue;
    if (value.in_guest()) (void)in_temporary(id, whole(at(id).size));
  }
}

bool Emitter::destination(u16 id, u8& guest_register) {
  if (!only_setter(id, guest_register) || !has_host(guest_register)) return false;
  busy_ |= 1u << guest_register;
  return true;
}

i32 Emitter::stored_in(u16 id) const {
  u8 reg = 0;
  return only_setter(id, reg) && reg >= kPinned ? i32{reg} : -1;
}

bool Emitter::only_setter(u16 id, u8& guest_register) const {
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

void Emitter::set_register(u16 id) {
  const Node& n = at(id);
  Value& value = values_[n.a];
  const bool high = names_high_byte(n);
  const u8 reg = register_of(n);
  if (reg >= kPinned) return set_stored_register(id);
  if (value.kind == Value::Guest && value.reg == reg && !high) {  // already there
    // MOV EAX,EAX clears the upper half of RAX.
    if (mode_.code64 && n.size == 4 && at(n.a).op == Op::GetRegister) a_.mov(guest(reg, 4), guest(reg, 4));
    return;
  }
  if (value.kind == Value::High && value.reg == reg && high) return;
  before_write(reg, id);
  if (high) {
    if (value.kind == Value::Constant) {
      a_.mov(x86::gpb_hi(reg), static_cast<i8>(value.constant));
    } else if (value.kind == Value::Guest && value.reg < 4) {
      a_.mov(x86::gpb_hi(reg), x86::gpb_lo(value.reg));
    } else if (value.kind == Value::High) {
      a_.mov(x86::gpb_hi(reg), x86::gpb_hi(value.reg));
    } else {
      write_high(reg, in_register(n.a, 1));
    }
    return;
  }
  const Gp to = guest(reg, n.size);
  if (value.kind == Value::Constant) {
    if (n.size == 1) a_.mov(to, static_cast<i8>(value.constant));
    if (n.size == 2) a_.mov(to, static_cast<i16>(value.constant));
    if (n.size >= 4) load_constant(to, value.constant);
  } else if (value.kind == Value::High && n.size == 1 && reg < 4) {
    a_.mov(x86::gpb_lo(reg), x86::gpb_hi(value.reg));
  } else if (value.kind == Value::Address && n.size >= 4) {
    lea_address(to, n.a);
  } else if (value.kind == Value::Stored) {
    a_.mov(to, gpr(value.reg, n.size));
  } else {
    a_.mov(to, in_register(n.a, n.size));
  }
}

void Emitter::set_register_if(u16 id) {
  const Node& n = at(id);
  const u8 reg = register_of(n);
  before_write(reg, id);
  const Gp value = sized(in_temporary(n.b, n.size), 8);  // its upper half is empty
  const Truth truth = truth_of(n.a);
  if (has_host(reg)) {
    a_.cmov(truth.code, guest(reg, 8), value);
    if (reg >= kPinned) a_.mov(gpr(reg, 8), guest(reg, 8));
    return;
  }
  const u8 host = take();
  a_.mov(sized(host, 8), gpr(reg, 8));
  a_.cmov(truth.code, sized(host, 8), value);
  a_.mov(gpr(reg, 8), sized(host, 8));
  give(host);
}

// AH and kin from a register that needs a REX prefix: by way of AL. No flags change.
void Emitter::write_high(u8 guest_register, const Gp& low_byte) {
  const Gp low = x86::gpb_lo(guest_register), high = x86::gpb_hi(guest_register);
  a_.xchg(low, high);
  a_.mov(low, low_byte);
  a_.xchg(low, high);
}

i32 Emitter::eip_of(std::size_t index) const { return place(ir_.insns[index].offset); }

ExitPoint* Emitter::new_exit(ExitKind kind, unsigned undone) {
  ExitPoint& exit = *translation_.exits.emplace_back(std::make_unique<ExitPoint>());
  note_look(kind);
  exit.owner = &translation_;
  exit.insn = insn().insn;
  exit.kind = kind;
  exit.undone = static_cast<u16>(undone);
  exit.eip = eip_of(index_);
  exit.first_step = first_step_;
  exit.last_step = static_cast<u16>(translation_.steps.size());
  exit.from_home = from_home_;
  exit.units = units_held_ && units_used_from(index_);
  exit.held = held_addresses();
  if (x87_pending_ != 0) {
    exit.x87 = true;
    exit.x87_opcode = ir_.insns[x87_pending_ - 1].operands.x87_opcode;
    exit.x87_eip = eip_of(x87_pending_ - 1);
  }
  return &exit;
}

u8 Emitter::held_addresses() const {
  u32 hosts = 0;
  for (const SharedPage& page : shared_) {
    if (page.host != 0 && (page.fixed || left_[page.group] != 0)) hosts |= 1u << page.host;
  }
  for (const Value& value : values_) {
    if (value.kind == Value::Address) hosts |= 1u << value.host_pointer;
  }
  u8 held = 0;
  for (unsigned i = 0; i < std::size(kTemporaries); ++i) held |= static_cast<u8>((hosts >> kTemporaries[i] & 1) << i);
  return held;
}

// An exit shows the flags, perhaps those of the block's entry. Branches have written them home.
void Emitter::note_look(ExitKind kind) {
  if (!entry_home_ || !from_home_ || kind == ExitKind::Branch || kind == ExitKind::Indirect) return;
  entry_clobbers_ |= written_before_[index_];
  if (kind == ExitKind::Done) entry_clobbers_ |= insn().writes_registers;
  if (slot_taken_) entry_exposed_ = true;
}

void Emitter::call_thunk(u64 thunk, ExitPoint* exit) {
  a_.mov(kAddress, reinterpret_cast<u64>(exit));
  a_.call(thunk);
}

// An instruction that the interpreter carries out is followed by the next block at once if nothing else is due.
void Emitter::leave(ExitPoint* exit) {
  a_.mov(kAddress, reinterpret_cast<u64>(exit));
  a_.jmp(exit->kind == ExitKind::Before ? thunks_.depart : thunks_.leave);
}

// The dispatcher looks what mode it is now.
void Emitter::leave_mode() {
  write_home();
  store_x87_pointers();
  ExitPoint* const on = branch_exit(next_eip(), Way::RunsOn);
  on->linkable = false;
  on->eip_mask = 0xFFFFFFFF;
  leave(on);
  ended_ = true;
}

// RDTSC, unless CR4.TSD may forbid it.
void Emitter::read_time(ExitPoint* exit) {
  constexpr i32 kTimeStampDisable = 1 << 2;
  const Label forbidden = a_.newLabel(), done = a_.newLabel();
  a_.test(state(offsetof(CpuState, cr4), 4), kTimeStampDisable);
  a_.jnz(forbidden);
  call_thunk(thunks_.time, exit);
  a_.bind(done);
  defer_to_handler(forbidden, exit, done);
}

// A cold instruction: its handler is called with everything in CpuState.
void Emitter::cold() {
  store_x87_pointers();
  data_segment_ = kSegmentCount;
  drop_copies();
  ExitPoint* const exit = new_exit(ExitKind::Done, undone_before());
  exit->settles_flags = !insn().quiet;
  exit->changes_mode = insn().leaves;
  switch (insn().call) {
    case ColdCall::Time: read_time(exit); break;
    case ColdCall::Identify: call_thunk(thunks_.identify, exit); break;
    case ColdCall::Port: call_thunk(thunks_.port, exit); break;
    case ColdCall::Handler: call_thunk(thunks_.cold, exit); break;
  }
  host_flags(0);
  if (!insn().quiet) {
    from_home_ = true;
    entry_home_ = false;
    record_ = 0;
    home_current_ = true;
    first_step_ = static_cast<u16>(translation_.steps.size());
  }
  // A handler goes on elsewhere; should one ever complete plainly, the next instruction follows.
  if (insn().ends && index_ + 1 == ir_.insns.size()) {
    fall_through_exit();
    ended_ = true;
  }
}

}  // namespace relic86::jit::x64
