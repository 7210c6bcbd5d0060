// JMP, CALL and RET far, IRET (SDM 3A 5.8, 6.12; SDM 2 pseudo-code of the instructions).
#include "base/log.h"
#include "cpu/access.h"
#include "cpu/control_bits.h"
#include "cpu/cpuid.h"
#include "cpu/direct_transfers.h"
#include "cpu/effective_address.h"
#include "cpu/long_transfer.h"
#include "cpu/sized_access.h"
#include "cpu/system_instructions.h"
#include "cpu/transfer.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

namespace {

u32 next_eip(const CpuState& state, const Insn& insn) { return static_cast<u32>(next_rip(state, insn)); }

// -d pcall: where from, where to.
void log_transfer(const Cpu& cpu, std::string_view name, Selector selector, u64 offset) {
  const CpuState& state = cpu.state();
  log::print(log::Channel::ProtectedCalls, "{} {:04x}:{:08x} from {:04x}:{:08x} cpl={}", name, selector.raw, offset,
             state.segment[kCs].selector.raw, state.rip, state.mode.cpl);
}

bool logs_transfers() { return log::enabled(log::Channel::ProtectedCalls); }

// The code segment that a direct far transfer names (not a gate). False: fault.
bool check_direct_code(Cpu& cpu, Selector selector, const Descriptor& code) {
  const unsigned cpl = cpu.state().mode.cpl;
  const bool privilege_ok = code.conforming() ? code.dpl() <= cpl : selector.rpl() <= cpl && code.dpl() == cpl;
  if (!privilege_ok) {
    cpu.raise(Vector::GeneralProtection, selector_error(selector));
    return false;
  }
  if (!code.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(selector));
    return false;
  }
  return true;
}

Flow real_transfer(Cpu& cpu, Selector selector, u32 offset, bool operand32) {
  CpuState& state = cpu.state();
  if (!operand32) offset &= 0xFFFF;
  if (offset > state.segment[kCs].limit) return cpu.raise(Vector::GeneralProtection, 0);
  set_segment_real(cpu, kCs, selector);
  state.rip = offset;
  cpu.update_mode();
  return Flow::StopAt;
}

// What a gate or TSS selector of JMP or CALL leads to a task by.
Flow task_transfer(Cpu& cpu, Selector selector, Descriptor descriptor, TaskSwitchCause cause, u32 return_rip) {
  const CpuState& state = cpu.state();
  if (descriptor.dpl() < state.mode.cpl || descriptor.dpl() < selector.rpl())
    return cpu.raise(Vector::GeneralProtection, selector_error(selector));
  if (descriptor.type() == kTaskGate) {
    if (!descriptor.present()) return cpu.raise(Vector::SegmentNotPresent, selector_error(selector));
    selector = descriptor.gate_selector();
    if (selector.null() || selector.local()) return cpu.raise(Vector::GeneralProtection, selector_error(selector));
    if (!fetch_descriptor(cpu, selector, descriptor, Vector::GeneralProtection)) return Flow::Fault;
  }
  if (descriptor.code_or_data() || (descriptor.type() != kTss16 && descriptor.type() != kTss32) || selector.local()) {
    return cpu.raise(Vector::GeneralProtection, selector_error(selector));
  }
  if (!descriptor.present()) return cpu.raise(Vector::SegmentNotPresent, selector_error(selector));
  return switch_task(cpu, selector, descriptor, cause, return_rip, 0) ? Flow::StopAt : Flow::Fault;
}

// The code segment behind a call gate. False: fault.
bool open_call_gate(Cpu& cpu, Selector gate_selector, const Descriptor& gate, Selector& selector, Descriptor& code) {
  const CpuState& state = cpu.state();
  if (gate.dpl() < state.mode.cpl || gate.dpl() < gate_selector.rpl()) {
    cpu.raise(Vector::GeneralProtection, selector_error(gate_selector));
    return false;
  }
  if (!gate.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(gate_selector));
    return false;
  }
  selector = gate.gate_selector();
  if (selector.null()) {
    cpu.raise(Vector::GeneralProtection, 0);
    return false;
  }
  if (!fetch_descriptor(cpu, selector, code, Vector::GeneralProtection)) return false;
  if (!code.code() || !code.code_or_data() || code.dpl() > state.mode.cpl) {
    cpu.raise(Vector::GeneralProtection, selector_error(selector));
    return false;
  }
  return true;
}

