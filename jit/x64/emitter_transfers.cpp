// Far JMP, CALL and RET, IRET of 16-bit code in real-address and virtual-8086 mode, where a selector is a base, from
// one code segment of 64 KiB to another. Everything is checked before anything changes; what is unusual is a helper's
// from the start, as are protected mode and interrupts (translator_transfers.cpp).
#include "base/log.h"
#include "jit/runtime/engine_area.h"
#include "jit/x64/code_thunks.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

constexpr std::size_t kProtectedMode = offsetof(CpuState, mode) + offsetof(CpuMode, protected_mode);
static_assert(offsetof(CpuMode, v86) == offsetof(CpuMode, protected_mode) + 1);

std::size_t code_field(std::size_t offset) { return offsetof(CpuState, segment) + kCs * sizeof(Segment) + offset; }

}  // namespace

// Jumps to slow unless set_segment_real() would change no more than selector and base of CS.
void Emitter::check_real_code(const Label& slow) {
  constexpr i32 kProtected = 1, kData = 0x93, kData3 = 0xF3, kSizes = 0xF000, kHighest = 0xFFFF;
  flags_.host_lost();
  a_.cmp(state(kProtectedMode, 2), kProtected);
  a_.je(slow);
  a_.cmp(state(code_field(offsetof(Segment, limit)), 4), kHighest);
  a_.jne(slow);
  a_.test(state(code_field(offsetof(Segment, base)), 1), 3);
  a_.jnz(slow);
  a_.movzx(kAddress.r32(), state(code_field(offsetof(Segment, attributes)), 2));
  if (!mode_.user) a_.and_(kAddress.r32(), ~kSizes);
  a_.cmp(kAddress.r32(), mode_.user ? kData3 : kData);
  a_.jne(slow);
}

// place: IP and CS, one after the other. They may have been pushed one by one: a load of both would wait for the
// stores.
void Emitter::load_pointer(const Gp& to, const Label& slow, unsigned segment) {
  u8 temporary = 0;
  check_wrap(4, slow);
  Mem place = memory_.translate(4, false, segment, slow, temporary);
  take_pointer(to, place);
  registers_.give(temporary);
}

void Emitter::take_pointer(const Gp& to, const Mem& place) {
  Mem upper = place.cloneAdjusted(2), lower = place;
  upper.setSize(2);
  lower.setSize(2);
  a_.movzx(to, upper);
  a_.movzx(kAddress.r32(), lower);
  a_.shl(to, 16);
  a_.or_(to, kAddress.r32());
}

// Slots that lie next to each other are one access here: those that wrap at 64 KiB are not.
void Emitter::check_wrap(unsigned bytes, const Label& slow) {
  if (!addresses_.narrow()) return;
  flags_.host_lost();
  a_.cmp(kAddress.r32(), 0x10000 - bytes);
  a_.ja(slow);
}

void Emitter::push_return_address(const Label& slow) {
  const u8 host = registers_.take();
  const Gp pointer = sized(host, 4);
  addresses_.load_eip(pointer, next_eip());
  a_.movzx(pointer, pointer.r16());
  a_.movzx(kAddress.r32(), state(code_field(offsetof(Segment, selector)), 2));
  a_.shl(kAddress.r32(), 16);
  a_.or_(pointer, kAddress.r32());
  memory_.stack_address(-4);
  check_wrap(4, slow);
  u8 temporary = 0;
  const Mem place = memory_.translate(4, true, kSs, slow, temporary);
  a_.mov(place, pointer);
  registers_.give(temporary);
  registers_.give(host);
}

// flags: what IRET has popped. IF and the arithmetic flags change, nothing else.
void Emitter::take_flags(const Gp& flags, const Label& slow) {
  constexpr u32 kOthers = u32{kTF} | kNT | kDF;
  take_interrupt_flag(flags, kOthers | (mode_.user ? 0u : u32{kIOPL}), slow);
  a_.mov(state(offsetof(CpuState, nmi_blocked), 1), 0);
  FlagStep step;
  step.op = Op::Image;
  step.a = flags_.new_slot();
  a_.mov(flags_.slot(step.a.value), flags);
  flags_.add_step(step, true);
}

// The flags are where the helper looks for them.
ExitPoint* Emitter::transfer_exit(FarKind kind) {
  ExitPoint* const exit = exits_.add(ExitKind::Done, undone_before());
  exit->settles_flags = true;
  exit->far = kind;
  exit->from_home = true;
  exit->first_step = exit->last_step;
  return exit;
}

