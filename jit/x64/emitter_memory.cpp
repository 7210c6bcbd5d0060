#include "jit/runtime/engine_area.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

// Loads value id from a checked place. A value that is only extended into a register goes there at once.
void Emitter::load_into(u16 id, unsigned bytes, const Mem& from, Gp& to, x86::Inst::Id& extended) {
  u8 reg = 0;
  extended = x86::Inst::kIdNone;
  const u16 user = registers_.value(id).last_use;
  const bool widened = registers_.uses(id) == 1 && (at(user).op == Op::ZeroExtend || at(user).op == Op::SignExtend);
  if (widened && user == id + 1 && registers_.destination(user, reg)) {
    registers_.before_write(reg, id);
    const bool zero = at(user).op == Op::ZeroExtend, half = bytes == 4;
    // A write of four bytes clears the rest.
    to = registers_.guest(reg, zero && at(user).size == 8 ? 4 : at(user).size);
    registers_.set_guest(user, reg);
    extended =
        zero ? (half ? x86::Inst::kIdMov : x86::Inst::kIdMovzx) : (half ? x86::Inst::kIdMovsxd : x86::Inst::kIdMovsx);
    a_.emit(extended, to, from);
    return;
  }
  if (registers_.destination(id, reg)) {
    registers_.before_write(reg, id);
    to = registers_.guest(reg, bytes);
    registers_.set_guest(id, reg);
    a_.mov(to, from);
    return;
  }
  to = sized(registers_.take(), bytes);
  registers_.set_temporary(id, static_cast<u8>(to.id()));
  if (bytes < 4) {
    a_.movzx(to.r32(), from);
  } else {
    a_.mov(to, from);
  }
}

Emitter::LoadLabels Emitter::load_labels() { return {a_.newLabel(), a_.newLabel(), a_.newLabel()}; }

void Emitter::finish_load(u16 id, unsigned bytes, const x86::Mem& from, u8 temporary, const LoadLabels& labels,
                          ExitPoint* exit) {
  const Label done = a_.newLabel();
  Gp to;
  registers_.give(temporary);  // the entry is used up with the access
  x86::Inst::Id extended{};
  load_into(id, bytes, from, to, extended);
  a_.bind(done);
  defer([=, this] {
    const unsigned user = mode_.user ? 1 : 0;
    const Label loaded = a_.newLabel();
    if ((bytes == 2 || bytes == 4) && !mode_.code64) {
      a_.bind(labels.split);
      a_.call(thunks_.split_load[user]);
      a_.je(loaded);
    }
    a_.bind(labels.slow);
    if (bytes != 1 || mode_.code64) a_.bind(labels.missed);
    const Label call = a_.newLabel();
    a_.bind(call);
    exits_.call_thunk(thunks_.load, exit);
    a_.bind(loaded);
    a_.emit(extended == x86::Inst::kIdNone ? x86::Inst::kIdMov : extended, to,
            area(offsetof(EngineArea, value), bytes));
    a_.jmp(done);
    if (bytes != 1 || mode_.code64) return;
    a_.bind(labels.missed);
    a_.call(thunks_.plane_load[user]);
    a_.je(loaded);
    a_.jmp(call);
  });
}

void Emitter::load(u16 id) {
  const Node& n = at(id);
  const unsigned segment = memory_.segment_of(n);
  Mem place;
  Gp to;
  x86::Inst::Id extended{};
  if (memory_.shared_place(n, false, AddressForm::Operand, 0, segment, place)) {
    load_into(id, n.size, place, to, extended);
    return;
  }
  const LoadLabels labels = load_labels();
  const AddressForm form = memory_.operand_address(n.a);
  ExitPoint* const exit = memory_.access_exit(form, n.size, segment);
  u8 temporary = 0;
  const x86::Mem from = memory_.translate(n.size, false, segment, labels.slow, temporary, false, &labels.split,
                                          Missing::Walk, &labels.missed);
  finish_load(id, n.size, from, temporary, labels, exit);
}

