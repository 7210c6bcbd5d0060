#include "cpu/interrupt_delivery.h"

#include "base/log.h"
#include "cpu/access.h"
#include "cpu/control_bits.h"
#include "cpu/cpu_dump.h"
#include "cpu/debug_registers.h"
#include "cpu/direct_transfers.h"
#include "cpu/effective_address.h"
#include "cpu/long_transfer.h"
#include "cpu/system_instructions.h"
#include "cpu/transfer.h"

namespace relic86 {

namespace {

using Event = DeliveredEvent;

// Real-address mode (SDM 3A 20.1.4).
bool deliver_real(Cpu& cpu, const Event& event) {
  CpuState& state = cpu.state();
  TransferGuard guard(cpu);
  if (u32{event.vector} * 4 + 3 > state.idtr.limit) {
    cpu.raise(Vector::GeneralProtection, 0);
    return guard.fail();
  }
  u16 offset = 0, selector = 0;
  const LinAddr at(static_cast<u32>(state.idtr.base + event.vector * 4u));
  if (!cpu.read_system(at, offset) || !cpu.read_system(at + 2, selector)) return guard.fail();
  if (!cpu.push16(static_cast<u16>(cpu.eflags())) || !cpu.push16(state.segment[kCs].selector.raw) ||
      !cpu.push16(static_cast<u16>(event.return_rip)))
    return guard.fail();
  cpu.set_eflags(cpu.eflags() & ~(kIF | kTF | kRF | kAC));
  set_segment_real(cpu, kCs, Selector(selector));
  state.rip = offset;
  cpu.update_mode();
  return true;
}

// Virtual-8086 mode with VME: INT n redirected through the program's own vector table (SDM 3A 20.3.3).
bool deliver_redirected(Cpu& cpu, const Event& event) {
  CpuState& state = cpu.state();
  TransferGuard guard(cpu);
  u16 offset = 0, selector = 0;
  const LinAddr at(event.vector * 4u);
  const Privilege privilege = cpu.privilege();
  if (!cpu.mmu().read(at, offset, privilege) || !cpu.mmu().read(at + 2, selector, privilege)) {
    cpu.raise_page_fault(cpu.mmu().fault());
    return guard.fail();
  }
  u32 flags = cpu.eflags();
  const bool virtual_if = (flags & kIOPL) != kIOPL;
  u32 pushed = flags;
  if (virtual_if) {
    pushed = (flags & ~kIF) | kIOPL;
    if ((flags & kVIF) != 0) pushed |= kIF;
  }
  if (!cpu.push16(static_cast<u16>(pushed)) || !cpu.push16(state.segment[kCs].selector.raw) ||
      !cpu.push16(static_cast<u16>(event.return_rip)))
    return guard.fail();
  flags &= ~(kTF | kRF);
  flags &= virtual_if ? ~kVIF : ~kIF;
  cpu.set_eflags(flags);
  set_segment_real(cpu, kCs, Selector(selector));
  state.rip = offset;
  return true;
}

// The redirection bitmap lies in the 32 bytes below the I/O map base. redirected: the bit is clear. False: page fault.
bool redirection_bit(Cpu& cpu, u8 vector, bool& redirected) {
  redirected = false;
  const Segment& tss = cpu.state().segment[kTr];
  if ((tss.type() & 8) == 0 || tss.limit < 103) return true;
  u16 map = 0;
  if (!cpu.read_system(LinAddr(static_cast<u32>(tss.base + 102)), map)) return false;
  const u32 offset = map - 32u + vector / 8u;
  if (map < 32 || offset > tss.limit) return true;
  u8 bits = 0;
  if (!cpu.read_system(LinAddr(static_cast<u32>(tss.base + offset)), bits)) return false;
  redirected = (bits & 1u << (vector & 7)) == 0;
  return true;
}

bool push_frame(Cpu& cpu, bool wide, const Event& event, u32 flags, Selector cs) {
  if (!cpu.push_operand(wide, flags) || !cpu.push_operand(wide, cs.raw) ||
      !cpu.push_operand(wide, static_cast<u32>(event.return_rip)))
    return false;
  return !event.has_error || cpu.push_operand(wide, event.error_code);
}

// To a more privileged ring, also out of virtual-8086 mode (SDM 3A 6.12.1, 20.3.1).
bool deliver_inner(Cpu& cpu, const Event& event, bool wide, Selector selector, Descriptor& code, u32 offset,
                   unsigned privilege) {
  CpuState& state = cpu.state();
  const bool from_v86 = state.mode.v86;
  const u32 old_flags = cpu.eflags() | (event.resume ? kRF : 0u);
  const Selector old_cs = state.segment[kCs].selector, old_ss = state.segment[kSs].selector;
  const u32 old_esp = state.gpr32(kEsp);
  const std::array<u16, 4> data_segments{state.segment[kGs].selector.raw, state.segment[kFs].selector.raw,
                                         state.segment[kDs].selector.raw, state.segment[kEs].selector.raw};
  Selector ss;
  u32 esp = 0;
  Descriptor stack;
  if (!read_tss_stack(cpu, privilege, event.external(), ss, esp)) return false;
  if (!load_stack_descriptor(cpu, ss, privilege, Vector::InvalidTss, event.external(), stack) ||
      !set_accessed(cpu, ss, stack))
    return false;
  // From here on the processor is in the new ring; TransferGuard puts everything back if the frame does not fit.
  cpu.set_eflags(cpu.eflags() & ~kVM);
  set_segment(cpu, kSs, ss, stack);
  cpu.update_mode();
  state.set_gpr32(kEsp, stack.big() ? esp : (old_esp & 0xFFFF0000u) | (esp & 0xFFFF));
  const auto stack_fault = [&] {
    // A frame beyond the new stack's limit names that stack.
    if (cpu.fault().vector == Vector::StackFault) cpu.raise(Vector::StackFault, selector_error(ss, event.external()));
    return false;
  };
  if (from_v86) {
    for (const u16 data : data_segments) {
      if (!cpu.push_operand(wide, data)) return stack_fault();
    }
  }
  if (!cpu.push_operand(wide, old_ss.raw) || !cpu.push_operand(wide, old_esp) ||
      !push_frame(cpu, wide, event, old_flags, old_cs))
    return stack_fault();
  if (!enter_code_segment(cpu, selector, code, privilege, offset, event.external())) return false;
  if (from_v86) {
    for (const SegmentName name : {kEs, kDs, kFs, kGs}) set_segment_null(cpu, name, Selector(0));
  }
  return true;
}

bool deliver_gate(Cpu& cpu, const Event& event, const Descriptor& gate) {
  CpuState& state = cpu.state();
  const bool wide = (gate.type() & 8) != 0;
  const bool interrupt_gate = gate.type() == kInterruptGate16 || gate.type() == kInterruptGate32;
  const Selector selector = gate.gate_selector();
  const u32 external = event.external();
  if (selector.null()) {
    cpu.raise(Vector::GeneralProtection, external);
    return false;
  }
  Descriptor code;
  if (!fetch_descriptor(cpu, selector, code, Vector::GeneralProtection, external)) return false;
  if (!code.code_or_data() || !code.code() || code.dpl() > state.mode.cpl) {
    cpu.raise(Vector::GeneralProtection, selector_error(selector, external));
    return false;
  }
  if (!code.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(selector, external));
    return false;
  }
  TransferGuard guard(cpu);
  const u32 offset = gate.gate_offset(wide);
  const bool inner = !code.conforming() && code.dpl() < state.mode.cpl;
  if (inner) {
    if (state.mode.v86 && code.dpl() != 0) {
      cpu.raise(Vector::GeneralProtection, selector_error(selector, external));
      return false;
    }
    if (!deliver_inner(cpu, event, wide, selector, code, offset, code.dpl())) return guard.fail();
  } else {
    if (state.mode.v86) {
      cpu.raise(Vector::GeneralProtection, selector_error(selector, external));
      return false;
    }
    const u32 flags = cpu.eflags() | (event.resume ? kRF : 0u);
    if (!push_frame(cpu, wide, event, flags, state.segment[kCs].selector)) {
      if (cpu.fault().vector == Vector::StackFault) cpu.raise(Vector::StackFault, external);
      return guard.fail();
    }
    if (!enter_code_segment(cpu, selector, code, state.mode.cpl, offset, external)) return guard.fail();
  }
  u32 cleared = kTF | kNT | kRF | kVM;
  if (interrupt_gate) cleared |= kIF;
  cpu.set_eflags(cpu.eflags() & ~cleared);
  cpu.update_mode();
  return true;
}

bool deliver_protected(Cpu& cpu, const Event& event) {
  CpuState& state = cpu.state();
  const u32 gate_error = event.vector * 8u + 2 + event.external();  // IDT bit
  Descriptor gate;
  u64 raw = 0;
  if (event.vector * 8u + 7 > state.idtr.limit) {
    cpu.raise(Vector::GeneralProtection, gate_error);
    return false;
  }
  if (!cpu.read_system(LinAddr(static_cast<u32>(state.idtr.base + event.vector * 8u)), raw)) return false;
  gate.low = static_cast<u32>(raw);
  gate.high = static_cast<u32>(raw >> 32);
  const unsigned type = gate.code_or_data() ? 0 : gate.type();
  const bool task = type == kTaskGate;
  if (!task && type != kInterruptGate16 && type != kTrapGate16 && type != kInterruptGate32 && type != kTrapGate32) {
    cpu.raise(Vector::GeneralProtection, gate_error);
    return false;
  }
  if (event.software && gate.dpl() < state.mode.cpl) {
    cpu.raise(Vector::GeneralProtection, gate_error);
    return false;
  }
  if (!gate.present()) {
    cpu.raise(Vector::SegmentNotPresent, gate_error);
    return false;
  }
  if (!task) return deliver_gate(cpu, event, gate);
  const Selector selector = gate.gate_selector();
  const u32 external = event.external();
  Descriptor tss;
  if (selector.null() || selector.local()) {
    cpu.raise(Vector::GeneralProtection, selector_error(selector, external));
    return false;
  }
  if (!fetch_descriptor(cpu, selector, tss, Vector::GeneralProtection, external)) return false;
  if (tss.code_or_data() || (tss.type() != kTss16 && tss.type() != kTss32)) {
    cpu.raise(Vector::GeneralProtection, selector_error(selector, external));
    return false;
  }
  if (!tss.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(selector, external));
    return false;
  }
  return switch_task(cpu, selector, tss, TaskSwitchCause::Interrupt, static_cast<u32>(event.return_rip), external,
                     {event.has_error, event.error_code});
}