Flow jump_protected(Cpu& cpu, Selector selector, u32 offset, const Insn& insn) {
  CpuState& state = cpu.state();
  log_transfer(cpu, "ljmp", selector, offset);
  if (selector.null()) return cpu.raise(Vector::GeneralProtection, 0);
  Descriptor descriptor;
  if (!fetch_descriptor(cpu, selector, descriptor, Vector::GeneralProtection)) return Flow::Fault;
  if (descriptor.code_or_data()) {
    if (!descriptor.code()) return cpu.raise(Vector::GeneralProtection, selector_error(selector));
    if (!check_direct_code(cpu, selector, descriptor)) return Flow::Fault;
  } else if (descriptor.type() == kCallGate16 || descriptor.type() == kCallGate32) {
    const bool wide = descriptor.type() == kCallGate32;
    const Descriptor gate = descriptor;
    Selector target;
    if (!open_call_gate(cpu, selector, gate, target, descriptor)) return Flow::Fault;
    if (!descriptor.conforming() && descriptor.dpl() != state.mode.cpl)
      return cpu.raise(Vector::GeneralProtection, selector_error(target));
    if (!descriptor.present()) return cpu.raise(Vector::SegmentNotPresent, selector_error(target));
    selector = target;
    offset = gate.gate_offset(wide);
  } else if (descriptor.type() == kTaskGate || descriptor.type() == kTss16 || descriptor.type() == kTss32) {
    return task_transfer(cpu, selector, descriptor, TaskSwitchCause::Jump, next_eip(state, insn));
  } else {
    return cpu.raise(Vector::GeneralProtection, selector_error(selector));
  }
  TransferGuard guard(cpu);
  if (!enter_code_segment(cpu, selector, descriptor, state.mode.cpl, offset, 0)) return guard.fail(), Flow::Fault;
  cpu.update_mode();
  return Flow::StopAt;
}

// CALL through a gate to a more privileged ring: new stack, parameters copied (SDM 3A 5.8.5).
bool call_inner(Cpu& cpu, bool wide, unsigned parameters, Selector selector, Descriptor& code, u32 offset,
                u32 return_rip) {
  CpuState& state = cpu.state();
  const unsigned privilege = code.dpl();
  const Selector old_cs = state.segment[kCs].selector, old_ss = state.segment[kSs].selector;
  const u32 old_esp = state.gpr32(kEsp);
  const u32 old_mask = cpu.stack_mask();
  Selector ss;
  u32 esp = 0;
  Descriptor stack;
  if (!read_tss_stack(cpu, privilege, 0, ss, esp)) return false;
  if (!load_stack_descriptor(cpu, ss, privilege, Vector::InvalidTss, 0, stack) || !set_accessed(cpu, ss, stack))
    return false;
  std::array<u32, 32> values{};
  for (unsigned i = 0; i < parameters; i++) {
    const u32 at = (old_esp + i * (wide ? 4 : 2)) & old_mask;
    u16 word = 0;
    if (wide ? !cpu.read(kSs, at, values[i]) : !cpu.read(kSs, at, word)) return false;
    if (!wide) values[i] = word;
  }
  set_segment(cpu, kSs, ss, stack);
  cpu.update_mode();
  state.set_gpr32(kEsp, stack.big() ? esp : (old_esp & 0xFFFF0000u) | (esp & 0xFFFF));
  bool pushed = cpu.push_operand(wide, old_ss.raw) && cpu.push_operand(wide, old_esp);
  for (unsigned i = parameters; pushed && i-- > 0;) pushed = cpu.push_operand(wide, values[i]);
  if (!pushed || !cpu.push_operand(wide, old_cs.raw) || !cpu.push_operand(wide, return_rip)) {
    if (cpu.fault().vector == Vector::StackFault) cpu.raise(Vector::StackFault, selector_error(ss));
    return false;
  }
  return enter_code_segment(cpu, selector, code, privilege, offset, 0);
}

