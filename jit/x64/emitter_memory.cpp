#include <bit>

#include "jit/runtime/engine_area.h"
#include "jit/x64/emitter.h"
#include "jit/x64/quick_thunks.h"

namespace relic86::jit::x64 {

namespace {

constexpr i32 kTlb = static_cast<i32>(offsetof(VcpuMemory, tlb));

i32 tlb_table(bool write, bool user) {
  const i32 table = static_cast<i32>(sizeof(u64) * kLinearPages);
  return kTlb + (write ? 2 * table : 0) + (user ? table : 0);
}

}  // namespace

i32 Emitter::table(bool write) const { return tlb_table(write, mode_.user); }
i32 Emitter::code_table() const {
  return kTlb + static_cast<i32>(offsetof(TlbTables, code) + (mode_.user ? sizeof(u64) * kLinearPages : 0));
}

x86::Mem Emitter::inline_slot(const Gp& slot, std::size_t field) const { return quick_slot(slot, mode_.user, field); }

x86::Mem Emitter::area(std::size_t offset, u32 bytes) const {
  return x86::Mem(kState, static_cast<i32>(offsetof(VcpuMemory, engine) + offset), bytes);
}
x86::Mem Emitter::segment_field(unsigned segment, std::size_t offset, u32 bytes) const {
  return state(offsetof(CpuState, segment) + segment * sizeof(Segment) + offset, bytes);
}
x86::Mem Emitter::state(std::size_t offset, u32 bytes) const {
  return x86::Mem(kState, static_cast<i32>(offset), bytes);
}

ExitPoint* Emitter::access_exit(AddressForm form, unsigned bytes, unsigned segment) {
  ExitPoint* const exit = new_exit(ExitKind::Before, undone_before());
  exit->address = form;
  exit->size = static_cast<u8>(bytes);
  exit->segment = static_cast<u8>(segment);
  return exit;
}

// kAddress := the offset of the operand that an Address or BitAddress names. The host's flags go.
AddressForm Emitter::operand_address(u16 address) {
  lea_address(kAddress, address);
  const Node& n = at(address);
  if (n.op == Op::Address) return AddressForm::Operand;
  add_bit_unit(n);
  return AddressForm::BitString;
}

// kAddress: the bit string's offset, which becomes that of the unit that holds the bit.
void Emitter::add_bit_unit(const Node& n) {
  const u8 host = take();
  const Gp unit = sized(host, mode_.pointer_bytes());
  host_flags(0);
  const Gp index = in_register(n.b, n.size);
  if (index.size() == unit.size()) {
    a_.mov(unit, index);
  } else {
    a_.emit(n.size == 4 ? x86::Inst::kIdMovsxd : x86::Inst::kIdMovsx, unit, index);
  }
  a_.sar(unit, std::countr_zero(8u * n.size));
  a_.lea(sized(kAddress.id(), whole(at(n.a).address_size)),
         x86::ptr(kAddress, unit.r64(), static_cast<u32>(std::countr_zero(u32{n.size}))));
  if (narrow()) {
    a_.movzx(kAddress.r32(), kAddress.r16());
  } else {
    offset_ = Offset::Full;
  }
  give(host);
}

// For so many bytes from the linear address in kAddress on: slot := the host address of their page, kAddress := the
// offset there. Jumps to miss if they do not lie in one page that the slot is of; the slot and the difference are there
// then.
void Emitter::take_inline_slot(const Gp& slot, QuickKind kind, unsigned bytes, const Label& miss) {
  a_.mov(slot, kAddress);
  a_.shr(slot, InlineTlbTable::kSlotShift);
  a_.and_(slot.r32(), InlineTlbTable::kSlotMask);
  a_.xor_(kAddress, inline_slot(slot, kQuickFields[kind]));
  a_.cmp(kAddress, kPageSize - bytes);
  a_.ja(miss);
  a_.mov(slot, inline_slot(slot, offsetof(InlineTlbSlot, host)));
}

// The same, by way of the entries where the slot is another page's, which an access that walks makes if need be. Jumps
// to over if the access lies over two pages.
void Emitter::find_long_page(const Gp& host, bool writable, unsigned bytes, Walk walk, const Label& slow,
                             const Label& over) {
  const QuickKind kind = writable ? kQuickWrite : kQuickRead;
  const Label look = a_.newLabel(), miss = a_.newLabel();
  a_.bind(look);
  take_inline_slot(host, kind, bytes, miss);
  defer([=, this] {
    a_.bind(miss);
    a_.xor_(kAddress, inline_slot(host, kQuickFields[kind]));
    if (bytes > 1) {
      compare_with_page_end(host, bytes);
      a_.ja(over);
    }
    if (options_.quick) {
      const unsigned user = mode_.user ? 1 : 0;
      const bool walks = walk != Walk::No && options_.fill;
      a_.call(walks ? thunks_.walk[walk == Walk::Write ? 1 : 0][kind][user] : thunks_.quick[kind][user]);
      a_.jz(look);
    }
    a_.jmp(slow);
  });
}

// kAddress: an offset in the segment, which becomes the linear address. A linear address that is not canonical has no
// page; of FS and GS the offset is to be canonical as well.
void Emitter::add_long_base(unsigned segment, const Gp& scratch, const Label& slow) {
  if (mode_.flat(segment)) return;
  if (offset_ != Offset::Constant) {
    a_.mov(scratch, kAddress);
    check_canonical(scratch, slow);
  }
  a_.add(kAddress, segment_field(segment, offsetof(Segment, base), 8));
}

x86::Mem Emitter::translate_long(unsigned bytes, bool write, unsigned segment, const Label& slow, u8& temporary,
                                 bool aligned, Walk walk) {
  temporary = take();
  const Gp host = sized(temporary, 8);
  host_flags(0);
  add_long_base(segment, host, slow);
  if (const u32 multiple = aligned ? bytes : mode_.aligned ? Mode::alignment_of(bytes) : 1; multiple > 1) {
    a_.test(kAddress.r8(), static_cast<i32>(multiple - 1));
    a_.jnz(slow);
  }
  find_long_page(host, write, bytes, walk, slow, slow);
  return x86::Mem(kAddress, host, 0, 0, bytes);
}

x86::Mem Emitter::translate(unsigned bytes, bool write, unsigned segment, const Label& slow, u8& temporary,
                            bool aligned, const Label* split, Missing missing, const Label* missed) {
  if (mode_.code64) {
    const Walk walk = missing == Missing::Slow ? Walk::No : walk_of(write);
    return translate_long(bytes, write, segment, slow, temporary, aligned, walk);
  }
  temporary = take();
  const Gp entry = sized(temporary, 8);
  const Gp address32 = kAddress.r32();
  host_flags(0);
  const bool words = bytes <= 4 && !aligned;
  if (narrow() && bytes == 10) {
    // An 80-bit number is two accesses: the second one's offset wraps, whatever the limit.
    a_.cmp(address32, 0x10000 - bytes);
    a_.ja(slow);
  }
  const bool later = check_limit(segment, bytes, write, words, entry, slow);
  const u32 multiple = aligned ? bytes : mode_.aligned ? Mode::alignment_of(bytes) : 1;
  if (multiple > 1) {
    a_.test(kAddress.r8(), static_cast<i32>(multiple - 1));
    a_.jnz(slow);
  }
  if ((bytes & (bytes - 1)) != 0) {
    compare_with_page_end(entry, bytes);
    a_.ja(slow);
  } else if (bytes > multiple) {
    // Only an unaligned access can cross a page.
    const Label unaligned = a_.newLabel(), within = a_.newLabel();
    a_.test(kAddress.r8(), static_cast<i32>(bytes - 1));
    a_.jnz(unaligned);
    a_.bind(within);
    defer([=, this, narrow = narrow(), over = split != nullptr && bytes <= 4 ? *split : slow] {
      a_.bind(unaligned);
      if (later) check_unaligned(segment, bytes, narrow, entry, slow);
      compare_with_page_end(entry, bytes);
      a_.jbe(within);
      a_.jmp(over);
    });
  }
  if (missing != Missing::Slow) {
    const unsigned user = mode_.user ? 1 : 0;
    find_page(entry, write, write, missed != nullptr ? *missed : slow,
              missing == Missing::Store ? thunks_.aside_store[user] : thunks_.aside[write ? 1 : 0][user]);
  } else {
    tlb_entry(entry, kAddress, write, slow);
  }
  return x86::Mem(kAddress, entry, 0, -static_cast<i32>(kTlbFast), bytes);
}

// The segment's limit for an access whose offset is in kAddress, which becomes the linear address. True: it still has
// to be looked at if the address is no multiple of the access's size (words: up to 4).
bool Emitter::check_limit(unsigned segment, unsigned bytes, bool write, bool words, const Gp& scratch,
                          const Label& slow) {
  if (mode_.flat(segment)) return false;  // nothing to add, nothing to check
  if (!(write ? mode_.writes(segment) : mode_.reads(segment))) {
    a_.jmp(slow);
    return false;
  }
  const Mem end = segment_field(segment, offsetof(Segment, end), 8);
  bool later = words && mode_.roomy(segment, narrow());
  if (mode_.expands_down(segment)) {
    a_.cmp(kAddress, end);
    a_.jb(slow);
    const bool below_top = narrow() || mode_.top_is_4g(segment);
    later = words && below_top;
    if (!later) check_top(segment, bytes, scratch, slow);
  } else if (!later) {
    a_.lea(scratch, x86::ptr(kAddress, static_cast<i32>(bytes)));
    a_.cmp(scratch, end);
    a_.ja(slow);
  }
  a_.add(kAddress.r32(), segment_field(segment, offsetof(Segment, base), 4));
  return later;
}

// So many bytes from the offset in kAddress on, in a segment that expands down: below its top. Uses scratch.
void Emitter::check_top(unsigned segment, unsigned bytes, const Gp& scratch, const Label& slow) {
  if (mode_.top_is_4g(segment)) {
    if (narrow()) return;
    a_.mov(scratch.r32(), kAddress.r32());
    a_.add(scratch.r32(), bytes - 1);
    a_.jc(slow);
    return;
  }
  a_.lea(scratch, x86::ptr(kAddress, static_cast<i32>(bytes)));
  a_.cmp(scratch, 0x10000);
  a_.ja(slow);
}

// What check_limit() left for an unaligned access; kAddress is linear. In big real mode the limit lies beyond FFFFh,
// and what the probe allows must pass here.
void Emitter::check_unaligned(unsigned segment, unsigned bytes, bool narrow, const Gp& scratch, const Label& slow) {
  a_.mov(scratch.r32(), kAddress.r32());
  a_.sub(scratch.r32(), segment_field(segment, offsetof(Segment, base), 4));
  if (!mode_.expands_down(segment)) {
    a_.add(scratch, bytes);
    a_.cmp(scratch, segment_field(segment, offsetof(Segment, end), 8));
    a_.ja(slow);
  } else if (!mode_.top_is_4g(segment)) {
    a_.add(scratch, bytes);
    a_.cmp(scratch, 0x10000);
    a_.ja(slow);
  } else if (!narrow) {
    a_.add(scratch.r32(), bytes - 1);
    a_.jc(slow);
  }
}

// entry := the TLB's entry of a linear address. Jumps to miss where the page may not be accessed directly.
void Emitter::tlb_entry(const Gp& entry, const Gp& linear, bool write, const Label& miss) {
  a_.mov(entry.r32(), linear.r32());
  a_.shr(entry.r32(), kPageShift);
  a_.mov(entry, Mem(kState, entry, 3, table(write), 8));
  a_.test(entry.r8(), static_cast<i32>(kTlbFast));
  a_.jz(miss);
}

// entry := the TLB's entry, of the write table or the read table, for an access at the linear address in kAddress.
// Walks the page tables if there is none. Jumps to slow where C++ has to see to the access. aside: the thunk that an
// access of up to 16 bytes may ask about a page without plain accesses; 0: none.
void Emitter::find_page(const Gp& entry, bool write, bool writable, const Label& slow, u64 aside) {
  const bool asks = aside != 0 && options_.aside;
  if (!options_.fill && !asks) return tlb_entry(entry, kAddress, writable, slow);
  const Label look = a_.newLabel(), miss = a_.newLabel(), found = a_.newLabel();
  a_.bind(look);
  tlb_entry(entry, kAddress, writable, miss);
  a_.bind(found);
  defer([=, this] {
    const Label absent = a_.newLabel();
    a_.bind(miss);
    a_.test(entry.r8(), static_cast<i32>(kTlbPresent));
    a_.jz(absent);
    if (asks) {
      a_.test(entry.r8(), static_cast<i32>(kTlbDebug | kTlbIgnored));
      a_.jz(slow);
      a_.call(aside);
      a_.jnz(slow);
      a_.mov(entry, area(offsetof(EngineArea, aside), 8));
      a_.jmp(found);
    } else {
      a_.jmp(slow);
    }
    a_.bind(absent);
    if (options_.fill) {
      a_.call(thunks_.fill[write ? 1 : 0][mode_.user ? 1 : 0]);
      a_.jz(look);
    }
    a_.jmp(slow);
  });
}

// Above: so many bytes from kAddress on lie over two pages.
void Emitter::compare_with_page_end(const Gp& scratch, u32 bytes) {
  a_.mov(scratch.r32(), kAddress.r32());
  a_.and_(scratch.r32(), kPageSize - 1);
  a_.cmp(scratch.r32(), kPageSize - bytes);
}

// Loads value id from a checked place. A value that is only extended into a register goes there at once.
void Emitter::load_into(u16 id, unsigned bytes, const Mem& from, Gp& to, x86::Inst::Id& extended) {
  u8 reg = 0;
  extended = x86::Inst::kIdNone;
  const u16 user = values_[id].last_use;
  const bool widened = uses(id) == 1 && (at(user).op == Op::ZeroExtend || at(user).op == Op::SignExtend);
  if (widened && user == id + 1 && destination(user, reg)) {
    before_write(reg, id);
    const bool zero = at(user).op == Op::ZeroExtend, half = bytes == 4;
    // A write of four bytes clears the rest.
    to = guest(reg, zero && at(user).size == 8 ? 4 : at(user).size);
    values_[user].kind = Value::Guest;
    values_[user].reg = reg;
    extended =
        zero ? (half ? x86::Inst::kIdMov : x86::Inst::kIdMovzx) : (half ? x86::Inst::kIdMovsxd : x86::Inst::kIdMovsx);
    a_.emit(extended, to, from);
    return;
  }
  if (destination(id, reg)) {
    before_write(reg, id);
    to = guest(reg, bytes);
    values_[id].kind = Value::Guest;
    values_[id].reg = reg;
    a_.mov(to, from);
    return;
  }
  to = sized(take(), bytes);
  set_temporary(id, static_cast<u8>(to.id()));
  if (bytes < 4) {
    a_.movzx(to.r32(), from);
  } else {
    a_.mov(to, from);
  }
}

void Emitter::finish_load(u16 id, unsigned bytes, const x86::Mem& from, u8 temporary, const Label& slow,
                          const Label& split, ExitPoint* exit) {
  const Label done = a_.newLabel();
  Gp to;
  give(temporary);  // the entry is used up with the access
  x86::Inst::Id extended{};
  load_into(id, bytes, from, to, extended);
  a_.bind(done);
  defer([=, this] {
    const Label loaded = a_.newLabel();
    if ((bytes == 2 || bytes == 4) && !mode_.code64) {
      a_.bind(split);
      a_.call(thunks_.split_load[mode_.user ? 1 : 0]);
      a_.je(loaded);
    }
    a_.bind(slow);
    call_thunk(thunks_.load, exit);
    a_.bind(loaded);
    a_.emit(extended == x86::Inst::kIdNone ? x86::Inst::kIdMov : extended, to,
            area(offsetof(EngineArea, value), bytes));
    a_.jmp(done);
  });
}

void Emitter::load(u16 id) {
  const Node& n = at(id);
  const unsigned segment = segment_of(n);
  Mem place;
  Gp to;
  x86::Inst::Id extended{};
  if (shared_place(n, false, AddressForm::Operand, 0, segment, place)) {
    load_into(id, n.size, place, to, extended);
    return;
  }
  const Label slow = a_.newLabel(), split = a_.newLabel();
  const AddressForm form = operand_address(n.a);
  ExitPoint* const exit = access_exit(form, n.size, segment);
  u8 temporary = 0;
  const x86::Mem from = translate(n.size, false, segment, slow, temporary, false, &split, Missing::Walk);
  finish_load(id, n.size, from, temporary, slow, split, exit);
}

// Leaves the host address in a temporary of the Address value, for the store that follows. A page that is not plainly
// writable is probed; if it still is not, the interpreter carries the instruction out.
void Emitter::load_for_write(u16 id) {
  const Node& n = at(id);
  const unsigned segment = segment_of(n);
  const Label slow = a_.newLabel(), again = a_.newLabel();
  Value& address = values_[n.a];
  if (shared_place(n, true, AddressForm::Operand, 0, segment, address.shared_place)) {
    address.shared = true;
    Gp to = sized(take(), n.size);
    set_temporary(id, static_cast<u8>(to.id()));
    if (n.size < 4) {
      a_.movzx(to.r32(), address.shared_place);
    } else {
      a_.mov(to, address.shared_place);
    }
    return;
  }
  a_.bind(again);
  const AddressForm form = operand_address(n.a);
  ExitPoint* const exit = access_exit(form, n.size, segment);
  u8 temporary = 0;
  const x86::Mem from = translate(n.size, true, segment, slow, temporary, false, nullptr, Missing::Walk);
  const Gp pointer = sized(temporary, 8);
  a_.lea(pointer, from);
  values_[n.a].host_pointer = temporary;
  const u8 host = take();
  set_temporary(id, host);
  const x86::Mem place = x86::Mem(pointer, 0, n.size);
  if (n.size < 4) {
    a_.movzx(sized(host, 4), place);
  } else {
    a_.mov(sized(host, n.size), place);
  }
  defer([=, this] {
    a_.bind(slow);
    call_thunk(thunks_.probe, exit);
    a_.jmp(again);
  });
}

void Emitter::store(u16 id) {
  const Node& n = at(id);
  Value& address = values_[n.a];
  const asmjit::Operand value = source(n.b, n.size);
  if (address.shared) {
    a_.emit(x86::Inst::kIdMov, address.shared_place, value);
    return;
  }
  if (address.host_pointer != 0) {
    a_.emit(x86::Inst::kIdMov, x86::Mem(sized(address.host_pointer, 8), 0, n.size), value);
    return;
  }
  const unsigned segment = segment_of(n);
  Mem place;
  if (shared_place(n, true, AddressForm::Operand, 0, segment, place)) {
    a_.emit(x86::Inst::kIdMov, place, value);
    return;
  }
  ExitPoint* const exit = access_exit(AddressForm::Operand, n.size, segment);
  const StoreLabels labels = store_labels();
  lea_address(kAddress, n.a);
  u8 temporary = 0;
  const x86::Mem to =
      translate(n.size, true, segment, labels.slow, temporary, false, &labels.split, Missing::Store, &labels.missed);
  a_.emit(x86::Inst::kIdMov, to, value);
  a_.bind(labels.done);
  give(temporary);
  defer([=, this] { finish_store(n.size, value, labels, exit); });
}

Emitter::StoreLabels Emitter::store_labels() { return {a_.newLabel(), a_.newLabel(), a_.newLabel(), a_.newLabel()}; }

// What a store does that is none of one page with a fast entry.
void Emitter::finish_store(unsigned bytes, const asmjit::Operand& value, const StoreLabels& labels, ExitPoint* exit) {
  const unsigned user = mode_.user ? 1 : 0;
  const Mem kept = area(offsetof(EngineArea, value), bytes);
  if ((bytes == 2 || bytes == 4) && !mode_.code64) {
    a_.bind(labels.split);
    a_.emit(x86::Inst::kIdMov, kept, value);
    a_.call(thunks_.split_store[bytes == 4 ? 1 : 0][user]);
    a_.je(labels.done);
  }
  a_.bind(labels.slow);
  a_.emit(x86::Inst::kIdMov, kept, value);
  const Label call = a_.newLabel();
  a_.bind(call);
  call_thunk(thunks_.store, exit);
  a_.jmp(labels.done);
  if (mode_.code64) return;
  a_.bind(labels.missed);
  a_.emit(x86::Inst::kIdMov, kept, value);
  if (options_.watched) {
    a_.call(thunks_.watched_store[bytes / 2][user]);
    a_.je(labels.done);
  }
  a_.jmp(call);
}

// Sixteen bytes at an offset in kAddress that are to be aligned, before anything else is asked of them: where they are
// not, the interpreter raises the exception.
x86::Mem Emitter::translate_aligned16(unsigned segment, const Label& slow, u8& temporary) {
  constexpr unsigned kBytes = 16;
  temporary = take();
  const Gp host = sized(temporary, 8);
  ExitPoint* const exit = new_exit(ExitKind::Before, undone_before());
  const Label unaligned = a_.newLabel();
  host_flags(0);
  add_long_base(segment, host, slow);
  a_.test(kAddress.r8(), static_cast<i32>(kBytes - 1));
  a_.jnz(unaligned);
  find_long_page(host, true, kBytes, Walk::Write, slow, slow);
  defer([=, this] {
    a_.bind(unaligned);
    leave(exit);
  });
  return x86::Mem(kAddress, host, 0, 0, kBytes);
}

// CMPXCHG8B and CMPXCHG16B: the host's, since their registers are the guest's. Like there the page is written in either
// case.
void Emitter::compare_exchange8(u16 id) {
  const unsigned bytes = at(id).size, segment = segment_of(at(id));
  constexpr unsigned kPair = 8;
  ExitPoint* const exit = access_exit(AddressForm::Operand, bytes, segment);
  const Label slow = a_.newLabel(), again = a_.newLabel();
  a_.bind(again);
  lea_address(kAddress, at(id).a);
  u8 temporary = 0;
  if (bytes == kPair) {
    a_.cmpxchg8b(translate(bytes, true, segment, slow, temporary, false, nullptr, Missing::Walk));
  } else {
    a_.cmpxchg16b(translate_aligned16(segment, slow, temporary));
  }
  give(temporary);
  defer([=, this] {
    a_.bind(slow);
    call_thunk(thunks_.probe, exit);
    a_.jmp(again);
  });
  if (!need(kZF).needed()) return;
  FlagStep step;
  step.op = Op::SetZero;
  step.a = new_slot();
  a_.setz(kAddress.r8());
  a_.movzx(kAddress.r32(), kAddress.r8());
  a_.mov(slot(step.a.value), kAddress.r32());
  add_step(step, false);
  host_flags(kZF);
}

// kAddress := ESP + displacement under the stack size.
void Emitter::stack_address(i32 displacement) {
  if (mode_.code64) {
    offset_ = Offset::Full;
    a_.lea(kAddress, x86::ptr(guest(kEsp, 8), displacement));
    return;
  }
  offset_ = mode_.stack32 ? Offset::Full : Offset::Narrow;
  if (narrow() && displacement == 0) {
    a_.movzx(kAddress.r32(), guest(kEsp, 2));
    return;
  }
  if (displacement == 0) {
    a_.mov(kAddress.r32(), guest(kEsp, 4));
  } else {
    a_.lea(kAddress.r32(), x86::ptr(guest(kEsp, 8), displacement));
  }
  if (!mode_.stack32) a_.movzx(kAddress.r32(), kAddress.r16());
}

void Emitter::push(u16 id) {
  const Node& n = at(id);
  before_write(kEsp, id);  // CALL ESP jumps to where ESP pointed before
  const asmjit::Operand value = source(n.a, n.size);
  const i32 step = n.immediate != 0 ? static_cast<i32>(n.immediate) : i32{n.size};
  const AddressForm form = step == n.size ? AddressForm::Push : AddressForm::PushSelector;
  Mem place;
  if (shared_place(n, true, form, -step, kSs, place)) {
    a_.emit(x86::Inst::kIdMov, place, value);
    move_stack_pointer(-step);
    return;
  }
  ExitPoint* const exit = access_exit(form, n.size, kSs);
  const StoreLabels labels = store_labels();
  stack_address(-step);
  u8 temporary = 0;
  const x86::Mem to =
      translate(n.size, true, kSs, labels.slow, temporary, false, &labels.split, Missing::Store, &labels.missed);
  a_.emit(x86::Inst::kIdMov, to, value);
  a_.bind(labels.done);
  give(temporary);
  move_stack_pointer(-step);
  defer([=, this] { finish_store(n.size, value, labels, exit); });
}

void Emitter::move_stack_pointer(i32 by) {
  const Gp pointer = guest(kEsp, 8);
  if (mode_.code64) {
    a_.lea(pointer, x86::ptr(pointer, by));
  } else if (mode_.stack32) {
    a_.lea(pointer.r32(), x86::ptr(pointer, by));
  } else {
    a_.lea(kAddress.r32(), x86::ptr(pointer, by));
    a_.mov(pointer.r16(), kAddress.r16());
  }
}

void Emitter::pop(u16 id) {
  const Node& n = at(id);
  // ESP moves before the value arrives: POP ESP.
  u8 reg = 0;
  const bool direct = destination(id, reg) && reg != kEsp;
  Mem place;
  Gp to;
  x86::Inst::Id extended{};
  if (shared_place(n, false, AddressForm::StackTop, 0, kSs, place)) {
    if (direct) {
      load_into(id, n.size, place, to, extended);
    } else {
      to = sized(take(), n.size);
      set_temporary(id, static_cast<u8>(to.id()));
      a_.mov(to, place);
    }
    move_stack_pointer(n.size);
    return;
  }
  ExitPoint* const exit = access_exit(AddressForm::StackTop, n.size, kSs);
  const Label slow = a_.newLabel(), split = a_.newLabel();
  stack_address(0);
  u8 temporary = 0;
  const x86::Mem from = translate(n.size, false, kSs, slow, temporary, false, direct ? &split : nullptr, Missing::Walk);
  if (direct) {
    finish_load(id, n.size, from, temporary, slow, split, exit);
  } else {
    to = sized(temporary, n.size);
    const Label done = a_.newLabel();
    set_temporary(id, temporary);
    if (n.size < 4) {
      a_.movzx(to.r32(), from);
    } else {
      a_.mov(to, from);
    }
    a_.bind(done);
    defer([=, this] {
      a_.bind(slow);
      call_thunk(thunks_.load, exit);
      a_.mov(to, area(offsetof(EngineArea, value), n.size));
      a_.jmp(done);
    });
  }
  move_stack_pointer(n.size);
}

void Emitter::peek(u16 id) {
  const Node& n = at(id);
  const AddressForm form = n.reg == kEsp ? AddressForm::StackTop : AddressForm::Frame;
  Mem place;
  Gp to;
  x86::Inst::Id extended{};
  if (shared_place(n, false, form, 0, kSs, place)) {
    load_into(id, n.size, place, to, extended);
    return;
  }
  ExitPoint* const exit = access_exit(form, n.size, kSs);
  const Label slow = a_.newLabel(), split = a_.newLabel();
  offset_ = mode_.stack32 ? Offset::Full : Offset::Narrow;
  if (narrow()) {
    a_.movzx(kAddress.r32(), guest(n.reg, 2));
  } else {
    a_.mov(code_register(kAddress), guest(n.reg, mode_.pointer_bytes()));
  }
  u8 temporary = 0;
  const x86::Mem from = translate(n.size, false, kSs, slow, temporary, false, &split, Missing::Walk);
  finish_load(id, n.size, from, temporary, slow, split, exit);
}

void Emitter::set_stack_pointer(u16 id) {
  const Node& n = at(id);
  const Gp from = guest(n.reg, 8), to = guest(kEsp, 8);
  const i32 displacement = static_cast<i32>(n.immediate);
  if (mode_.code64) {
    a_.lea(to, x86::ptr(from, displacement));
  } else if (mode_.stack32) {
    a_.lea(to.r32(), x86::ptr(from, displacement));
  } else {
    a_.lea(kAddress.r32(), x86::ptr(from, displacement));
    a_.mov(to.r16(), kAddress.r16());
  }
}

}  // namespace relic86::jit::x64