// -d int
void log_event(Cpu& cpu, const Event& event) {
  const CpuState& state = cpu.state();
  const Segment& code = state.segment[kCs];
  const bool page_fault = event.vector == static_cast<u8>(Vector::PageFault) && !event.software;
  log::write(
      log::Channel::Interrupts,
      fmt::format("{:6}: v={:02x} e={:04x} i={} cpl={} IP={:04x}:{:08x} pc={:08x} SP={:04x}:{:08x} {}={:08x}\n{}",
                  log::next_number(), event.vector, event.error_code, event.software ? 1 : 0, state.mode.cpl,
                  code.selector.raw, state.rip, cpu.linear_address(kCs, state.rip).raw, state.segment[kSs].selector.raw,
                  state.gpr[kEsp], page_fault ? "CR2" : "EAX", page_fault ? state.cr2 : state.gpr[kEax],
                  describe_registers(cpu, false)));
}

bool deliver(Cpu& cpu, const Event& event) {
  CpuState& state = cpu.state();
  if (log::enabled(log::Channel::Interrupts)) log_event(cpu, event);
  if (state.mode.long_mode) return deliver_long(cpu, event);
  if (deliver_directly(cpu, event)) return true;
  Event real = event;
  real.has_error = false;
  const bool done = state.mode.protected_mode ? deliver_protected(cpu, event) : deliver_real(cpu, real);
  if (done) cpu.update_mode();
  return done;
}

