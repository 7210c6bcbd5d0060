#include "jit/x64/exits.h"

#include "jit/runtime/engine_area.h"
#include "jit/x64/host_units.h"
#include "jit/x64/shared_pages.h"

namespace relic86::jit::x64 {

ExitPoint* Exits::add(ExitKind kind, unsigned undone) {
  ExitPoint& exit = *translation_.exits.emplace_back(std::make_unique<ExitPoint>());
  exit.owner = &translation_;
  exit.insn = insn().insn;
  exit.kind = kind;
  exit.undone = static_cast<u16>(undone);
  exit.eip = eip_of(index_);
  exit.held = held_addresses();
  flags_.describe(exit);
  units_.describe(exit);
  return &exit;
}

// Bits: numbers of temporaries, as kTemporaries has them.
u8 Exits::held_addresses() const {
  const u32 hosts = pages_.needed() | registers_.pointers();
  u8 held = 0;
  for (unsigned i = 0; i < std::size(kTemporaries); ++i) held |= static_cast<u8>((hosts >> kTemporaries[i] & 1) << i);
  return held;
}

ExitPoint* Exits::add_branch(i32 target, Way way) {
  ExitPoint* const exit = add(ExitKind::Branch, 0);
  exit->eip = target;
  exit->from_home = true;
  exit->first_step = exit->last_step;
  exit->linkable = true;
  exit->page = reinterpret_cast<const u8*>(translation_.code_address & ~u64{kPageSize - 1});
  exit->taken = way == Way::Branches;
  exit->eip_mask = mode_.code32 ? 0xFFFFFFFF : 0xFFFF;
  const bool in_head = !ir_.region || index_ < ir_.head_instructions;
  exit->self = in_head && target == page_offset();
  exit->loop = translation_.loop_offset != 0 && index_ + 1 == ir_.insns.size() && target == page_offset();
  return exit;
}

void Exits::call_thunk(u64 thunk, ExitPoint* exit) {
  a_.mov(kAddress, reinterpret_cast<u64>(exit));
  a_.call(thunk);
}

// An instruction that the interpreter carries out is followed by the next block at once if nothing else is due.
void Exits::leave(ExitPoint* exit) {
  a_.mov(kAddress, reinterpret_cast<u64>(exit));
  a_.jmp(exit->kind == ExitKind::Before ? thunks_.depart : thunks_.leave);
}

// Backward branches within the page, and those that leave a region, which may go to a second one; not what a region or
// a loop with checks before it goes round by.
bool Exits::is_counted(const ExitPoint& exit) const {
  const bool own_loop = exit.loop || (ir_.region && exit.eip == page_offset());
  const bool suits = exit.linkable && !exit.crosses && !exit.unshared && !own_loop && !translation_.unshared;
  if (!suits || options_.counted == Counted::Nothing) return false;
  const bool backward = exit.taken && exit.eip <= eip_of(index_);
  return backward || ir_.region || options_.counted == Counted::Everything;
}

bool Exits::begin_count(ExitPoint* exit, const Label& stub) {
  exit->counted = is_counted(*exit);
  if (!exit->counted) return false;
  exit->heat = options_.heat;
  exit->count = count_stub(exit, stub);
  return true;
}

// Counts a branch down and jumps to its target, which is patched; `over` when the count is.
ExitPoint::CountStub Exits::count_stub(ExitPoint* exit, const Label& over) {
  ExitPoint::CountStub stub;
  stub.offset = static_cast<u32>(a_.offset());
  a_.mov(kAddress, reinterpret_cast<u64>(exit));
  a_.sub(x86::dword_ptr(kAddress, static_cast<i32>(offsetof(ExitPoint, heat))), 1);
  a_.jl(over);
  a_.long_().jmp(over);
  stub.jump = static_cast<u32>(a_.offset()) - 4;
  return stub;
}

void Exits::jump(ExitPoint* exit) {
  const Label stub = a_.newLabel();
  a_.long_().jmp(stub);
  note_jump(exit, stub, a_.newLabel());
}

void Exits::jump_if(x86::CondCode code, ExitPoint* exit) {
  const Label stub = a_.newLabel();
  a_.long_().j(code, stub);
  note_jump(exit, stub, a_.newLabel());
}

// To the rest of the block in its other variant, which is going to look at the entry's flags as this one does.
void Exits::jump_passing(ExitPoint* exit) {
  flags_.note_passing();
  passing_.push_back(exit);
  registers_.drop_copies();
  const Label stub = a_.newLabel();
  a_.long_().jmp(stub);
  exit->jump_offset = static_cast<u32>(a_.offset()) - 4;
  deferred_.add([=, this, snapshot = moment()] { bind_late_jump(exit, stub, a_.newLabel(), snapshot); });
}

// Where an unlinked jump ends. elsewhere: the jump is linked, but does not hold here.
void Exits::note_jump(ExitPoint* exit, const Label& stub, const Label& elsewhere) {
  registers_.drop_copies();
  exit->jump_offset = static_cast<u32>(a_.offset()) - 4;
  exit->lazy = flags_.recorded();
  if (!exit->lazy) {
    deferred_.add([=, this] {
      a_.bind(stub);
      a_.bind(elsewhere);
      exit->stub_offset = static_cast<u32>(a_.offset());
      leave(exit);
      begin_count(exit, stub);
    });
    return;
  }
  exit->lazy_registers = flags_.registers_of_steps();
  deferred_.add([=, this, snapshot = moment()] { bind_late_jump(exit, stub, elsewhere, snapshot); });
}

// The flags go home, then the jump follows that is linked to targets that want them there.
void Exits::bind_late_jump(ExitPoint* exit, const Label& stub, const Label& elsewhere, const Moment& moment) {
  const Label out = a_.newLabel();
  const auto settle = [&] {
    restore(moment);
    flags_.host_lost();
    if (flags_.home_current()) {
      const Label plain = a_.newLabel();
      a_.test(area(offsetof(EngineArea, home_step), 1), static_cast<i32>(FlagRecords::kRecord));
      a_.jz(plain);  // the target takes what is no record
      flags_.flatten();
      a_.bind(plain);
      flags_.host_lost();
    } else {
      flags_.write_home();
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
  leave(exit);
  if (begin_count(exit, stub)) exit->late_count = count_stub(exit, out);
}

Exits::Moment Exits::moment() const { return {index_, flags_.snapshot(), units_.pending()}; }

void Exits::restore(const Moment& moment) {
  index_ = moment.index;
  flags_.restore(moment.flags);
  units_.set_pending(moment.pending);
}

void Exits::end_block() {
  translation_.lazy_entry = flags_.lazy_entry();
  translation_.entry_clobbers = flags_.entry_clobbers();
  for (ExitPoint* const exit : passing_) {
    exit->lazy = translation_.lazy_entry;
    exit->lazy_registers = static_cast<u16>(~translation_.entry_clobbers);  // what a record may name here
  }
}

}  // namespace relic86::jit::x64
