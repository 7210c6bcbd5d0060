// MOV and POP of ES, DS, FS and GS, VERR, VERW, SYSENTER, SYSEXIT: the usual cases. All others are the interpreter's
// functions, from the start.
#include <vector>

#include "jit/runtime/descriptor_cache.h"
#include "jit/runtime/engine_area.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

constexpr std::size_t kProtectedMode = offsetof(CpuState, mode) + offsetof(CpuMode, protected_mode);
constexpr std::size_t kCpl = offsetof(CpuState, mode) + offsetof(CpuMode, cpl);
constexpr std::size_t kCode32 = offsetof(CpuState, mode) + offsetof(CpuMode, code32);
static_assert(offsetof(CpuMode, stack32) == offsetof(CpuMode, code32) + 1);

// What kind_of() says of those that SYSENTER and SYSEXIT load.
constexpr u8 kCodeKind = kSegmentReads | kSegmentReaches64K | kSegmentReaches4G;
constexpr u8 kDataKind = kCodeKind | kSegmentWrites | kSegmentFlat;

constexpr u16 kCode0 = 0xC09B, kData0 = 0xC093, kCode3 = 0xC0FB, kData3 = 0xC0F3;

}  // namespace

// kAddress := the selector that node id names. Jumps to slow where the access is not plain.
void Emitter::selector_operand(u16 id, const Label& slow) {
  const Node& n = at(id);
  if (at(n.a).op != Op::Address) {
    a_.movzx(kAddress.r32(), registers_.in_register(n.a, 2));
    return;
  }
  addresses_.load(kAddress, n.a);
  take_selector(2, memory_.segment_of(n), slow);
}

// kAddress := the selector at the offset in kAddress, where so many bytes are read.
void Emitter::take_selector(unsigned bytes, unsigned segment, const Label& slow) {
  u8 temporary = 0;
  Mem from = memory_.translate(bytes, false, segment, slow, temporary);
  from.setSize(2);
  a_.movzx(kAddress.r32(), from);
  registers_.give(temporary);
}

void Emitter::load_segment(u16 id) {
  units_.forget_data_segment();
  ExitPoint* const exit = exits_.add(ExitKind::Done, undone_before());
  const Label slow = a_.newLabel();
  flags_.host_lost();
  selector_operand(id, slow);
  load_selected(id, exit, slow, 0);
}

void Emitter::pop_segment(u16 id) {
  const Node& n = at(id);
  units_.forget_data_segment();
  ExitPoint* const exit = exits_.add(ExitKind::Done, undone_before());
  const Label slow = a_.newLabel();
  flags_.host_lost();
  memory_.stack_address(0);
  take_selector(n.immediate == kPopSelector ? 2 : n.size, kSs, slow);
  load_selected(id, exit, slow, n.size);
}

// The selector in kAddress goes to the node's segment; ESP goes up by so many bytes.
void Emitter::load_selected(u16 id, ExitPoint* exit, const Label& slow, i32 popped) {
  const Label other = a_.newLabel(), done = a_.newLabel();
  a_.call(thunks_.segments.load[at(id).segment][mode_.code32 ? 1 : 0]);
  a_.jne(other);
  if (popped != 0) move_stack_pointer(popped);
  a_.bind(done);
  defer([=, this, snapshot = exits_.moment()] {
    a_.bind(other);
    exits_.restore(snapshot);
    a_.jnc(slow);
    load_other_kind(id, slow, popped);
  });
  defer_to_handler(slow, exit, done);
}

// A segment of another kind (r11 leads to what is known of it) is another mode. Systems load and drop their own all the
// time: for the likely kinds that mode is known now, and the next block is looked up in it.
void Emitter::load_other_kind(u16 id, const Label& slow, i32 popped) {
  const unsigned segment = at(id).segment;
  const u8 known = Mode::known_kinds(segment, mode_.code32);
  constexpr u8 kLimited = kSegmentReads | kSegmentWrites, kLarge = kLimited | kSegmentReaches64K;
  const Gp kind = x86::r12d;
  a_.movzx(kind, Mem(x86::r11, static_cast<i32>(offsetof(KnownDescriptor, hidden) + offsetof(Segment, kind)), 1));
  a_.and_(kind, known);
  std::vector<std::pair<u8, Label>> modes;
  for (const u8 each : {kDataKind, kLimited, kLarge}) {
    const u8 likely = each & known;
    if (likely == mode_.segments[segment] || (each == kLarge && mode_.code32)) continue;
    a_.cmp(kind, likely);
    a_.je(modes.emplace_back(likely, a_.newLabel()).second);
  }
  a_.jmp(slow);
  const Exits::Moment moment = exits_.moment();
  for (const auto& [likely, label] : modes) {
    a_.bind(label);
    exits_.restore(moment);
    a_.call(thunks_.segments.take[segment]);
    flags_.write_home();
    units_.store_pointers();
    if (popped != 0) move_stack_pointer(popped);
    Mode after = mode_;
    after.segments[segment] = likely;
    branches_.enter_next_in(after, undone_after());
  }
}

