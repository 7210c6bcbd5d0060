#include <bit>

#include "jit/runtime/engine_area.h"
#include "jit/runtime/lookup_table.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

Emitter::Chain Emitter::chain() const {
  const auto& steps = translation_.steps;
  return {index_, {steps.begin() + first_step_, steps.end()}, from_home_, home_current_, entry_home_, x87_pending_};
}

void Emitter::restore(const Chain& chain) {
  index_ = chain.index;
  first_step_ = static_cast<u16>(translation_.steps.size());
  translation_.steps.insert(translation_.steps.end(), chain.steps.begin(), chain.steps.end());
  from_home_ = chain.from_home;
  home_current_ = chain.home_current;
  entry_home_ = chain.entry_home;
  record_ = 0;
  x87_pending_ = chain.x87;
}

Emitter::Truth Emitter::truth_of(u16 id) {
  const Node& n = at(id);
  switch (n.op) {
    case Op::Condition: return {true, condition_code(static_cast<u32>(n.immediate))};
    case Op::ZeroCount: {
      const Gp count = guest(kEcx, n.size);
      if (counting_) {
        a_.sub(count, 1);
      } else {
        a_.test(count, count);
      }
      host_flags(0);
      return {true, x86::CondCode::kZ};
    }
    case Op::Invert: {
      const Truth inner = truth_of(n.a);
      return {true, x86::negateCond(inner.code)};
    }
    case Op::Both: {  // the count first asks for the flags, then goes down
      const Truth second = truth_of(n.b);
      a_.set(second.code, kAddress.r8());
      const u8 host = take();
      const Truth first = truth_of(n.a);
      a_.set(first.code, sized(host, 1));
      a_.test(sized(host, 1), kAddress.r8());
      give(host);
      host_flags(0);
      return {true, x86::CondCode::kNZ};
    }
    default: failed_ = true; return {true, x86::CondCode::kZ};
  }
}

// Within the page a branch keeps EngineArea::page_eip, and its target stays below CS's limit.
bool Emitter::linkable(i32 target, unsigned bytes) const {
  return target >= 0 && target < static_cast<i32>(kPageSize) && bytes == code_bytes();
}

ExitPoint* Emitter::branch_exit(i32 target, Way way) {
  ExitPoint* const exit = new_exit(ExitKind::Branch, 0);
  exit->eip = target;
  exit->from_home = true;
  exit->first_step = exit->last_step;
  exit->linkable = true;
  exit->taken = way == Way::Branches;
  exit->eip_mask = mode_.code32 ? 0xFFFFFFFF : 0xFFFF;
  exit->loop = translation_.loop_offset != 0 && index_ + 1 == ir_.insns.size() && target == page_offset_;
  return exit;
}

// Backward branches within the page, and those that leave a region, which may go to a second one; not what a block's
// loop or a region's goes round by.
bool Emitter::is_counted(const ExitPoint& exit) const {
  const bool suits = exit.linkable && !exit.crosses && !exit.unshared && exit.eip != page_offset_ &&
                     !translation_.unshared && !mode_.limited;
  if (!suits || options_.counted == Counted::Nothing) return false;
  const bool backward = exit.taken && exit.eip <= eip_of(index_);
  return backward || ir_.region || options_.counted == Counted::Everything;
}

void Emitter::leave_branch(ExitPoint* exit) {
  exit->counted = is_counted(*exit);
  if (!exit->counted) return leave(exit);
  exit->heat = options_.heat;
  a_.mov(kAddress, reinterpret_cast<u64>(exit));
  a_.jmp(thunks_.count);
}

// Where an unlinked jump ends. elsewhere: the jump is linked, but does not hold here.
void Emitter::note_jump(ExitPoint* exit, const Label& stub, const Label& elsewhere) {
  drop_copies();
  exit->jump_offset = static_cast<u32>(a_.offset()) - 4;
  exit->lazy = record_ != 0;
  if (!exit->lazy) {
    defer([=, this] {
      a_.bind(stub);
      a_.bind(elsewhere);
      exit->stub_offset = static_cast<u32>(a_.offset());
      leave_branch(exit);
    });
    return;
  }
  exit->lazy_registers = registers_of_steps();
  defer([=, this, snapshot = chain()] { bind_late_jump(exit, stub, elsewhere, snapshot); });
}