// SDM 3A table 6-4: classes of exceptions for the double fault.
bool contributory(Vector vector) {
  switch (vector) {
    case Vector::DivideError:
    case Vector::InvalidTss:
    case Vector::SegmentNotPresent:
    case Vector::StackFault:
    case Vector::GeneralProtection: return true;
    default: return false;
  }
}

void shut_down(Cpu& cpu) {
  log::print(log::Channel::Reset, "triple fault at {:04x}:{:08x}", cpu.state().segment[kCs].selector.raw,
             cpu.state().rip);
  cpu.state().shutdown = true;
  cpu.request(kPendingStop);
}

void note_page_fault(Cpu& cpu, const Fault& fault) {
  cpu.state().cr2 = fault.address.raw;
  log::print(log::Channel::Paging, "page fault: address {:08x} e={:04x} at {:04x}:{:08x}", fault.address.raw,
             fault.error_code, cpu.state().segment[kCs].selector.raw, cpu.state().rip);
}

[[gnu::cold]] void tell_entry(Cpu& cpu, KernelEntry::Kind kind, const Event& event, const KernelEntry::From& from) {
  cpu.entry_watch()->entered(cpu, {.kind = kind,
                                   .vector = event.vector,
                                   .has_error = event.has_error,
                                   .error_code = event.error_code,
                                   .return_rip = event.return_rip,
                                   .from = from});
}