void Emitter::leave_to_transfer(ExitPoint* exit) {
  a_.mov(kAddress, reinterpret_cast<u64>(exit));
  a_.jmp(thunks_.transfer);
}

void Emitter::direct_transfer(u16 id) {
  const FarKind kind = static_cast<FarKind>(at(id).immediate);
  units_.store_pointers();
  ended_ = true;
  if (kind == FarKind::Interrupt) {
    interrupt();
    return;
  }
  flags_.write_home();
  if (sets_unit_flags(kind)) {
    unit_flags(id);
    return;
  }
  ExitPoint* const exit = transfer_exit(kind);
  if (!knows_transfer(kind)) {
    leave_to_transfer(exit);
    return;
  }
  const Label slow = a_.newLabel();
  known_transfer(id, slow);
  defer([=, this] {
    a_.bind(slow);
    leave_to_transfer(exit);
  });
}

// Far transfers that may stay in the ring.
bool Emitter::knows_transfer(FarKind kind) const {
  return kind <= FarKind::Return && !log::enabled(log::Channel::ProtectedCalls);
}

// JMP, CALL and RET far in protected mode, from one code segment to another (or the same) that has been entered before.
// Everything is checked before anything changes. Of 32-bit code one of the two may be flat, and the other not.
void Emitter::known_transfer(u16 id, const Label& slow) {
  const Node& n = at(id);
  const FarKind kind = static_cast<FarKind>(n.immediate);
  const unsigned size = n.size;
  flags_.host_lost();
  pages_.forget();  // the block is over: all temporaries are free
  registers_.free_temporaries();
  if (n.c != kNoValue) {
    a_.mov(x86::r10d, at(n.b).immediate);
    a_.mov(kAddress.r32(), at(n.c).immediate);
  } else {
    u8 temporary = 0;
    if (kind == FarKind::Return) {
      memory_.stack_address(0);
    } else {
      addresses_.load(kAddress, n.a);
    }
    const unsigned bytes = kind == FarKind::Return ? 2 * size : size + 2;
    check_wrap(bytes, slow);
    Mem place = memory_.translate(bytes, false, kind == FarKind::Return ? unsigned{kSs} : memory_.segment_of(n), slow,
                                  temporary);
    Mem upper = place.cloneAdjusted(size);
    upper.setSize(2);
    place.setSize(size);
    a_.movzx(x86::r13d, upper);
    if (size == 4) {
      a_.mov(x86::r10d, place);
    } else {
      a_.movzx(x86::r10d, place);
    }
    a_.mov(kAddress.r32(), x86::r13d);
  }
  const CodeSort sort = mode_.flat_code ? CodeSort::Flat : mode_.code32 ? CodeSort::Limited : CodeSort::Narrow;
  a_.call(thunks_.code.check[static_cast<unsigned>(sort)][kind == FarKind::Return ? 1 : 0]);
  if (sort == CodeSort::Narrow) {
    a_.jne(slow);
    if (!mode_.limited) {
      a_.cmp(x86::Mem(x86::r11, static_cast<i32>(offsetof(KnownDescriptor, hidden) + offsetof(Segment, limit)), 4),
             0xFFFF);
      a_.jb(slow);
    }
    enter_known_code(id, slow, mode_);
    return;
  }
  const Label other = a_.newLabel();
  a_.jne(other);
  defer([=, this, snapshot = exits_.moment()] {
    a_.bind(other);
    exits_.restore(snapshot);
    a_.jnc(slow);
    enter_known_code(id, slow, mode_of_other_sort(mode_));
  });
  enter_known_code(id, slow, mode_);
}