// The flags go home, then the jump follows that is linked to targets that want them there.
void Emitter::bind_late_jump(ExitPoint* exit, const Label& stub, const Label& elsewhere, const Chain& chain) {
  const Label out = a_.newLabel();
  const auto settle = [&] {
    restore(chain);
    if (home_current_) {
      const Label plain = a_.newLabel();
      a_.test(area(offsetof(EngineArea, home_step), 1), static_cast<i32>(FlagRecords::kRecord));
      a_.jz(plain);  // the target takes what is no record
      flatten();
      a_.bind(plain);
      host_flags(0);
    } else {
      write_home();
    }
  };
  a_.bind(stub);
  exit->stub_offset = static_cast<u32>(a_.offset());
  settle();
  a_.long_().jmp(out);
  exit->late_jump_offset = static_cast<u32>(a_.offset()) - 4;
  if (exit->crosses) {
    a_.bind(elsewhere);
    settle();
  }
  a_.bind(out);
  exit->late_stub_offset = static_cast<u32>(a_.offset());
  leave_branch(exit);
}

// To the rest of the block in its other variant, which is going to look at the entry's flags as this one does.
void Emitter::passing_jump(ExitPoint* exit) {
  entry_clobbers_ |= written_before_[index_] | flag_need_from(ir_, index_, kArithmeticFlags).clobbered;
  passing_.push_back(exit);
  drop_copies();
  const Label stub = a_.newLabel();
  a_.long_().jmp(stub);
  exit->jump_offset = static_cast<u32>(a_.offset()) - 4;
  defer([=, this, snapshot = chain()] { bind_late_jump(exit, stub, a_.newLabel(), snapshot); });
}

void Emitter::patched_jump(ExitPoint* exit) {
  const Label stub = a_.newLabel();
  a_.long_().jmp(stub);
  note_jump(exit, stub, a_.newLabel());
}

void Emitter::patched_jump_if(x86::CondCode code, ExitPoint* exit) {
  const Label stub = a_.newLabel();
  a_.long_().j(code, stub);
  note_jump(exit, stub, a_.newLabel());
}

// to := EIP of a place relative to the page. No flags change.
void Emitter::load_eip(const Gp& to, i32 place) {
  const Gp eip = code_register(to);
  a_.mov(eip, area(offsetof(EngineArea, page_eip), eip.size()));
  if (place != 0) a_.lea(eip, x86::ptr(to.r64(), place));
}

void Emitter::store_page_eip(const Gp& page_eip) {
  const Gp whole = code_register(page_eip);
  a_.mov(area(offsetof(EngineArea, page_eip), whole.size()), whole);
}

// r10 := EIP of the page that lies `pages` behind this one. Jumps to `other` unless its TLB entry leads to the host
// address that `expected` (patched, or known) says, less one. Uses kAddress and r11.
u32 Emitter::check_page(i32 pages, u64 expected, const Label& other) {
  drop_copies();
  load_eip(x86::r10, pages * static_cast<i32>(kPageSize));
  if (mode_.code64) {
    find_long_code(x86::r10, other);
    a_.lea(kAddress, x86::ptr(x86::r11, static_cast<i32>(kTlbFast)));
    a_.movabs(x86::r11, expected);
    const u32 at = static_cast<u32>(a_.offset()) - 8;
    a_.cmp(kAddress, x86::r11);
    a_.jne(other);
    return at;
  }
  a_.mov(kAddress.r32(), x86::r10d);
  if (!mode_.flat_code) {
    a_.add(kAddress.r32(), segment_field(kCs, offsetof(Segment, base), 4));
    a_.mov(x86::r11d, kAddress.r32());
  }
  a_.shr(kAddress.r32(), kPageShift);
  a_.mov(kAddress, Mem(kState, kAddress, 3, code_table(), 8));
  a_.add(kAddress, mode_.flat_code ? x86::r10 : x86::r11);
  a_.movabs(x86::r11, expected);
  const u32 at = static_cast<u32>(a_.offset()) - 8;
  a_.cmp(kAddress, x86::r11);
  a_.jne(other);
  return at;
}

// r11 := the host address of the page of 64-bit code that holds RIP, kAddress := its offset there. Jumps to other if
// there is no such page.
void Emitter::find_long_code(const Gp& rip, const Label& other) {
  const Gp slot = x86::r11;
  const Label look = a_.newLabel(), miss = a_.newLabel();
  a_.bind(look);
  a_.mov(kAddress, rip);
  take_inline_slot(slot, kQuickCode, 1, miss);
  defer([=, this] {
    a_.bind(miss);
    if (!options_.quick) {
      a_.jmp(other);
      return;
    }
    a_.mov(kAddress, rip);
    const unsigned user = mode_.user ? 1 : 0;
    a_.call(options_.fill ? thunks_.fetch[user] : thunks_.quick[kQuickCode][user]);
    a_.jz(look);
    a_.jmp(other);
  });
}