Flow call_protected(Cpu& cpu, Selector selector, u32 offset, const Insn& insn) {
  CpuState& state = cpu.state();
  const u32 return_rip = next_eip(state, insn);
  log_transfer(cpu, "lcall", selector, offset);
  if (selector.null()) return cpu.raise(Vector::GeneralProtection, 0);
  Descriptor descriptor;
  if (!fetch_descriptor(cpu, selector, descriptor, Vector::GeneralProtection)) return Flow::Fault;
  bool wide = insn.operand32();
  if (descriptor.code_or_data()) {
    if (!descriptor.code()) return cpu.raise(Vector::GeneralProtection, selector_error(selector));
    if (!check_direct_code(cpu, selector, descriptor)) return Flow::Fault;
  } else if (descriptor.type() == kCallGate16 || descriptor.type() == kCallGate32) {
    wide = descriptor.type() == kCallGate32;
    const Descriptor gate = descriptor;
    Selector target;
    if (!open_call_gate(cpu, selector, gate, target, descriptor)) return Flow::Fault;
    if (!descriptor.present()) return cpu.raise(Vector::SegmentNotPresent, selector_error(target));
    selector = target;
    offset = gate.gate_offset(wide);
    if (!descriptor.conforming() && descriptor.dpl() < state.mode.cpl) {
      TransferGuard guard(cpu);
      if (!call_inner(cpu, wide, gate.high & 31, selector, descriptor, offset, return_rip))
        return guard.fail(), Flow::Fault;
      cpu.update_mode();
      return Flow::StopAt;
    }
  } else if (descriptor.type() == kTaskGate || descriptor.type() == kTss16 || descriptor.type() == kTss32) {
    return task_transfer(cpu, selector, descriptor, TaskSwitchCause::Call, return_rip);
  } else {
    return cpu.raise(Vector::GeneralProtection, selector_error(selector));
  }
  TransferGuard guard(cpu);
  if (!cpu.push_operand(wide, state.segment[kCs].selector.raw) || !cpu.push_operand(wide, return_rip))
    return guard.fail(), Flow::Fault;
  if (!enter_code_segment(cpu, selector, descriptor, state.mode.cpl, offset, 0)) return guard.fail(), Flow::Fault;
  cpu.update_mode();
  return Flow::StopAt;
}

Flow jump(Cpu& cpu, Selector selector, u64 wide_offset, const Insn& insn) {
  if (cpu.state().mode.long_mode) {
    log_transfer(cpu, "ljmp", selector, wide_offset);
    return jump_long(cpu, selector, wide_offset, insn);
  }
  const u32 offset = static_cast<u32>(wide_offset);
  if (!logs_transfers() && jump_directly(cpu, selector, offset, insn.operand32())) return Flow::StopAt;
  if (cpu.state().mode.real_or_v86()) return real_transfer(cpu, selector, offset, insn.operand32());
  return jump_protected(cpu, selector, offset, insn);
}

Flow call(Cpu& cpu, Selector selector, u64 wide_offset, const Insn& insn) {
  CpuState& state = cpu.state();
  if (state.mode.long_mode) {
    log_transfer(cpu, "lcall", selector, wide_offset);
    return call_long(cpu, selector, wide_offset, insn);
  }
  const u32 offset = static_cast<u32>(wide_offset);
  if (!logs_transfers() && call_directly(cpu, selector, offset, insn.operand32(), next_eip(state, insn)))
    return Flow::StopAt;
  if (!state.mode.real_or_v86()) return call_protected(cpu, selector, offset, insn);
  TransferGuard guard(cpu);
  if (!cpu.push_operand(insn.operand32(), state.segment[kCs].selector.raw) ||
      !cpu.push_operand(insn.operand32(), next_eip(state, insn)))
    return guard.fail(), Flow::Fault;
  const Flow flow = real_transfer(cpu, selector, offset, insn.operand32());
  if (flow == Flow::Fault) guard.fail();
  return flow;
}

// The code segment that RETF or IRET goes back to. False: fault.
bool check_return_code(Cpu& cpu, Selector cs, Descriptor& code) {
  if (cs.null()) {
    cpu.raise(Vector::GeneralProtection, 0);
    return false;
  }
  if (!fetch_descriptor(cpu, cs, code, Vector::GeneralProtection)) return false;
  if (!code.code_or_data() || !code.code() || cs.rpl() < cpu.state().mode.cpl ||
      (code.conforming() ? code.dpl() > cs.rpl() : code.dpl() != cs.rpl())) {
    cpu.raise(Vector::GeneralProtection, selector_error(cs));
    return false;
  }
  if (!code.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(cs));
    return false;
  }
  return true;
}