// The rest of it: the selector is in kAddress, the offset in r10, r11 leads to the segment, whose code has the mode
// `after`.
void Emitter::enter_known_code(u16 id, const Label& slow, const Mode& after) {
  const Node& n = at(id);
  const FarKind kind = static_cast<FarKind>(n.immediate);
  const unsigned size = n.size;
  const Mem selector = area(offsetof(EngineArea, value), 4);
  registers_.free_temporaries();
  for (const Gp& host : {x86::r10, x86::r11}) registers_.reserve(host);
  if (kind == FarKind::Call) {
    a_.mov(selector, kAddress.r32());
    memory_.stack_address(-2 * static_cast<i32>(size));
    check_wrap(2 * size, slow);
    u8 temporary = 0;
    Mem place = memory_.translate(2 * size, true, kSs, slow, temporary);
    Mem upper = place.cloneAdjusted(size);
    upper.setSize(size);
    place.setSize(size);
    addresses_.load_eip(x86::r13, next_eip());
    if (!mode_.code32) a_.movzx(x86::r13d, x86::r13w);
    a_.mov(place, sized(x86::r13.id(), size));
    a_.movzx(x86::r13d, state(code_field(offsetof(Segment, selector)), 2));
    a_.mov(upper, sized(x86::r13.id(), size));
    move_stack_pointer(-2 * static_cast<i32>(size));
    a_.mov(kAddress.r32(), selector);
  } else if (kind == FarKind::Return) {
    a_.mov(selector, kAddress.r32());
    move_stack_pointer(static_cast<i32>(2 * size + at(n.b).immediate));
    a_.mov(kAddress.r32(), selector);
  }
  a_.call(thunks_.code.load);
  if (after.flat_code == mode_.flat_code) {
    branches_.indirect_exit(x86::r10, 0);
    return;
  }
  // The frames are those of calls in the other mode.
  if (options_.returns) a_.mov(x86::rsp, area(offsetof(EngineArea, first_frame), 8));
  branches_.exit_to_mode(after, x86::r10);
}

// The helper finds the flags in EngineArea::value if the host's are the guest's, else at home.
void Emitter::interrupt() {
  const bool image = flags_.at_hand();
  if (image) {
    const u8 host = registers_.take();
    flags_.load_image(sized(host, 4));
    a_.mov(area(offsetof(EngineArea, value)), sized(host, 4));
    registers_.give(host);
  } else {
    flags_.write_home();
  }
  ExitPoint* const exit = transfer_exit(FarKind::Interrupt);
  exit->flags_in_value = image;
  leave_to_transfer(exit);
}

void Emitter::far_transfer(u16 id) {
  const Node& n = at(id);
  const FarKind kind = static_cast<FarKind>(n.immediate);
  units_.store_pointers();
  flags_.write_home();
  ExitPoint* const exit = transfer_exit(kind);
  const Label slow = a_.newLabel();
  if (knows_transfer(kind)) {
    const Label protected_mode = a_.newLabel();
    flags_.host_lost();
    a_.cmp(state(kProtectedMode, 2), 1);
    a_.je(protected_mode);
    defer([=, this, snapshot = exits_.moment()] {
      a_.bind(protected_mode);
      exits_.restore(snapshot);
      known_transfer(id, slow);
    });
  }
  check_real_code(slow);
  const u8 host = registers_.take();
  const Gp target = sized(host, 4);  // CS above IP
  switch (kind) {
    case FarKind::Jump:
    case FarKind::Call:
      if (n.a == kNoValue) {
        a_.mov(target, at(n.c).immediate << 16 | at(n.b).immediate);
      } else {
        addresses_.load(kAddress, n.a);
        load_pointer(target, slow, memory_.segment_of(n));
      }
      if (kind == FarKind::Call) {
        push_return_address(slow);
        move_stack_pointer(-4);
      }
      break;
    case FarKind::Return:
      memory_.stack_address(0);
      load_pointer(target, slow, kSs);
      move_stack_pointer(static_cast<i32>(4 + at(n.b).immediate));
      break;
    case FarKind::InterruptReturn: {
      constexpr unsigned kFrame = 6;
      if (mode_.user) check_trusted(slow);
      memory_.stack_address(0);
      check_wrap(kFrame, slow);
      u8 temporary = 0;
      Mem place = memory_.translate(kFrame, false, kSs, slow, temporary);
      const u8 flags = registers_.take();
      Mem flags_place = place.cloneAdjusted(4);
      flags_place.setSize(2);
      a_.movzx(sized(flags, 4), flags_place);
      take_pointer(target, place);
      registers_.give(temporary);
      take_flags(sized(flags, 4), slow);
      registers_.give(flags);
      move_stack_pointer(kFrame);
      flags_.write_home();
      break;
    }
    default: failed_ = true; break;  // never recorded like this
  }
  a_.mov(kAddress.r32(), target);
  a_.shr(kAddress.r32(), 16);
  a_.mov(state(code_field(offsetof(Segment, selector)), 2), kAddress.r16());
  a_.shl(kAddress.r32(), 4);
  a_.mov(state(code_field(offsetof(Segment, base)), 8), kAddress);
  a_.movzx(x86::r10d, target.r16());
  branches_.indirect_exit(x86::r10, 0);
  ended_ = true;
  defer([=, this] {
    a_.bind(slow);
    leave_to_transfer(exit);
  });
}

}  // namespace relic86::jit::x64
