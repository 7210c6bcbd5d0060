// Hardware task switches (SDM 3A chapter 7).
#include "base/log.h"
#include "cpu/access.h"
#include "cpu/locked_access.h"
#include "cpu/transfer.h"

namespace relic86 {

namespace {

// Offsets in 32-bit and 16-bit task-state segments (SDM 3A figures 7-2 and 7-10).
constexpr u32 kLink = 0, kCr3 = 28, kEip32 = 32, kEflags32 = 36, kGpr32 = 40, kSegments32 = 72, kLdt32 = 96,
              kTrap32 = 100, kLimit32 = 103;
constexpr u32 kIp16 = 14, kFlags16 = 16, kGpr16 = 18, kSegments16 = 34, kLdt16 = 42, kLimit16 = 43;
constexpr u64 kCr0Ts = 1u << 3;

struct TaskImage {
  u32 cr3 = 0;
  u32 eip = 0;
  u32 eflags = 0;
  std::array<u32, 8> gpr{};
  std::array<u16, 6> segments{};  // ES CS SS DS FS GS
  u16 ldt = 0;
  bool trap = false;
};

bool save_task(Cpu& cpu, u32 return_rip, u32 flags) {
  CpuState& state = cpu.state();
  const Segment& tss = state.segment[kTr];
  const auto at = [&](u32 offset) { return LinAddr(static_cast<u32>(tss.base + offset)); };
  if ((tss.type() & 8) != 0) {
    if (!cpu.write_system(at(kEip32), return_rip) || !cpu.write_system(at(kEflags32), flags)) return false;
    for (u32 i = 0; i < 8; i++) {
      if (!cpu.write_system(at(kGpr32 + i * 4), state.gpr32(i))) return false;
    }
    for (u32 i = 0; i < 6; i++) {
      if (!cpu.write_system(at(kSegments32 + i * 4), state.segment[i].selector.raw)) return false;
    }
    return true;
  }
  if (!cpu.write_system(at(kIp16), static_cast<u16>(return_rip)) ||
      !cpu.write_system(at(kFlags16), static_cast<u16>(flags)))
    return false;
  for (u32 i = 0; i < 8; i++) {
    if (!cpu.write_system(at(kGpr16 + i * 2), static_cast<u16>(state.gpr[i]))) return false;
  }
  for (u32 i = 0; i < 4; i++) {
    if (!cpu.write_system(at(kSegments16 + i * 2), state.segment[i].selector.raw)) return false;
  }
  return true;
}

bool load_image(Cpu& cpu, u32 base, bool wide, TaskImage& image) {
  const auto at = [&](u32 offset) { return LinAddr(base + offset); };
  if (wide) {
    u8 trap = 0;
    if (!cpu.read_system(at(kCr3), image.cr3) || !cpu.read_system(at(kEip32), image.eip) ||
        !cpu.read_system(at(kEflags32), image.eflags))
      return false;
    for (u32 i = 0; i < 8; i++) {
      if (!cpu.read_system(at(kGpr32 + i * 4), image.gpr[i])) return false;
    }
    for (u32 i = 0; i < 6; i++) {
      if (!cpu.read_system(at(kSegments32 + i * 4), image.segments[i])) return false;
    }
    if (!cpu.read_system(at(kLdt32), image.ldt) || !cpu.read_system(at(kTrap32), trap)) return false;
    image.trap = (trap & 1) != 0;
    return true;
  }
  u16 word = 0;
  if (!cpu.read_system(at(kIp16), word)) return false;
  image.eip = word;
  if (!cpu.read_system(at(kFlags16), word)) return false;
  image.eflags = word;
  for (u32 i = 0; i < 8; i++) {
    if (!cpu.read_system(at(kGpr16 + i * 2), word)) return false;
    image.gpr[i] = 0xFFFF0000u | word;
  }
  for (u32 i = 0; i < 4; i++) {
    if (!cpu.read_system(at(kSegments16 + i * 2), image.segments[i])) return false;
  }
  return cpu.read_system(at(kLdt16), image.ldt);
}

bool set_busy(Cpu& cpu, Selector selector, bool busy) {
  const LinAddr at(static_cast<u32>(cpu.state().gdtr.base + selector.table_offset() + 5));
  constexpr u8 kBusy = 2;
  return busy ? change_bits(cpu, at, 0, kBusy) : change_bits(cpu, at, kBusy, 0);
}

// --- After the commit point: faults belong to the new task (SDM 3A 7.3) ---

bool load_new_ldt(Cpu& cpu, Selector selector) {
  if (selector.null()) {
    set_segment_null(cpu, kLdtr, selector);
    return true;
  }
  const auto refuse = [&] {
    cpu.raise(Vector::InvalidTss, selector_error(selector));
    return false;
  };
  set_segment_null(cpu, kLdtr, selector);
  if (selector.local()) return refuse();
  Descriptor descriptor;
  if (!fetch_descriptor(cpu, selector, descriptor, Vector::InvalidTss)) return false;
  if (descriptor.code_or_data() || descriptor.type() != kLdt || !descriptor.present()) return refuse();
  set_segment(cpu, kLdtr, selector, descriptor);
  return true;
}

bool load_new_data_segment(Cpu& cpu, SegmentName name, Selector selector) {
  if (selector.null()) return true;
  Descriptor descriptor;
  if (!fetch_descriptor(cpu, selector, descriptor, Vector::InvalidTss)) return false;
  const unsigned weaker = std::max<unsigned>(cpu.state().mode.cpl, selector.rpl());
  if (!descriptor.code_or_data() || !descriptor.readable() || (!descriptor.conforming() && weaker > descriptor.dpl())) {
    cpu.raise(Vector::InvalidTss, selector_error(selector));
    return false;
  }
  if (!descriptor.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(selector));
    return false;
  }
  if (!set_accessed(cpu, selector, descriptor)) return false;
  set_segment(cpu, name, selector, descriptor);
  return true;
}

bool load_new_segments(Cpu& cpu, const TaskImage& image) {
  CpuState& state = cpu.state();
  if (!load_new_ldt(cpu, Selector(image.ldt))) return false;
  if (state.mode.v86) {
    for (unsigned i = 0; i < kSegmentRegisters; i++)
      set_segment_real(cpu, static_cast<SegmentName>(i), Selector(image.segments[i]));
    cpu.update_mode();
    return true;
  }
  const Selector cs(image.segments[kCs]), ss(image.segments[kSs]);
  Descriptor code, stack;
  if (cs.null()) {
    cpu.raise(Vector::InvalidTss, selector_error(cs));
    return false;
  }
  if (!fetch_descriptor(cpu, cs, code, Vector::InvalidTss)) return false;
  if (!code.code_or_data() || !code.code() || (code.conforming() ? code.dpl() > cs.rpl() : code.dpl() != cs.rpl())) {
    cpu.raise(Vector::InvalidTss, selector_error(cs));
    return false;
  }
  if (!code.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(cs));
    return false;
  }
  if (!load_stack_descriptor(cpu, ss, cs.rpl(), Vector::InvalidTss, 0, stack)) return false;
  if (!set_accessed(cpu, ss, stack) || !set_accessed(cpu, cs, code)) return false;
  set_segment(cpu, kSs, ss, stack);
  set_segment(cpu, kCs, cs, code);
  cpu.update_mode();
  for (const SegmentName name : {kDs, kEs, kFs, kGs}) {
    if (!load_new_data_segment(cpu, name, Selector(image.segments[name]))) return false;
  }
  if (image.eip > code.limit()) {
    cpu.raise(Vector::GeneralProtection, 0);
    return false;
  }
  return true;
}

}  // namespace