// A direct branch to another page: a patched jump, taken as long as that page is mapped to where the target was found.
void Emitter::cross_page_exit(i32 target, Way way) {
  ExitPoint* const exit = branch_exit(target, way);
  exit->crosses = true;
  const Label stub = a_.newLabel(), elsewhere = a_.newLabel();
  exit->check_offset = check_page(target >> static_cast<i32>(kPageShift), ~u64{0}, elsewhere);
  store_page_eip(x86::r10);
  a_.long_().jmp(stub);
  note_jump(exit, stub, elsewhere);
}

// target: relative to the page.
void Emitter::direct_exit(i32 target, unsigned bytes, unsigned undone, Way way) {
  if (undone != 0) a_.add(kRemaining, undone);
  const bool crosses = options_.cross_page && mode_.flat_code && bytes == code_bytes();
  if (linkable(target, bytes)) {
    if (!leave_record()) write_home();
    patched_jump(branch_exit(target, way));
    return;
  }
  if (crosses) {
    if (!leave_record()) write_home();
    cross_page_exit(target, way);
    return;
  }
  if (mode_.limited && options_.cross_page) {
    if (!leave_record()) write_home();
    limited_exit(target, bytes == 2 ? 0xFFFFu : 0xFFFFFFFFu);
    return;
  }
  write_home();
  const Gp eip = x86::r10;
  load_eip(eip, target);
  if (bytes == 2) a_.movzx(eip.r32(), eip.r16());
  indirect_exit(eip, 0);
}

// A jump to EIP in r10: the TLB gives the host address of the code, a hash table the translation. A code page without
// an entry, or one that is not translated, is left to the dispatcher.
void Emitter::indirect_exit(const Gp& eip, unsigned undone, bool call) {
  if (undone != 0) a_.add(kRemaining, undone);
  drop_copies();
  ExitPoint* const exit = new_exit(ExitKind::Indirect, 0);
  exit->from_home = true;
  exit->first_step = exit->last_step;
  const Label miss = a_.newLabel();
  const Gp linear = x86::r11, slot_register = x86::r12, host = kAddress, page_eip = x86::r13;
  if (mode_.code64) {
    a_.mov(page_eip, eip.r64());
    a_.and_(page_eip, ~static_cast<i32>(kPageSize - 1));
    find_long_code(eip.r64(), miss);
    a_.add(host, linear);
    a_.mov(linear, tag_ + kTlbFast);
    a_.add(host, linear);
    look_up_entry(exit, page_eip, miss, call);
    return;
  }
  a_.mov(linear.r32(), eip.r32());
  if (!mode_.flat_code) {
    a_.add(linear.r32(), state(offsetof(CpuState, segment) + kCs * sizeof(Segment) + offsetof(Segment, base), 4));
  }
  a_.mov(slot_register.r32(), linear.r32());
  a_.shr(slot_register.r32(), kPageShift);
  a_.mov(host, Mem(kState, slot_register, 3, code_table(), 8));
  a_.add(host, linear);
  a_.mov(page_eip.r32(), eip.r32());
  if (mode_.flat_code) {
    a_.and_(page_eip.r32(), ~static_cast<i32>(kPageSize - 1));
  } else if (mode_.limited) {
    a_.and_(linear.r32(), kPageSize - 1);
    a_.sub(page_eip, linear);
  } else {
    a_.and_(linear.r32(), kPageSize - 1);
    a_.sub(page_eip.r32(), linear.r32());
    // All of the page must lie below CS's limit, FFFFh at least.
    a_.lea(linear.r32(), x86::ptr(page_eip, static_cast<i32>(kPageSize - 1)));
    a_.cmp(linear.r32(), 0xFFFF);
    a_.ja(miss);
  }
  a_.mov(linear, tag_);
  a_.add(host, linear);
  look_up_entry(exit, page_eip, miss, call);
}

