// SYSENTER, SYSEXIT (SDM 3A 5.8.7).
#include "cpu/access.h"
#include "cpu/segmentation.h"
#include "cpu/system_instructions.h"

namespace relic86 {

namespace {

// Flat 4 GiB segments with fixed contents: no descriptor is read.
void set_flat(Cpu& cpu, SegmentName name, u32 selector, u16 attributes) {
  CpuState& state = cpu.state();
  Segment& segment = state.segment[name];
  segment.selector = Selector(static_cast<u16>(selector));
  segment.base = 0;
  segment.limit = 0xFFFFFFFF;
  segment.attributes = attributes;
  derive_limits(state, segment);
}

constexpr u16 kCode0 = 0xC09B, kData0 = 0xC093, kCode3 = 0xC0FB, kData3 = 0xC0F3;

}  // namespace

Flow sysenter(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  const u32 cs = static_cast<u32>(state.sysenter_cs) & 0xFFFC;
  if (!state.mode.protected_mode || cs == 0) return cpu.raise(Vector::GeneralProtection, 0);
  cpu.set_eflags(cpu.eflags() & ~(kVM | kIF | kRF));
  set_flat(cpu, kCs, cs, kCode0);
  set_flat(cpu, kSs, cs + 8, kData0);
  state.set_gpr32(kEsp, static_cast<u32>(state.sysenter_esp));
  state.rip = static_cast<u32>(state.sysenter_eip);
  cpu.update_mode();
  return Flow::StopAt;
}

Flow sysexit(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  const u32 cs = static_cast<u32>(state.sysenter_cs) & 0xFFFC;
  if (!state.mode.protected_mode || cs == 0 || state.mode.cpl != 0) return cpu.raise(Vector::GeneralProtection, 0);
  set_flat(cpu, kCs, (cs + 16) | 3, kCode3);
  set_flat(cpu, kSs, (cs + 24) | 3, kData3);
  state.set_gpr32(kEsp, state.gpr32(kEcx));
  state.rip = state.gpr32(kEdx);
  cpu.update_mode();
  return Flow::StopAt;
}

}  // namespace relic86
