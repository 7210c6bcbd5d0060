// SYSCALL from ring 3 and SYSRET to it, both in 64-bit code, and SWAPGS: the usual cases. All others are the
// interpreter's functions, from the start.
#include "cpu/long_mode.h"
#include "jit/runtime/engine_area.h"
#include "jit/x64/canonical_check.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

constexpr std::size_t kCpl = offsetof(CpuState, mode) + offsetof(CpuMode, cpl);
constexpr u16 kLongCode0 = 0xA09B, kLongCode3 = 0xA0FB, kData0 = 0xC093, kData3 = 0xC0F3;
constexpr i32 kSelectorMask = 0xFFFC;

}  // namespace

// Jumps to slow if something waits to be looked at between two instructions, or one of these flags is set.
void Emitter::check_quiet(u32 flags, const Label& slow) {
  a_.cmp(state(offsetof(CpuState, pending), 4), 0);
  a_.jne(slow);
  a_.cmp(state(offsetof(CpuState, shadow), 1), 0);
  a_.jne(slow);
  a_.test(state(offsetof(CpuState, efer), 4), static_cast<i32>(kEferSce));
  a_.jz(slow);
  a_.test(state(offsetof(CpuState, system_flags), 4), static_cast<i32>(flags));
  a_.jnz(slow);
}

// The home := an image of the arithmetic flags.
void Emitter::set_home_image(const Gp& image) {
  FlagStep step;
  step.op = Op::Image;
  a_.mov(area(offsetof(EngineArea, home_operand), 4), image);
  a_.mov(area(offsetof(EngineArea, home_step), 8), static_cast<i32>(step.descriptor()));
  flags_.settle();
}

// On to RIP in another ring: the frames of calls are those of this one.
void Emitter::enter_ring(const Gp& rip, u8 cpl) {
  a_.mov(state(kCpl, 1), cpl);
  a_.mov(x86::rsp, area(offsetof(EngineArea, first_frame), 8));
  Mode after = mode_;
  after.user = cpl == 3;
  branches_.exit_to_mode(after, rip);
  ended_ = true;
}

void Emitter::system_call(u16 id) {
  units_.store_pointers();
  flags_.write_home();
  const u8 host = registers_.take();
  flags_.load_image(sized(host, 4));
  const Mem image = area(offsetof(EngineArea, value), 4);
  a_.mov(image, sized(host, 4));
  registers_.give(host);
  ExitPoint* const exit = exits_.add(ExitKind::Done, undone_before());
  exit->settles_flags = true;
  const Label slow = a_.newLabel();
  flags_.host_lost();
  check_quiet(kTF | kRF | kAC, slow);
  a_.mov(x86::r10d, state(offsetof(CpuState, star) + 4, 4));
  a_.and_(x86::r10d, kSelectorMask);
  set_fixed_segment(kCs, 0, kLongCode0);
  set_fixed_segment(kSs, 8, kData0);
  const Mem system_flags = state(offsetof(CpuState, system_flags), 4);
  a_.mov(x86::r10d, image);
  a_.mov(x86::r11d, system_flags);
  a_.lea(x86::r12d, x86::ptr(x86::r10, x86::r11, 0, static_cast<i32>(kFixed1)));  // no bit is in two of them
  a_.mov(gpr(at(id).reg, 8), x86::r12);
  a_.mov(x86::r12d, state(offsetof(CpuState, fmask), 4));
  a_.not_(x86::r12d);
  a_.and_(x86::r10d, x86::r12d);
  a_.and_(x86::r11d, x86::r12d);
  a_.mov(system_flags, x86::r11d);
  set_home_image(x86::r10d);
  addresses_.load_eip(registers_.guest(kEcx, 8), next_eip());
  a_.mov(x86::r10, state(offsetof(CpuState, lstar), 8));
  enter_ring(x86::r10, 0);
  defer([=, this] {
    a_.bind(slow);
    exits_.call_thunk(thunks_.cold, exit);
    exits_.leave(exit);  // not reached: the handler goes on elsewhere
  });
}

