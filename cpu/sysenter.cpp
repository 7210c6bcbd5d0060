// SYSENTER, SYSEXIT (SDM 3A 5.8.7).
#include "cpu/access.h"
#include "cpu/effective_address.h"
#include "cpu/long_mode.h"
#include "cpu/segmentation.h"
#include "cpu/system_instructions.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

namespace {

constexpr u16 kCode0 = 0xC09B, kData0 = 0xC093, kCode3 = 0xC0FB, kData3 = 0xC0F3;
constexpr u16 kLongCode0 = 0xA09B, kLongCode3 = 0xA0FB;

bool available(const Cpu& cpu) { return !cpu.state().mode.long_mode || cpu.vendor().sysenter_in_long_mode; }

}  // namespace

Flow sysenter(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if (!available(cpu)) return cpu.raise(Vector::InvalidOpcode);
  const u32 cs = static_cast<u32>(state.sysenter_cs) & 0xFFFC;
  if (!state.mode.protected_mode || cs == 0) return cpu.raise(Vector::GeneralProtection, 0);
  const bool long_mode = state.mode.long_mode;
  const KernelEntry::From from = cpu.origin();
  const u64 next = next_rip(state, insn);
  cpu.set_eflags(cpu.eflags() & ~(kVM | kIF | kRF));
  set_flat_segment(cpu, kCs, cs, long_mode ? kLongCode0 : kCode0);
  set_flat_segment(cpu, kSs, cs + 8, kData0);
  cpu.update_mode();
  state.gpr[kEsp] = long_mode ? state.sysenter_esp : static_cast<u32>(state.sysenter_esp);
  state.rip = long_mode ? state.sysenter_eip : static_cast<u32>(state.sysenter_eip);
  if (cpu.entry_watch() != nullptr) [[unlikely]]
    cpu.entry_watch()->entered(cpu, {.kind = KernelEntry::Kind::SystemEnter, .return_rip = next, .from = from});
  return Flow::StopAt;
}

Flow sysexit(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  // The privilege counts first (seen on an AMD part).
  if (!available(cpu)) return cpu.raise(state.mode.cpl != 0 ? Vector::GeneralProtection : Vector::InvalidOpcode, 0);
  const u32 cs = static_cast<u32>(state.sysenter_cs) & 0xFFFC;
  if (!state.mode.protected_mode || cs == 0 || state.mode.cpl != 0) return cpu.raise(Vector::GeneralProtection, 0);
  const bool to64 = insn.operand64();
  const u64 rsp = to64 ? state.gpr[kEcx] : state.gpr32(kEcx), rip = to64 ? state.gpr[kEdx] : state.gpr32(kEdx);
  if (to64 && (!state.linear.canonical(rsp) || !state.linear.canonical(rip)))
    return cpu.raise(Vector::GeneralProtection, 0);
  set_flat_segment(cpu, kCs, (cs + (to64 ? 32 : 16)) | 3, to64 ? kLongCode3 : kCode3);
  set_flat_segment(cpu, kSs, (cs + (to64 ? 40 : 24)) | 3, kData3);
  cpu.update_mode();
  state.gpr[kEsp] = rsp;
  state.rip = rip;
  if (cpu.entry_watch() != nullptr) [[unlikely]]
    cpu.entry_watch()->returned(cpu, 0);
  return Flow::StopAt;
}

}  // namespace relic86
