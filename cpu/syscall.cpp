// SYSCALL, SYSRET, SWAPGS (SDM 2; SDM 3A 5.8.8; APM 2 6.1; APM 3).
#include <utility>

#include "cpu/access.h"
#include "cpu/effective_address.h"
#include "cpu/long_mode.h"
#include "cpu/segmentation.h"
#include "cpu/system_instructions.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

namespace {

constexpr unsigned kR11 = 11;
constexpr u16 kCode0 = 0xC09B, kCode3 = 0xC0FB, kLongCode0 = 0xA09B, kLongCode3 = 0xA0FB;
constexpr u16 kData0 = 0xC093, kData3 = 0xC0F3;
constexpr unsigned kSyscallSelector = 32, kSysretSelector = 48, kStarSelectorMask = 0xFFFC;

// SYSCALL and SYSRET are enabled, and there are any in this mode.
bool available(const Cpu& cpu) {
  const CpuState& state = cpu.state();
  if ((state.efer & kEferSce) == 0 || !state.mode.protected_mode) return false;
  return state.mode.code64 || cpu.vendor().syscall_outside_64_bit_mode;
}

// Both look at TF when they are done: a kernel masks it at SYSCALL, and SYSRET traps as if the program's SYSCALL just
// had ended (QEMU and KVM agree).
Flow done(Cpu& cpu) {
  if ((cpu.eflags() & kTF) != 0) cpu.request(kPendingSingleStep);
  return Flow::StopAt;
}

u32 selector_of(u64 star, unsigned shift) { return static_cast<u32>(star >> shift) & kStarSelectorMask; }

}  // namespace

Flow syscall(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if (!available(cpu)) return cpu.raise(Vector::InvalidOpcode);
  const KernelEntry::From from = cpu.origin();
  const bool was64 = state.mode.code64;
  const u64 next = next_rip(state, insn);
  const u32 flags = cpu.eflags();
  const u32 cs = selector_of(state.star, kSyscallSelector);
  set_flat_segment(cpu, kCs, cs, state.mode.long_mode ? kLongCode0 : kCode0);
  set_flat_segment(cpu, kSs, cs + 8, kData0);
  if (state.mode.long_mode) {
    state.rip = was64 ? state.lstar : state.cstar;
    cpu.update_mode();
    state.gpr[kR11] = flags & ~kRF;
    state.gpr[kEcx] = next;
    cpu.set_eflags(flags & ~(static_cast<u32>(state.fmask) | kRF));
  } else {
    state.rip = static_cast<u32>(state.star);
    cpu.update_mode();
    state.set_gpr32(kEcx, static_cast<u32>(next));
    cpu.set_eflags(flags & ~(kVM | kIF | kRF));
  }
  if (cpu.entry_watch() != nullptr) [[unlikely]]
    cpu.entry_watch()->entered(cpu, {.kind = KernelEntry::Kind::SystemCall, .return_rip = next, .from = from});
  return done(cpu);
}

Flow sysret(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if (!available(cpu)) return cpu.raise(Vector::InvalidOpcode);
  if (state.mode.cpl != 0) return cpu.raise(Vector::GeneralProtection, 0);
  const bool from64 = state.mode.code64, to64 = insn.operand64();
  if (to64 && !state.linear.canonical(state.gpr[kEcx]) && cpu.vendor().sysret_checks_target)
    return cpu.raise(Vector::GeneralProtection, 0);
  const u32 base = selector_of(state.star, kSysretSelector);
  const u64 target = to64 ? state.gpr[kEcx] : state.gpr32(kEcx);
  const u32 saved = static_cast<u32>(state.gpr[kR11]);
  set_flat_segment(cpu, kCs, (to64 ? base + 16 : base) | 3, to64 ? kLongCode3 : kCode3);
  set_flat_segment(cpu, kSs, (base + 8) | 3, kData3);
  state.rip = target;
  cpu.update_mode();
  constexpr u32 kFromR11 = 0x3C7FD7;  // all but RF, VM and what is reserved
  cpu.set_eflags(from64 ? saved & kFromR11 : cpu.eflags() | kIF);
  if (cpu.entry_watch() != nullptr) [[unlikely]]
    cpu.entry_watch()->returned(cpu, 0);
  return done(cpu);
}

Flow swapgs(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  if (state.mode.cpl != 0) return cpu.raise(Vector::GeneralProtection, 0);
  std::swap(state.segment[kGs].base, state.kernel_gs_base);
  derive_limits(state, state.segment[kGs]);
  return Flow::Next;
}

}  // namespace relic86
