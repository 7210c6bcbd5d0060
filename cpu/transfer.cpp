#include "cpu/transfer.h"

#include "cpu/access.h"

namespace relic86 {

TransferGuard::TransferGuard(Cpu& cpu)
    : cpu_(cpu), segment_(cpu.state().segment), gpr_(cpu.state().gpr), rip_(cpu.state().rip), eflags_(cpu.eflags()) {}

bool TransferGuard::fail() {
  CpuState& state = cpu_.state();
  const bool access_changed = ((cpu_.eflags() ^ eflags_) & kAC) != 0;
  state.segment = segment_;
  state.gpr = gpr_;
  state.rip = rip_;
  state.flags.set_eflags(eflags_);
  state.system_flags = eflags_ & ~(kArithmeticFlags | kFixed1);
  cpu_.update_mode();
  if (access_changed) cpu_.update_access_checks();
  return false;
}

bool read_tss_stack(Cpu& cpu, unsigned privilege, u32 external, Selector& ss, u32& esp) {
  const Segment& tss = cpu.state().segment[kTr];
  const bool wide = (tss.type() & 8) != 0;
  const u32 offset = wide ? 4 + privilege * 8 : 2 + privilege * 4;
  const u32 size = wide ? 8 : 4;
  if (tss.selector.null() || offset + size - 1 > tss.limit) {
    cpu.raise(Vector::InvalidTss, selector_error(tss.selector, external));
    return false;
  }
  const LinAddr at(static_cast<u32>(tss.base + offset));
  u16 selector = 0;
  if (wide) {
    if (!cpu.read_system(at, esp) || !cpu.read_system(at + 4, selector)) return false;
  } else {
    u16 sp = 0;
    if (!cpu.read_system(at, sp) || !cpu.read_system(at + 2, selector)) return false;
    esp = sp;
  }
  ss = Selector(selector);
  return true;
}

bool enter_code_segment(Cpu& cpu, Selector selector, Descriptor& descriptor, unsigned privilege, u32 offset,
                        u32 external) {
  if (offset > descriptor.limit()) {
    cpu.raise(Vector::GeneralProtection, external);
    return false;
  }
  if (!set_accessed(cpu, selector, descriptor)) return false;
  set_segment(cpu, kCs, Selector(static_cast<u16>((selector.raw & 0xFFFC) | privilege)), descriptor);
  cpu.state().rip = offset;
  return true;
}

void drop_privileged_segments(Cpu& cpu) {
  CpuState& state = cpu.state();
  for (const SegmentName name : {kEs, kDs, kFs, kGs}) {
    Segment& segment = state.segment[name];
    const bool conforming = segment.is_code() && (segment.type() & 4) != 0;
    if (!segment.present() || conforming || segment.dpl() >= state.mode.cpl) continue;
    const u64 base = segment.base;
    set_segment_null(cpu, name, Selector(0));
    // 64-bit code goes on to use the bases of FS and GS; that they stay is what kvm-unit-tests finds on processors.
    if (state.mode.long_mode) segment.base = base;
  }
}

}  // namespace relic86