// What happens when delivering an event faults in turn. first: the exception being delivered; none for interrupts.
void deliver_with_escalation(Cpu& cpu, Event event, std::optional<Vector> first) {
  const KernelEntry::From from = cpu.origin();
  while (!deliver(cpu, event)) {
    const Fault second = cpu.fault();
    if (second.vector == Vector::PageFault) note_page_fault(cpu, second);
    if (first == Vector::DoubleFault) return shut_down(cpu);
    const bool twice =
        first && ((contributory(*first) && contributory(second.vector)) ||
                  (*first == Vector::PageFault && (contributory(second.vector) || second.vector == Vector::PageFault)));
    first = twice ? Vector::DoubleFault : second.vector;
    event.software = false;
    event.vector = static_cast<u8>(*first);
    event.has_error = has_error_code(*first);
    event.error_code = twice ? 0 : second.error_code;
    event.resume = !twice;
    event.return_rip = cpu.state().rip;
  }
  if (cpu.entry_watch() != nullptr) [[unlikely]]
    tell_entry(cpu, first ? KernelEntry::Kind::Exception : KernelEntry::Kind::Interrupt, event, from);
}

void take(Cpu& cpu, const Event& event, std::optional<Vector> exception) {
  CpuState& state = cpu.state();
  deliver_with_escalation(cpu, event, exception);
  state.shadow = 0;
  state.repeat_flags = 0;
  state.monitor_armed = false;
}

}  // namespace

void deliver_fault(Cpu& cpu) {
  CpuState& state = cpu.state();
  cpu.count_fault();
  const Fault fault = cpu.fault();
  if (fault.vector == Vector::PageFault) note_page_fault(cpu, fault);
  if (fault.vector == Vector::Debug) state.dr[7] &= ~u64{1u << 13};  // GD is cleared on entry
  // What an instruction matched before it faulted is matched again when it is restarted.
  constexpr u32 kTaskSwitchTrap = 1u << 15;
  state.debug_status &= kTaskSwitchTrap;
  if (state.debug_status == 0) state.pending &= ~u32{kPendingDataBreak};
  Event event;
  event.vector = static_cast<u8>(fault.vector);
  event.has_error = has_error_code(fault.vector);
  event.error_code = fault.error_code;
  event.return_rip = state.rip;
  // Faults push RF set, instruction breakpoints do not (SDM 3B 17.3.1.1).
  event.resume = fault.vector != Vector::Debug || fault.error_code != kInstructionBreakpoint;
  take(cpu, event, fault.vector);
}

namespace {
void tell_matches(CpuState& state) {
  state.dr[6] = (state.dr[6] & ~kDr6Matches) | state.debug_status;
  state.debug_status = 0;
}
}  // namespace

void deliver_debug_trap(Cpu& cpu) {
  CpuState& state = cpu.state();
  if ((state.pending & kPendingSingleStep) != 0) state.dr[6] |= 1u << 14;  // BS
  tell_matches(state);
  state.pending &= ~u32{kPendingSingleStep | kPendingDataBreak};
  state.dr[7] &= ~u64{1u << 13};
  Event event;
  event.vector = static_cast<u8>(Vector::Debug);
  event.return_rip = state.rip;
  state.halted = false;
  take(cpu, event, Vector::Debug);
}