void set_stack_pointer(Cpu& cpu, u32 esp) {
  CpuState& state = cpu.state();
  state.set_gpr32(kEsp, state.mode.stack32 ? esp : (state.gpr32(kEsp) & 0xFFFF0000u) | (esp & 0xFFFF));
}

// Back to a less privileged ring: SS:ESP come from the stack.
bool return_outer(Cpu& cpu, bool wide, Selector cs, Descriptor& code, u32 rip, u32 release) {
  u32 esp = 0, raw = 0;
  if (!cpu.pop_operand(wide, esp) || !cpu.pop_operand(wide, raw)) return false;
  const Selector ss(static_cast<u16>(raw));
  Descriptor stack;
  if (!load_stack_descriptor(cpu, ss, cs.rpl(), Vector::GeneralProtection, 0, stack) || !set_accessed(cpu, ss, stack))
    return false;
  if (!enter_code_segment(cpu, cs, code, cs.rpl(), rip, 0)) return false;
  set_segment(cpu, kSs, ss, stack);
  cpu.update_mode();
  set_stack_pointer(cpu, esp + release);
  drop_privileged_segments(cpu);
  return true;
}

// Whether RETF or IRET to cs reads the outer stack's pointer before anything is checked.
bool reads_outer_frame(const Cpu& cpu, Selector cs) {
  return cs.rpl() != cpu.state().mode.cpl && cpu.vendor().reads_outer_frame_first;
}

// IRET reads its frame, and RETF and IRET an outer one, from the last slot to the first, which shows in CR2 (captures).
// skipped: bytes between ESP and the frame.
bool read_frame(Cpu& cpu, bool wide, u32 slots, u32 skipped = 0) {
  const u32 size = wide ? 4 : 2;
  while (slots-- > 0) {
    u32 value = 0;
    u16 half = 0;
    const u32 offset = (cpu.state().gpr32(kEsp) + skipped + slots * size) & cpu.stack_mask();
    if (!(wide ? cpu.read(kSs, offset, value) : cpu.read(kSs, offset, half))) return false;
  }
  return true;
}

// The return address of RETF, whose selector is read first (captures).
bool pop_return_address(Cpu& cpu, bool wide, u32& rip, Selector& cs) {
  const u32 size = wide ? 4 : 2;
  const u32 place = (cpu.state().gpr32(kEsp) + size) & cpu.stack_mask();
  const bool whole_slot = wide && !cpu.vendor().selectors_take_2_bytes;
  u32 slot = 0;
  u16 selector = 0;
  if (!(whole_slot ? cpu.read(kSs, place, slot) : cpu.read(kSs, place, selector))) return false;
  if (!cpu.pop_operand(wide, rip)) return false;
  cs = Selector(whole_slot ? static_cast<u16>(slot) : selector);
  set_stack_pointer(cpu, cpu.state().gpr32(kEsp) + size);
  return true;
}

Flow return_protected(Cpu& cpu, const Insn& insn, u32 release) {
  CpuState& state = cpu.state();
  const bool wide = insn.operand32();
  TransferGuard guard(cpu);
  u32 rip = 0;
  Selector cs;
  Descriptor code;
  if (!pop_return_address(cpu, wide, rip, cs)) return guard.fail(), Flow::Fault;
  log_transfer(cpu, "lret", cs, rip);
  if (reads_outer_frame(cpu, cs) && !read_frame(cpu, wide, 2, release)) return guard.fail(), Flow::Fault;
  if (!check_return_code(cpu, cs, code)) return guard.fail(), Flow::Fault;
  set_stack_pointer(cpu, state.gpr32(kEsp) + release);
  if (cs.rpl() == state.mode.cpl) {
    if (!enter_code_segment(cpu, cs, code, state.mode.cpl, rip, 0)) return guard.fail(), Flow::Fault;
  } else if (!return_outer(cpu, wide, cs, code, rip, release)) {
    return guard.fail(), Flow::Fault;
  }
  cpu.update_mode();
  return Flow::StopAt;
}

