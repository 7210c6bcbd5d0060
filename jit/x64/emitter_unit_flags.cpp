// CLTS, LMSW from a register and MOV to CR0 in ring 0 that change no more than MP, EM and TS. EM and TS take x87, MMX
// and SSE away and give them back: the mode that the next block runs in is known when this one is translated, all but
// what the units' control registers say. If they say anything unusual, the handler does it.
#include "cpu/control_registers.h"
#include "jit/runtime/engine_area.h"
#include "jit/x64/emitter.h"

namespace relic86::jit::x64 {

namespace {

constexpr std::size_t kCpl = offsetof(CpuState, mode) + offsetof(CpuMode, cpl);
constexpr i32 kUnusable = static_cast<i32>(kCr0Em | kCr0Ts);

}  // namespace

// next := CR0 after the instruction.
void Emitter::next_cr0(const Node& n, const Gp& next) {
  const FarKind kind = static_cast<FarKind>(n.immediate);
  const Mem cr0 = state(offsetof(CpuState, cr0), 4);
  if (kind == FarKind::ClearTaskSwitched) {
    a_.mov(next, cr0);
    a_.and_(next, ~static_cast<i32>(kCr0Ts));
    return;
  }
  if (kind == FarKind::MachineStatus) {
    a_.mov(next, cr0);
    a_.and_(next, ~static_cast<i32>(kCr0MachineStatus & ~kCr0Pe));
    a_.mov(x86::r10d, registers_.in_register(n.b, 4));
    a_.and_(x86::r10d, static_cast<i32>(kCr0MachineStatus));
    a_.or_(next, x86::r10d);
  } else {
    a_.mov(next, registers_.in_register(n.b, 4));
  }
  a_.and_(next, static_cast<i32>(kCr0Known));
  a_.or_(next, static_cast<i32>(kCr0Et));
}

// The flags are at home.
void Emitter::unit_flags(u16 id) {
  ExitPoint* const exit = transfer_exit(static_cast<FarKind>(at(id).immediate));
  const Label slow = a_.newLabel(), same = a_.newLabel(), usable = a_.newLabel();
  const Mem cr0 = state(offsetof(CpuState, cr0), 4);
  const Gp next = kAddress.r32(), change = x86::r11d;
  flags_.host_lost();
  a_.cmp(state(kCpl, 1), 0);
  a_.jne(slow);
  next_cr0(at(id), next);
  a_.mov(change, next);
  a_.xor_(change, cr0);
  a_.jz(same);
  a_.test(change, ~static_cast<i32>(kCr0UnitFlags));
  a_.jnz(slow);
  a_.test(next, kUnusable);
  a_.jz(usable);
  a_.mov(cr0, next);
  a_.test(change, kUnusable);
  a_.jz(same);
  Mode after = mode_;
  after.x87 = after.sse = after.avx = after.traps = false;
  branches_.enter_next_in(after);
  a_.bind(usable);
  // What the units' registers say is in memory.
  constexpr i32 kX87Masks = 0x3F, kX87Summary = 0x80, kSseMasks = 0x1F80, kMxcsr = static_cast<i32>(0xFFFF0000u);
  constexpr i32 kOsFxsr = 1 << 9, kOsXsave = 1 << 18;
  const auto fx = [this](std::size_t field, u32 bytes) { return state(offsetof(CpuState, fx) + field, bytes); };
  const Label traps = a_.newLabel(), waiting = a_.newLabel();
  a_.cmp(area(offsetof(EngineArea, units)), 0);
  a_.jne(slow);
  a_.test(state(offsetof(CpuState, cr4), 4), kOsXsave);  // whether AVX is enabled is the handler's to say
  a_.jnz(slow);
  a_.test(fx(offsetof(FxState, status), 1), kX87Summary);
  a_.jnz(waiting);
  a_.test(fx(offsetof(FxState, mxcsr), 4), kMxcsr);
  a_.jnz(slow);
  a_.mov(cr0, next);
  a_.movzx(change, fx(offsetof(FxState, control), 2));
  a_.not_(change);
  a_.test(change, kX87Masks);
  a_.jnz(traps);
  a_.mov(change, fx(offsetof(FxState, mxcsr), 4));
  a_.not_(change);
  a_.test(change, kSseMasks);
  a_.jnz(traps);
  for (const bool trapping : {false, true}) {
    const Label without_sse = a_.newLabel();
    if (trapping) a_.bind(traps);
    a_.test(state(offsetof(CpuState, cr4), 4), kOsFxsr);
    a_.jz(without_sse);
    after.x87 = after.sse = true;
    after.traps = trapping;
    branches_.enter_next_in(after);
    a_.bind(without_sse);
    after.sse = false;
    branches_.enter_next_in(after);
  }
  a_.bind(waiting);  // an x87 exception is pending
  a_.test(state(offsetof(CpuState, cr4), 4), kOsFxsr);
  a_.jnz(slow);
  a_.mov(cr0, next);
  after.x87 = after.sse = after.traps = false;
  branches_.enter_next_in(after);
  a_.bind(same);
  branches_.fall_through_exit();
  defer_to_handler(slow, exit, same);
}

}  // namespace relic86::jit::x64