void deliver_nmi(Cpu& cpu) {
  CpuState& state = cpu.state();
  state.nmi_blocked = true;  // until IRET (SDM 3A 6.7.1)
  state.halted = false;
  Event event;
  event.vector = static_cast<u8>(Vector::Nmi);
  event.return_rip = state.rip;
  take(cpu, event, std::nullopt);
}

void deliver_external_interrupt(Cpu& cpu, u8 vector) {
  CpuState& state = cpu.state();
  state.halted = false;
  Event event;
  event.vector = vector;
  event.return_rip = state.rip;
  take(cpu, event, std::nullopt);
}

namespace {

Event software_event(u8 vector, SoftInterrupt kind, u64 return_rip) {
  Event event;
  event.vector = vector;
  event.software = kind != SoftInterrupt::Int1;
  event.return_rip = return_rip;
  return event;
}

}  // namespace

bool interrupt_directly(Cpu& cpu, u8 vector, SoftInterrupt kind, u64 return_rip) {
  const CpuState& state = cpu.state();
  if (log::enabled(log::Channel::Interrupts) || cpu.entry_watch() != nullptr) return false;
  if (kind == SoftInterrupt::IntN && state.mode.v86) {
    if ((state.cr4 & kCr4Vme) != 0 || (state.system_flags & kIOPL) != kIOPL) return false;
  }
  return deliver_directly(cpu, software_event(vector, kind, return_rip));
}

namespace {

bool carry_out_software_interrupt(Cpu& cpu, const Event& event, SoftInterrupt kind) {
  CpuState& state = cpu.state();
  if (kind == SoftInterrupt::IntN && state.mode.v86) {
    bool redirected = false;
    if ((state.cr4 & kCr4Vme) != 0) {
      if (!redirection_bit(cpu, event.vector, redirected)) return false;
      if (redirected) return deliver_redirected(cpu, event);
    }
    if ((state.system_flags & kIOPL) != kIOPL) {
      cpu.raise(Vector::GeneralProtection, 0);
      return false;
    }
  }
  return deliver(cpu, event);
}

}  // namespace

bool deliver_software_interrupt(Cpu& cpu, u8 vector, SoftInterrupt kind, u64 return_rip) {
  const Event event = software_event(vector, kind, return_rip);
  const KernelEntry::From from = cpu.origin();
  if (!carry_out_software_interrupt(cpu, event, kind)) return false;
  if (cpu.entry_watch() != nullptr) [[unlikely]] {
    const bool call = kind == SoftInterrupt::IntN;
    tell_entry(cpu, call ? KernelEntry::Kind::Software : KernelEntry::Kind::Exception, event, from);
  }
  return true;
}

// --- The instructions ---

namespace {
Flow software_interrupt(Cpu& cpu, const Insn& insn, u8 vector, SoftInterrupt kind) {
  return deliver_software_interrupt(cpu, vector, kind, next_rip(cpu.state(), insn)) ? Flow::StopAt : Flow::Fault;
}
}  // namespace

Flow int_n(Cpu& cpu, const Insn& insn) {
  return software_interrupt(cpu, insn, static_cast<u8>(insn.immediate), SoftInterrupt::IntN);
}
Flow int3(Cpu& cpu, const Insn& insn) { return software_interrupt(cpu, insn, 3, SoftInterrupt::Int3); }
// What MOV SS or POP SS matched just before comes with this #DB, not with one of its own.
Flow int1(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const Flow flow = software_interrupt(cpu, insn, 1, SoftInterrupt::Int1);
  if (flow == Flow::Fault || (state.pending & kPendingDataBreak) == 0) return flow;
  tell_matches(state);
  state.pending &= ~u32{kPendingDataBreak};
  return flow;
}
Flow into(Cpu& cpu, const Insn& insn) {
  if (!cpu.state().flags.of()) return Flow::Next;
  return software_interrupt(cpu, insn, 4, SoftInterrupt::Into);
}

}  // namespace relic86