// EFLAGS that IRET may change at this privilege (SDM 2, IRET).
u32 writable_flags(const CpuState& state, bool wide) {
  u32 mask = kArithmeticFlags | kTF | kDF | kNT;
  if (wide) mask |= kRF | kAC | kID;
  if (state.mode.cpl <= (state.system_flags >> 12 & 3)) mask |= kIF;
  if (state.mode.cpl == 0) {
    mask |= kIOPL;
    if (wide) mask |= kVIF | kVIP;
  }
  return mask;
}

void return_flags(Cpu& cpu, u32 value, u32 mask) { cpu.set_eflags((cpu.eflags() & ~mask) | (value & mask)); }

bool iret_to_v86(Cpu& cpu, u32 rip, u32 cs, u32 flags) {
  CpuState& state = cpu.state();
  u32 esp = 0;
  std::array<u32, 5> selectors{};  // SS ES DS FS GS
  if (!cpu.pop32(esp)) return false;
  for (u32& selector : selectors) {
    if (!cpu.pop32(selector)) return false;
  }
  cpu.set_eflags(flags);
  static constexpr SegmentName kOrder[] = {kSs, kEs, kDs, kFs, kGs};
  for (unsigned i = 0; i < 5; i++) set_segment_real(cpu, kOrder[i], Selector(static_cast<u16>(selectors[i])));
  set_segment_real(cpu, kCs, Selector(static_cast<u16>(cs)));
  state.rip = rip & 0xFFFF;
  state.set_gpr32(kEsp, esp);
  cpu.update_mode();
  return true;
}

Flow iret_from_task(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  u16 link = 0;
  if (!cpu.read_system(LinAddr(static_cast<u32>(state.segment[kTr].base)), link)) return Flow::Fault;
  const Selector selector(link);
  if (selector.local() || selector.null()) return cpu.raise(Vector::InvalidTss, selector_error(selector));
  Descriptor tss;
  if (!fetch_descriptor(cpu, selector, tss, Vector::InvalidTss)) return Flow::Fault;
  if (tss.code_or_data() || (tss.type() != kTss16Busy && tss.type() != kTss32Busy))
    return cpu.raise(Vector::InvalidTss, selector_error(selector));
  if (!tss.present()) return cpu.raise(Vector::SegmentNotPresent, selector_error(selector));
  if (!switch_task(cpu, selector, tss, TaskSwitchCause::Iret, next_eip(state, insn), 0)) return Flow::Fault;
  return Flow::StopAt;
}

// IRET in virtual-8086 mode (SDM 3A 20.2.7, 20.3.3).
Flow iret_in_v86(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const bool wide = insn.operand32();
  const bool trusted = (state.system_flags & kIOPL) == kIOPL;
  if (!trusted && ((state.cr4 & kCr4Vme) == 0 || wide)) return cpu.raise(Vector::GeneralProtection, 0);
  TransferGuard guard(cpu);
  u32 rip = 0, cs = 0, flags = 0;
  if (!cpu.pop_operand(wide, rip) || !cpu.pop_operand(wide, cs) || !cpu.pop_operand(wide, flags))
    return guard.fail(), Flow::Fault;
  if (rip > 0xFFFF) {
    cpu.raise(Vector::GeneralProtection, 0);
    return guard.fail(), Flow::Fault;
  }
  u32 mask = kArithmeticFlags | kTF | kDF | kNT;
  if (trusted) {
    mask |= kIF | (wide ? kRF | kAC | kID : 0u);
  } else {
    if ((flags & kTF) != 0 || ((flags & kIF) != 0 && (state.system_flags & kVIP) != 0)) {
      cpu.raise(Vector::GeneralProtection, 0);
      return guard.fail(), Flow::Fault;
    }
    mask |= kVIF;
    flags = (flags & ~kVIF) | ((flags & kIF) != 0 ? kVIF : 0u);
  }
  set_segment_real(cpu, kCs, Selector(static_cast<u16>(cs)));
  state.rip = rip;
  return_flags(cpu, flags, mask);
  return Flow::StopAt;
}