bool switch_task(Cpu& cpu, Selector tss, const Descriptor& descriptor, TaskSwitchCause cause, u32 return_rip,
                 u32 external, TaskSwitchError error) {
  CpuState& state = cpu.state();
  const bool wide = (descriptor.type() & 8) != 0;
  log::print(log::Channel::ProtectedCalls, "switch_tss: sel={:04x} type={} from {:04x}:{:08x}", tss.raw,
             descriptor.type(), state.segment[kCs].selector.raw, state.rip);
  if (descriptor.limit() < (wide ? kLimit32 : kLimit16)) {
    cpu.raise(Vector::InvalidTss, selector_error(tss, external));
    return false;
  }
  // Everything that may fault on the outgoing side comes before the first change.
  const Segment old = state.segment[kTr];
  const bool old_wide = (old.type() & 8) != 0;
  const u32 old_size = (old_wide ? kLimit32 : kLimit16) + 1;
  const auto probe = [&](u64 base, u32 size, bool write) {
    const LinAddr at(static_cast<u32>(base));
    if (write ? cpu.mmu().probe_write(at, size, Privilege::Supervisor)
              : cpu.mmu().probe_read(at, size, Privilege::Supervisor))
      return true;
    cpu.raise_page_fault(cpu.mmu().fault());
    return false;
  };
  if (!probe(old.base, old_size, true) || !probe(descriptor.base(), (wide ? kLimit32 : kLimit16) + 1,
                                                 cause == TaskSwitchCause::Call || cause == TaskSwitchCause::Interrupt))
    return false;
  TaskImage image;
  if (!load_image(cpu, descriptor.base(), wide, image)) return false;

  u32 flags = cpu.eflags();
  if (cause == TaskSwitchCause::Jump || cause == TaskSwitchCause::Iret) {
    if (!set_busy(cpu, old.selector, false)) return false;
  }
  if (cause == TaskSwitchCause::Iret) flags &= ~kNT;
  if (!save_task(cpu, return_rip, flags)) return false;
  const bool nested = cause == TaskSwitchCause::Call || cause == TaskSwitchCause::Interrupt;
  if (nested && !cpu.write_system(LinAddr(descriptor.base() + kLink), old.selector.raw)) return false;
  if (cause != TaskSwitchCause::Iret && !set_busy(cpu, tss, true)) return false;

  // Commit point: from here on it is the new task.
  Descriptor busy = descriptor;
  busy.high |= 0x200;
  set_segment(cpu, kTr, tss, busy);
  state.cr0 |= kCr0Ts;
  if (wide && state.mode.paging && !cpu.mmu().load_cr3(image.cr3)) {
    cpu.raise(Vector::InvalidTss, selector_error(tss));
    return false;
  }
  if (wide && state.mode.paging) state.cr3 = image.cr3;
  state.rip = image.eip;
  for (unsigned i = 0; i < 8; i++) state.set_gpr32(i, image.gpr[i]);
  for (unsigned i = 0; i < kSegmentRegisters; i++)
    set_segment_null(cpu, static_cast<SegmentName>(i), Selector(image.segments[i]));
  cpu.set_eflags(image.eflags | (nested ? kNT : 0u));
  // CPL is the new CS's RPL while the segments are loaded. SS carries it, also into a fault among them.
  state.mode.cpl = state.mode.v86 ? u8{3} : static_cast<u8>(image.segments[kCs] & 3);
  state.segment[kSs].attributes = static_cast<u16>(state.mode.cpl << 5);
  state.dr[7] &= ~u64{0x155};  // local breakpoints
  if (!load_new_segments(cpu, image)) return false;
  cpu.update_access_checks();
  if (error.present && !cpu.push_operand(wide, error.code)) return false;
  if (image.trap) {
    state.debug_status |= 1u << 15;  // BT
    cpu.request(kPendingDataBreak);
  }
  return true;
}

}  // namespace relic86