// The rest of it: kAddress is the key. r10 is EIP still.
void Emitter::look_up_entry(ExitPoint* exit, const Gp& page_eip, const Label& miss, bool call) {
  const Gp scratch = x86::r11, slot_register = x86::r12, host = kAddress;
  a_.mov(slot_register.r32(), host.r32());
  a_.shr(slot_register.r32(), kPageShift);
  a_.xor_(slot_register.r32(), host.r32());
  a_.and_(slot_register.r32(), LookupTable::kSlots - 1);
  a_.shl(slot_register.r32(), std::countr_zero(sizeof(LookupTable::Slot)));
  constexpr i32 kLookup = static_cast<i32>(offsetof(VcpuMemory, lookup));
  const Mem key(kState, slot_register, 0, kLookup + static_cast<i32>(offsetof(LookupTable::Slot, key)), 8);
  const Mem entry(kState, slot_register, 0, kLookup + static_cast<i32>(offsetof(LookupTable::Slot, entry)), 8);
  const Label other = a_.newLabel(), found = a_.newLabel();
  a_.cmp(host, key);
  a_.jne(other);
  a_.bind(found);
  if (call) push_frame(scratch);
  if (mode_.limited) {
    store_page(page_eip, scratch);
  } else {
    store_page_eip(page_eip);
  }
  if (call) {
    a_.call(entry);
  } else {
    a_.jmp(entry);
  }
  defer([=, this] {
    a_.bind(other);
    a_.xor_(slot_register.r32(), static_cast<i32>(sizeof(LookupTable::Slot)));
    a_.cmp(host, key);
    a_.je(found);
    a_.bind(miss);
    const Gp target = code_register(x86::r10);
    a_.mov(area(offsetof(EngineArea, target), target.size()), target);
    leave(exit);
  });
  if (call) after_call();
}

void Emitter::jump_to(u16 id) {
  const Node n = at(id);
  ended_ = true;
  const bool call = n.op == Op::Call && frames_apply(n.size);
  if (at(n.a).op == Op::TargetOf) {
    const i32 target = place(static_cast<u32>(at(n.a).immediate));
    if (call && options_.cross_page) {
      direct_call(target);
    } else {
      direct_exit(target, n.size, 0, Way::Branches);
    }
    return;
  }
  const Gp eip = x86::r10;
  write_home();
  move_to(eip, n.a, n.size);
  if (n.size == 2) a_.movzx(eip.r32(), eip.r16());
  if (n.op == Op::Return && frames_apply(n.size)) {
    return_jump();
  } else {
    indirect_exit(eip, 0, call);
  }
}

void Emitter::jump_if(u16 id) {
  const Node n = at(id);
  const i32 target = place(static_cast<u32>(n.immediate));
  const unsigned undone = undone_after();
  // In a region the opposite of the guest's branch may stand here: where it leads, the guest's code runs on.
  const Way way = insn().nodes.back().op == Op::Follow ? Way::RunsOn : Way::Branches;
  // LOOP and JCXZ ask for no flags: those go first. Else they go home before the condition may take the host's, or a
  // record does behind it.
  const Op asks = at(n.a).op == Op::Invert ? at(at(n.a).a).op : at(n.a).op;
  if (undone == 0 && asks == Op::ZeroCount && !leave_record()) write_home();
  if (undone == 0 && asks != Op::ZeroCount && (!options_.lazy_flags || from_home_)) write_home();
  const Truth truth = truth_of(n.a);
  if (undone == 0 && asks != Op::ZeroCount && !leave_record()) write_home();
  if (undone == 0 && linkable(target, n.size)) {
    patched_jump_if(truth.code, branch_exit(target, way));
    return;
  }
  const Label taken = a_.newLabel();
  a_.j(truth.code, taken);
  defer([=, this, snapshot = chain()] {
    a_.bind(taken);
    restore(snapshot);
    check_taken(target, n.size);
    store_x87_pointers();
    direct_exit(target, n.size, undone, way);
  });
}

// LOOP: the count goes down; the guest's flags are not those of the host then.
void Emitter::counting_jump(u16 id) {
  const Node n = at(id);
  const u16 count = at(n.a).op == Op::Both ? at(n.a).a : n.a;
  if (at(count).op != Op::Invert || at(at(count).a).op != Op::ZeroCount) {
    failed_ = true;
    return;
  }
  if (mode_.code64) check_canonical_place(place(static_cast<i32>(n.immediate)), n.size);
  counting_ = true;
  jump_if(id);
  counting_ = false;
}

void Emitter::fall_through_exit() {
  if (mode_.limited) {
    // EIP does not wrap at 64 KB here.
    if (!leave_record()) write_home();
    if (next_eip() >= static_cast<i32>(kPageSize)) {
      limited_exit(next_eip(), 0xFFFFFFFF);
      return;
    }
    ExitPoint* const exit = branch_exit(next_eip(), Way::RunsOn);
    exit->eip_mask = 0xFFFFFFFF;
    patched_jump(exit);
    return;
  }
  if (mode_.code32 || linkable(next_eip(), 2)) {
    direct_exit(next_eip(), code_bytes(), 0, Way::RunsOn);
    return;
  }
  write_home();
  load_eip(x86::r10, next_eip());  // EIP does not wrap at 64 KB here
  indirect_exit(x86::r10, 0);
}

}  // namespace relic86::jit::x64