Flow carry_out_iret(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const bool wide = insn.operand32();
  state.nmi_blocked = false;  // even if IRET faults (SDM 3A 6.7.1)
  if (state.mode.long_mode) return iret_long(cpu, insn);
  if (!logs_transfers() && iret_directly(cpu, wide)) return Flow::StopAt;
  if (state.mode.v86) return iret_in_v86(cpu, insn);
  if (state.mode.protected_mode && (state.system_flags & kNT) != 0) return iret_from_task(cpu, insn);
  if (!read_frame(cpu, wide, 3)) return Flow::Fault;
  TransferGuard guard(cpu);
  u32 rip = 0, raw = 0, flags = 0;
  if (!cpu.pop_operand(wide, rip) || !cpu.pop_operand(wide, raw) || !cpu.pop_operand(wide, flags))
    return guard.fail(), Flow::Fault;
  const Selector cs(static_cast<u16>(raw));
  if (!state.mode.protected_mode) {
    const Flow flow = real_transfer(cpu, cs, rip, wide);
    if (flow == Flow::Fault) return guard.fail(), Flow::Fault;
    return_flags(cpu, flags, kArithmeticFlags | kTF | kDF | kNT | kIF | kIOPL | (wide ? kRF | kAC | kID : 0u));
    return flow;
  }
  log_transfer(cpu, "iret", cs, rip);
  if (wide && (flags & kVM) != 0 && state.mode.cpl == 0) {
    if (!iret_to_v86(cpu, rip, raw, flags)) return guard.fail(), Flow::Fault;
    return Flow::StopAt;
  }
  Descriptor code;
  if (reads_outer_frame(cpu, cs) && !read_frame(cpu, wide, 2)) return guard.fail(), Flow::Fault;
  if (!check_return_code(cpu, cs, code)) return guard.fail(), Flow::Fault;
  const u32 mask = writable_flags(state, wide);  // by the privilege that IRET runs at
  if (cs.rpl() == state.mode.cpl) {
    if (!enter_code_segment(cpu, cs, code, state.mode.cpl, rip, 0)) return guard.fail(), Flow::Fault;
  } else if (!return_outer(cpu, wide, cs, code, rip, 0)) {
    return guard.fail(), Flow::Fault;
  }
  return_flags(cpu, flags, mask);
  cpu.update_mode();
  return Flow::StopAt;
}

}  // namespace

Flow jmp_far(Cpu& cpu, const Insn& insn) {
  return jump(cpu, Selector(insn.immediate2()), static_cast<u32>(insn.immediate), insn);
}
Flow call_far(Cpu& cpu, const Insn& insn) {
  return call(cpu, Selector(insn.immediate2()), static_cast<u32>(insn.immediate), insn);
}

Flow jmp_far_indirect(Cpu& cpu, const Insn& insn) {
  Selector selector;
  u64 offset = 0;
  return read_far_pointer(cpu, insn, selector, offset) ? jump(cpu, selector, offset, insn) : Flow::Fault;
}
Flow call_far_indirect(Cpu& cpu, const Insn& insn) {
  Selector selector;
  u64 offset = 0;
  return read_far_pointer(cpu, insn, selector, offset) ? call(cpu, selector, offset, insn) : Flow::Fault;
}

Flow ret_far(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u32 release = static_cast<u32>(insn.immediate & 0xFFFF);
  if (state.mode.long_mode) return return_long(cpu, insn, release);
  if (!logs_transfers() && return_directly(cpu, insn.operand32(), release)) return Flow::StopAt;
  if (!state.mode.real_or_v86()) return return_protected(cpu, insn, release);
  TransferGuard guard(cpu);
  u32 rip = 0;
  Selector cs;
  if (!pop_return_address(cpu, insn.operand32(), rip, cs)) return guard.fail(), Flow::Fault;
  const Flow flow = real_transfer(cpu, cs, rip, insn.operand32());
  if (flow == Flow::Fault) return guard.fail(), Flow::Fault;
  set_stack_pointer(cpu, state.gpr32(kEsp) + release);
  return flow;
}

Flow iret(Cpu& cpu, const Insn& insn) {
  const u64 frame =
      cpu.entry_watch() == nullptr ? 0 : cpu.linear_address(kSs, cpu.state().gpr[kEsp] & cpu.pointer_mask()).raw;
  const Flow flow = carry_out_iret(cpu, insn);
  if (flow != Flow::Fault && cpu.entry_watch() != nullptr) [[unlikely]]
    cpu.entry_watch()->returned(cpu, frame);
  return flow;
}

}  // namespace relic86