// Leaves the host address in a temporary of the Address value, for the store that follows. A page that is not plainly
// writable is probed; if it still is not, the interpreter carries the instruction out.
void Emitter::load_for_write(u16 id) {
  const Node& n = at(id);
  const unsigned segment = memory_.segment_of(n);
  const Label slow = a_.newLabel(), again = a_.newLabel(), split = a_.newLabel(), joined = a_.newLabel();
  Value& address = registers_.value(n.a);
  if (memory_.shared_place(n, true, AddressForm::Operand, 0, segment, address.shared_place)) {
    address.shared = true;
    Gp to = sized(registers_.take(), n.size);
    registers_.set_temporary(id, static_cast<u8>(to.id()));
    if (n.size < 4) {
      a_.movzx(to.r32(), address.shared_place);
    } else {
      a_.mov(to, address.shared_place);
    }
    return;
  }
  a_.bind(again);
  const AddressForm form = memory_.operand_address(n.a);
  ExitPoint* const exit = memory_.access_exit(form, n.size, segment);
  u8 temporary = 0;
  const x86::Mem from = memory_.translate(n.size, true, segment, slow, temporary, false, &split, Missing::Walk);
  const Gp pointer = sized(temporary, 8);
  a_.bind(joined);
  a_.lea(pointer, from);
  registers_.value(n.a).host_pointer = temporary;
  const u8 host = registers_.take();
  registers_.set_temporary(id, host);
  const x86::Mem place = x86::Mem(pointer, 0, n.size);
  if (n.size < 4) {
    a_.movzx(sized(host, 4), place);
  } else {
    a_.mov(sized(host, n.size), place);
  }
  defer([=, this] {
    if ((n.size == 2 || n.size == 4) && !mode_.code64) {
      a_.bind(split);
      a_.call(thunks_.split_join[mode_.user ? 1 : 0]);
      a_.jne(slow);
      a_.mov(pointer, area(offsetof(EngineArea, aside), 8));
      a_.jmp(joined);
    }
    a_.bind(slow);
    exits_.call_thunk(thunks_.probe, exit);
    a_.jmp(again);
  });
}

void Emitter::store(u16 id) {
  const Node& n = at(id);
  Value& address = registers_.value(n.a);
  const asmjit::Operand value = registers_.source(n.b, n.size);
  if (address.shared) {
    a_.emit(x86::Inst::kIdMov, address.shared_place, value);
    return;
  }
  if (address.host_pointer != 0) {
    a_.emit(x86::Inst::kIdMov, x86::Mem(sized(address.host_pointer, 8), 0, n.size), value);
    return;
  }
  const unsigned segment = memory_.segment_of(n);
  Mem place;
  if (memory_.shared_place(n, true, AddressForm::Operand, 0, segment, place)) {
    a_.emit(x86::Inst::kIdMov, place, value);
    return;
  }
  ExitPoint* const exit = memory_.access_exit(AddressForm::Operand, n.size, segment);
  const StoreLabels labels = store_labels();
  addresses_.load(kAddress, n.a);
  u8 temporary = 0;
  const x86::Mem to = memory_.translate(n.size, true, segment, labels.slow, temporary, false, &labels.split,
                                        Missing::Store, &labels.missed);
  a_.emit(x86::Inst::kIdMov, to, value);
  a_.bind(labels.done);
  registers_.give(temporary);
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
  exits_.call_thunk(thunks_.store, exit);
  a_.jmp(labels.done);
  if (mode_.code64) return;
  a_.bind(labels.missed);
  a_.emit(x86::Inst::kIdMov, kept, value);
  if (options_.watched) {
    a_.call(thunks_.watched_store[bytes / 2][user]);
    a_.je(labels.done);
  }
  if (bytes == 1) {
    a_.call(thunks_.plane_store[user]);
    a_.je(labels.done);
  }
  a_.jmp(call);
}

// CMPXCHG8B and CMPXCHG16B: the host's, since their registers are the guest's. Like there the page is written in either
// case. Of a locked one an operand that is not aligned is the handler's.
void Emitter::compare_exchange8(u16 id) {
  const Node& n = at(id);
  const unsigned bytes = n.size, segment = memory_.segment_of(n);
  const bool locked = n.immediate != 0;
  constexpr unsigned kPair = 8;
  u8 temporary = 0;
  if (locked && bytes == kPair) {
    const Mem place = atomic_place(n, temporary);
    a_.lock().cmpxchg8b(place);
    registers_.give(temporary);
    return note_equal();
  }
  ExitPoint* const exit = memory_.access_exit(AddressForm::Operand, bytes, segment);
  const Label slow = a_.newLabel(), again = a_.newLabel();
  a_.bind(again);
  addresses_.load(kAddress, n.a);
  if (bytes == kPair) {
    a_.cmpxchg8b(memory_.translate(bytes, true, segment, slow, temporary, false, nullptr, Missing::Walk));
  } else {
    const Mem place = memory_.translate_aligned16(segment, slow, temporary);
    if (locked) a_.lock();
    a_.cmpxchg16b(place);
  }
  registers_.give(temporary);
  defer([=, this] {
    a_.bind(slow);
    exits_.call_thunk(thunks_.probe, exit);
    a_.jmp(again);
  });
  note_equal();
}