void Emitter::system_return(u16 id) {
  units_.store_pointers();
  flags_.write_home();
  ExitPoint* const exit = exits_.add(ExitKind::Done, undone_before());
  exit->settles_flags = true;
  const Label slow = a_.newLabel();
  flags_.host_lost();
  a_.cmp(state(kCpl, 1), 0);
  a_.jne(slow);
  check_quiet(kTF | kRF | kAC, slow);
  // Flags that a program usually has, and no others.
  const Mem saved = gpr(at(id).reg, 4);
  a_.test(saved, static_cast<i32>(~(kArithmeticFlags | kIF | kFixed1)));
  a_.jnz(slow);
  a_.mov(x86::r10, registers_.guest(kEcx, 8));
  check_canonical(a_, mode_.linear_bits(), x86::r10, slow);
  a_.movzx(x86::r10d, state(offsetof(CpuState, star) + 6, 2));
  a_.and_(x86::r10d, kSelectorMask);
  set_fixed_segment(kCs, 16 | 3, kLongCode3);
  set_fixed_segment(kSs, 8 | 3, kData3);
  a_.mov(x86::r10d, saved);
  a_.mov(x86::r11d, x86::r10d);
  a_.and_(x86::r10d, static_cast<i32>(kArithmeticFlags));
  a_.and_(x86::r11d, static_cast<i32>(kIF));
  a_.mov(state(offsetof(CpuState, system_flags), 4), x86::r11d);
  set_home_image(x86::r10d);
  a_.mov(x86::r10, registers_.guest(kEcx, 8));
  enter_ring(x86::r10, 3);
  defer([=, this] {
    a_.bind(slow);
    exits_.call_thunk(thunks_.cold, exit);
    exits_.leave(exit);  // not reached: the handler goes on elsewhere
  });
}

// A null selector, which 64-bit code has in GS: what else is known of the segment does not depend on its base.
void Emitter::swap_gs() {
  const Label slow = a_.newLabel(), done = a_.newLabel();
  cold_aside(slow, done);
  flags_.host_lost();
  constexpr std::size_t kSegment = offsetof(CpuState, segment) + kGs * sizeof(Segment);
  a_.cmp(state(kCpl, 1), 0);
  a_.jne(slow);
  a_.cmp(state(kSegment + offsetof(Segment, attributes), 2), 0);
  a_.jne(slow);
  const u8 first = registers_.take(), second = registers_.take();
  const Mem base = state(kSegment + offsetof(Segment, base), 8), other = state(offsetof(CpuState, kernel_gs_base), 8);
  a_.mov(sized(first, 8), base);
  a_.mov(sized(second, 8), other);
  a_.mov(base, sized(second, 8));
  a_.mov(other, sized(first, 8));
  registers_.give(first);
  registers_.give(second);
  a_.bind(done);
}

// STAC and CLAC in ring 0, where EFLAGS.AC checks no alignment. What STAC let into the TLB C++ drops at CLAC.
void Emitter::set_user_access(u16 id) {
  const bool opens = at(id).immediate != 0;
  const Label slow = a_.newLabel(), done = a_.newLabel();
  cold_aside(slow, done);
  flags_.host_lost();
  a_.cmp(state(kCpl, 1), 0);
  a_.jne(slow);
  if (!opens) {
    a_.cmp(state(kTlbWalk + offsetof(TlbWalk, opened), 4), 0);
    a_.jne(slow);
  }
  const Mem flags = state(offsetof(CpuState, system_flags), 4);
  if (opens) {
    a_.or_(flags, static_cast<i32>(kAC));
  } else {
    a_.and_(flags, ~static_cast<i32>(kAC));
  }
  a_.mov(state(kTlbWalk + offsetof(TlbWalk, user_access), 4), opens ? 1 : 0);
  a_.bind(done);
}

}  // namespace relic86::jit::x64