// LES and its like: the offset, then the selector that follows it.
void Emitter::load_far(u16 id) {
  const Node& n = at(id);
  units_.forget_data_segment();
  ExitPoint* const exit = exits_.add(ExitKind::Done, undone_before());
  const Label slow = a_.newLabel(), done = a_.newLabel();
  flags_.host_lost();
  addresses_.load(kAddress, n.a);
  const u32 bytes = n.size + 2u;
  if (addresses_.narrow()) {
    a_.cmp(kAddress.r32(), 0x10000 - bytes);  // the selector's offset wraps by itself
    a_.ja(slow);
  }
  u8 temporary = 0;
  const Mem from = memory_.translate(bytes, false, memory_.segment_of(n), slow, temporary);
  const u8 host = registers_.take();
  Mem offset = from, selector = from.cloneAdjusted(n.size);
  offset.setSize(n.size);
  selector.setSize(2);
  if (n.size == 2) {
    a_.movzx(sized(host, 4), offset);
  } else {
    a_.mov(sized(host, 4), offset);
  }
  a_.movzx(kAddress.r32(), selector);
  registers_.give(temporary);
  a_.call(thunks_.segments.load[n.segment][mode_.code32 ? 1 : 0]);
  a_.jne(slow);
  a_.mov(registers_.guest(n.reg, n.size), sized(host, n.size));
  registers_.give(host);
  a_.bind(done);
  defer_to_handler(slow, exit, done);
}

// LAR, LSL. EngineArea::value as below.
void Emitter::describe_segment(u16 id) {
  const Node& n = at(id);
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label unread = a_.newLabel(), slow = a_.newLabel(), invisible = a_.newLabel();
  flags_.host_lost();
  selector_operand(id, unread);
  a_.call(n.immediate != 0 ? thunks_.segments.limit : thunks_.segments.rights);
  a_.jne(slow);
  const u8 host = registers_.take();
  a_.setnc(sized(host, 1));
  a_.movzx(sized(host, 4), sized(host, 1));
  a_.jc(invisible);
  a_.mov(registers_.guest(n.reg, n.size), sized(kAddress.id(), n.size));
  a_.bind(invisible);
  if (flags_.need(kZF).needed()) {
    FlagStep step;
    step.op = Op::SetZero;
    step.a = flags_.new_slot();
    a_.mov(flags_.slot(step.a.value), sized(host, 4));
    flags_.add_step(step, false);
  }
  registers_.give(host);
  defer([=, this] {
    a_.bind(unread);
    a_.xor_(kAddress.r32(), kAddress.r32());
    a_.bind(slow);
    a_.mov(area(offsetof(EngineArea, value), 8), kAddress);
    exits_.leave(exit);
  });
}

// Elsewhere ARPL and instructions with a VEX prefix are invalid opcodes.
void Emitter::check_protected() {
  if (mode_.code64) return;
  static_assert(offsetof(CpuMode, v86) == offsetof(CpuMode, protected_mode) + 1);
  constexpr i32 kProtected = 1;  // and not virtual-8086 mode
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label other = a_.newLabel();
  flags_.host_lost();
  a_.cmp(state(kProtectedMode, 2), kProtected);
  a_.jne(other);
  defer([=, this] {
    a_.bind(other);
    exits_.leave(exit);
  });
}

// ARPL: the weaker of two requested privilege levels. In memory, one that has to be changed is the handler's.
void Emitter::adjust_level(u16 id) {
  constexpr i32 kLevel = 3;
  const Node& n = at(id);
  const Gp raise = kAddress.r32();
  const u8 host = registers_.take();
  const Gp own = sized(host, 4);
  flags_.host_lost();
  a_.mov(own, registers_.in_register(n.a, 4));
  a_.mov(raise, registers_.in_register(n.b, 4));
  a_.and_(own, kLevel);
  a_.and_(raise, kLevel);
  a_.sub(raise, own);
  if (n.reg == kNoRegister) {
    ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
    const Label weaker = a_.newLabel();
    a_.jg(weaker);
    a_.xor_(own, own);
    defer([=, this] {
      a_.bind(weaker);
      exits_.leave(exit);
    });
  } else {
    a_.setg(sized(host, 1));
    a_.movzx(own, sized(host, 1));
    a_.neg(own);
    a_.and_(raise, own);
    a_.neg(own);
    registers_.before_write(n.reg, id);
    a_.add(registers_.guest(n.reg, 2), kAddress.r16());
  }
  if (flags_.need(kZF).needed()) {
    FlagStep step;
    step.op = Op::SetZero;
    step.a = flags_.new_slot();
    a_.mov(flags_.slot(step.a.value), own);
    flags_.add_step(step, false);
  }
  registers_.give(host);
}