// The host's ZF is the guest's; other flags stay as they were.
void Emitter::note_equal() {
  if (!flags_.need(kZF).needed()) return;
  FlagStep step;
  step.op = Op::SetZero;
  step.a = flags_.new_slot();
  a_.setz(kAddress.r8());
  a_.movzx(kAddress.r32(), kAddress.r8());
  a_.mov(flags_.slot(step.a.value), kAddress.r32());
  flags_.add_step(step, false);
  flags_.host_holds(kZF);
}

void Emitter::push(u16 id) {
  const Node& n = at(id);
  registers_.before_write(kEsp, id);  // CALL ESP jumps to where ESP pointed before
  const asmjit::Operand value = registers_.source(n.a, n.size);
  const i32 step = n.immediate != 0 ? static_cast<i32>(n.immediate) : i32{n.size};
  const AddressForm form = step == n.size ? AddressForm::Push : AddressForm::PushSelector;
  Mem place;
  if (memory_.shared_place(n, true, form, -step, kSs, place)) {
    a_.emit(x86::Inst::kIdMov, place, value);
    move_stack_pointer(-step);
    return;
  }
  ExitPoint* const exit = memory_.access_exit(form, n.size, kSs);
  const StoreLabels labels = store_labels();
  memory_.stack_address(-step);
  u8 temporary = 0;
  const x86::Mem to = memory_.translate(n.size, true, kSs, labels.slow, temporary, false, &labels.split, Missing::Store,
                                        &labels.missed);
  a_.emit(x86::Inst::kIdMov, to, value);
  a_.bind(labels.done);
  registers_.give(temporary);
  move_stack_pointer(-step);
  defer([=, this] { finish_store(n.size, value, labels, exit); });
}

void Emitter::move_stack_pointer(i32 by) {
  const Gp pointer = registers_.guest(kEsp, 8);
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
  const bool direct = registers_.destination(id, reg) && reg != kEsp;
  Mem place;
  Gp to;
  x86::Inst::Id extended{};
  if (memory_.shared_place(n, false, AddressForm::StackTop, 0, kSs, place)) {
    if (direct) {
      load_into(id, n.size, place, to, extended);
    } else {
      to = sized(registers_.take(), n.size);
      registers_.set_temporary(id, static_cast<u8>(to.id()));
      a_.mov(to, place);
    }
    move_stack_pointer(n.size);
    return;
  }
  ExitPoint* const exit = memory_.access_exit(AddressForm::StackTop, n.size, kSs);
  const LoadLabels labels = load_labels();
  memory_.stack_address(0);
  u8 temporary = 0;
  const x86::Mem from = memory_.translate(n.size, false, kSs, labels.slow, temporary, false,
                                          direct ? &labels.split : nullptr, Missing::Walk);
  if (direct) {
    finish_load(id, n.size, from, temporary, labels, exit);
  } else {
    to = sized(temporary, n.size);
    const Label done = a_.newLabel();
    registers_.set_temporary(id, temporary);
    if (n.size < 4) {
      a_.movzx(to.r32(), from);
    } else {
      a_.mov(to, from);
    }
    a_.bind(done);
    defer([=, this] {
      a_.bind(labels.slow);
      exits_.call_thunk(thunks_.load, exit);
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
  if (memory_.shared_place(n, false, form, 0, kSs, place)) {
    load_into(id, n.size, place, to, extended);
    return;
  }
  ExitPoint* const exit = memory_.access_exit(form, n.size, kSs);
  const LoadLabels labels = load_labels();
  addresses_.set_stack();
  if (addresses_.narrow()) {
    a_.movzx(kAddress.r32(), registers_.guest(n.reg, 2));
  } else {
    a_.mov(code_register(kAddress), registers_.guest(n.reg, mode_.pointer_bytes()));
  }
  u8 temporary = 0;
  const x86::Mem from =
      memory_.translate(n.size, false, kSs, labels.slow, temporary, false, &labels.split, Missing::Walk);
  finish_load(id, n.size, from, temporary, labels, exit);
}

void Emitter::set_stack_pointer(u16 id) {
  const Node& n = at(id);
  const Gp from = registers_.guest(n.reg, 8), to = registers_.guest(kEsp, 8);
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