// EngineArea::value: the selector, for the descriptor to be remembered.
void Emitter::verify_segment(u16 id) {
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label unread = a_.newLabel(), slow = a_.newLabel();
  flags_.host_lost();
  selector_operand(id, unread);
  a_.call(at(id).immediate != 0 ? thunks_.segments.verify_write : thunks_.segments.verify_read);
  a_.jne(slow);
  if (flags_.need(kZF).needed()) {
    FlagStep step;
    step.op = Op::SetZero;
    step.a = flags_.new_slot();
    a_.mov(flags_.slot(step.a.value), kAddress.r32());
    flags_.add_step(step, false);
  }
  defer([=, this] {
    a_.bind(unread);
    a_.xor_(kAddress.r32(), kAddress.r32());
    a_.bind(slow);
    a_.mov(area(offsetof(EngineArea, value), 8), kAddress);
    exits_.leave(exit);
  });
}

// A flat segment of fixed rights, its selector that of SYSENTER_CS (r10) plus `add`.
void Emitter::set_fixed_segment(unsigned segment, u32 add, u16 attributes) {
  const std::size_t at_segment = offsetof(CpuState, segment) + segment * sizeof(Segment);
  constexpr u64 kLimit = 0xFFFFFFFF;
  a_.lea(x86::r11d, x86::ptr(x86::r10, static_cast<i32>(add & ~3u)));
  if ((add & 3) != 0) a_.or_(x86::r11d, static_cast<i32>(add & 3));
  a_.shl(x86::r11, 48);
  a_.mov(x86::r12, kLimit | u64{attributes} << 32);
  a_.or_(x86::r11, x86::r12);
  a_.mov(state(at_segment + offsetof(Segment, limit)), x86::r11);
  a_.xor_(x86::r11d, x86::r11d);
  a_.mov(state(at_segment + offsetof(Segment, base)), x86::r11);
  a_.mov(x86::r12, kLimit + 1);
  a_.mov(state(at_segment + offsetof(Segment, read_end)), x86::r12);
  a_.mov(state(at_segment + offsetof(Segment, write_end)), segment == kCs ? x86::r11 : x86::r12);
  a_.mov(state(at_segment + offsetof(Segment, end)), x86::r12);
  a_.mov(state(at_segment + offsetof(Segment, kind), 8), segment == kCs ? kCodeKind : kDataKind);
}

// The mode after the instruction is known: the next block is looked up as after an indirect branch.
void Emitter::fast_transfer(u16 id) {
  const bool leaves = at(id).immediate != 0;
  units_.store_pointers();
  flags_.write_home();
  ExitPoint* const exit = exits_.add(ExitKind::Done, undone_before());
  exit->settles_flags = true;
  const Label slow = a_.newLabel();
  flags_.host_lost();
  a_.cmp(state(kProtectedMode, 2), 1);  // and not virtual-8086 mode
  a_.jne(slow);
  if (leaves) {
    a_.cmp(state(kCpl, 1), 0);
    a_.jne(slow);
  }
  a_.cmp(state(offsetof(CpuState, pending), 4), 0);
  a_.jne(slow);
  a_.cmp(state(offsetof(CpuState, shadow), 1), 0);
  a_.jne(slow);
  const Mem system_flags = state(offsetof(CpuState, system_flags), 4);
  a_.test(system_flags, static_cast<i32>(kTF | kRF | kAC));
  a_.jnz(slow);
  a_.mov(x86::r10d, state(offsetof(CpuState, sysenter_cs), 4));
  a_.and_(x86::r10d, 0xFFFC);
  a_.jz(slow);
  set_fixed_segment(kCs, leaves ? 16 | 3 : 0, leaves ? kCode3 : kCode0);
  set_fixed_segment(kSs, leaves ? 24 | 3 : 8, leaves ? kData3 : kData0);
  a_.mov(state(kCode32, 2), 0x101);  // and the stack
  a_.mov(state(kCpl, 1), leaves ? 3 : 0);
  if (leaves) {
    a_.mov(registers_.guest(kEsp, 4), registers_.guest(kEcx, 4));
    a_.mov(x86::r10d, registers_.guest(kEdx, 4));
  } else {
    a_.and_(system_flags, ~static_cast<i32>(kVM | kIF | kRF));
    a_.mov(registers_.guest(kEsp, 4), state(offsetof(CpuState, sysenter_esp), 4));
    a_.mov(x86::r10d, state(offsetof(CpuState, sysenter_eip), 4));
  }
  a_.mov(x86::rsp, area(offsetof(EngineArea, first_frame), 8));  // the frames are those of the other privilege
  Mode after = mode_;
  after.user = leaves;
  after.aligned = false;
  after.code32 = after.stack32 = true;
  after.segments[kCs] = kCodeKind & Mode::known_kinds(kCs, true);
  after.segments[kSs] = kDataKind & Mode::known_kinds(kSs, true);
  branches_.exit_to_mode(after, x86::r10);
  ended_ = true;
  defer([=, this] {
    a_.bind(slow);
    exits_.call_thunk(thunks_.cold, exit);
    exits_.leave(exit);  // not reached: the handler goes on elsewhere
  });
}

}  // namespace relic86::jit::x64
