// JMP, CALL and RET far, IRET in long mode (SDM 3A 5.8; SDM 2; APM 2 4.11, 8.9.3).
#include "cpu/long_transfer.h"

#include "cpu/access.h"
#include "cpu/effective_address.h"
#include "cpu/long_mode.h"
#include "cpu/sized_access.h"
#include "cpu/transfer.h"

namespace relic86 {

namespace {

Flow refuse(Cpu& cpu, Selector selector) { return cpu.raise(Vector::GeneralProtection, selector_error(selector)); }

// The stack of the code that runs, from a pointer that is loaded into RSP when all has gone well.
class Stack {
 public:
  Stack(Cpu& cpu, unsigned slot_bytes)
      : cpu_(cpu), slot_(slot_bytes), mask_(cpu.pointer_mask()), pointer_(cpu.state().gpr[kEsp] & mask_) {}

  bool push(u64 value) {
    const u64 top = (pointer_ - slot_) & mask_;
    if (!write_sized(cpu_, kSs, top, slot_, value)) return false;
    pointer_ = top;
    return true;
  }
  bool pop(u64& value) {
    if (!peek(0, value)) return false;
    release(slot_);
    return true;
  }
  bool peek(unsigned slot, u64& value) {
    return read_sized(cpu_, kSs, (pointer_ + slot * slot_) & mask_, slot_, value);
  }
  void release(u32 bytes) { pointer_ = (pointer_ + bytes) & mask_; }
  // RSP after it all; what a 16-bit stack pointer does not reach stays.
  void keep() {
    u64& rsp = cpu_.state().gpr[kEsp];
    rsp = (rsp & ~mask_) | pointer_;
  }

 private:
  Cpu& cpu_;
  unsigned slot_;
  u64 mask_;
  u64 pointer_;
};

// L and D together mean nothing yet (SDM 3A 3.4.5).
bool valid_size(const Descriptor& code) { return !(code.long_code() && code.big()); }

// Whether a transfer without a gate may go there. False: fault.
bool check_direct_code(Cpu& cpu, Selector selector, const Descriptor& code) {
  const unsigned cpl = cpu.state().mode.cpl;
  const bool privilege_ok = code.conforming() ? code.dpl() <= cpl : selector.rpl() <= cpl && code.dpl() == cpl;
  if (!code.code() || !privilege_ok || !valid_size(code)) return refuse(cpu, selector), false;
  if (!code.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(selector));
    return false;
  }
  return true;
}

// What a call gate leads to: gate holds the gate, code becomes the 64-bit code segment. False: fault.
bool open_gate(Cpu& cpu, Selector gate_selector, const WideDescriptor& gate, Descriptor& code) {
  const CpuState& state = cpu.state();
  if (gate.dpl() < state.mode.cpl || gate.dpl() < gate_selector.rpl() || !gate.continues())
    return refuse(cpu, gate_selector), false;
  if (!gate.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(gate_selector));
    return false;
  }
  return fetch_gate_code(cpu, gate.gate_selector(), 0, code);
}

// Reads what JMP or CALL names: code, or a call gate, the only system descriptor that is left. False: fault.
bool fetch_target(Cpu& cpu, Selector selector, WideDescriptor& target) {
  if (selector.null()) {
    cpu.raise(Vector::GeneralProtection, 0);
    return false;
  }
  if (!fetch_descriptor(cpu, selector, target, Vector::GeneralProtection)) return false;
  if (target.code_or_data()) return true;
  if (target.type() != kCallGate32) return refuse(cpu, selector), false;
  return fetch_wide_descriptor(cpu, selector, target, Vector::GeneralProtection);
}

// CALL through a gate to a more privileged ring: the TSS names its stack, SS becomes null.
bool call_inner(Cpu& cpu, const WideDescriptor& gate, Descriptor& code, u64 return_rip) {
  CpuState& state = cpu.state();
  const unsigned privilege = code.dpl();
  u64 pointer = 0;
  if (!read_long_tss_stack(cpu, tss_stack_offset(privilege), 0, pointer)) return false;
  if (!cpu.state().linear.canonical(gate.wide_offset())) return cpu.raise(Vector::GeneralProtection, 0), false;
  const u64 frame[] = {state.segment[kSs].selector.raw, state.gpr[kEsp], state.segment[kCs].selector.raw, return_rip};
  if (!push_long_frame(cpu, pointer, frame, privilege, 0)) return false;
  if (!enter_long_code(cpu, gate.gate_selector(), code, privilege, gate.wide_offset(), 0)) return false;
  set_stack_null(cpu, Selector(static_cast<u16>(privilege)), privilege);
  cpu.update_mode();
  state.gpr[kEsp] = pointer;
  return true;
}

// The code segment that RETF or IRET goes back to. False: fault.
bool check_return_code(Cpu& cpu, Selector cs, Descriptor& code) {
  if (cs.null()) {
    cpu.raise(Vector::GeneralProtection, 0);
    return false;
  }
  if (!fetch_descriptor(cpu, cs, code, Vector::GeneralProtection)) return false;
  if (!code.code_or_data() || !code.code() || cs.rpl() < cpu.state().mode.cpl || !valid_size(code) ||
      (code.conforming() ? code.dpl() > cs.rpl() : code.dpl() != cs.rpl()))
    return refuse(cpu, cs), false;
  if (!code.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(cs));
    return false;
  }
  return true;
}

// CS:RIP and SS:RSP as RETF to an outer ring and IRET load them. 64-bit code of rings 0 to 2 may have a null SS.
bool return_with_stack(Cpu& cpu, Selector cs, Descriptor& code, u64 rip, Selector ss, u64 rsp) {
  CpuState& state = cpu.state();
  const unsigned cpl = state.mode.cpl, privilege = cs.rpl();
  const bool null_stack = ss.null();
  Descriptor stack;
  if (null_stack) {
    if (!code.long_code() || privilege == 3 || ss.rpl() != privilege) {
      cpu.raise(Vector::GeneralProtection, 0);
      return false;
    }
  } else if (!load_stack_descriptor(cpu, ss, privilege, Vector::GeneralProtection, 0, stack) ||
             !set_accessed(cpu, ss, stack)) {
    return false;
  }
  if (!enter_long_code(cpu, cs, code, privilege, rip, 0)) return false;
  if (null_stack) {
    set_stack_null(cpu, ss, privilege);
  } else {
    set_segment(cpu, kSs, ss, stack);
  }
  cpu.update_mode();
  const u64 mask = cpu.pointer_mask();
  state.gpr[kEsp] = mask == 0xFFFF ? (state.gpr32(kEsp) & ~mask) | (rsp & mask) : rsp & mask;
  if (privilege > cpl) drop_privileged_segments(cpu);
  return true;
}

}  // namespace

bool fetch_gate_code(Cpu& cpu, Selector selector, u32 external, Descriptor& code) {
  if (selector.null()) {
    cpu.raise(Vector::GeneralProtection, external);
    return false;
  }
  if (!fetch_descriptor(cpu, selector, code, Vector::GeneralProtection, external)) return false;
  const bool fits = code.code_or_data() && code.code() && code.dpl() <= cpu.state().mode.cpl;
  if (!fits || !code.long_code() || code.big()) {
    cpu.raise(Vector::GeneralProtection, selector_error(selector, external));
    return false;
  }
  if (!code.present()) {
    cpu.raise(Vector::SegmentNotPresent, selector_error(selector, external));
    return false;
  }
  return true;
}

bool enter_long_code(Cpu& cpu, Selector selector, Descriptor& code, unsigned privilege, u64 offset, u32 external) {
  if (code.long_code() ? !cpu.state().linear.canonical(offset) : offset > code.limit()) {
    cpu.raise(Vector::GeneralProtection, external);
    return false;
  }
  if (!set_accessed(cpu, selector, code)) return false;
  set_segment(cpu, kCs, Selector(static_cast<u16>((selector.raw & 0xFFFC) | privilege)), code);
  cpu.state().rip = offset;
  return true;
}

Flow jump_long(Cpu& cpu, Selector selector, u64 offset, const Insn&) {
  CpuState& state = cpu.state();
  WideDescriptor target;
  if (!fetch_target(cpu, selector, target)) return Flow::Fault;
  Descriptor code = target;
  if (target.code_or_data()) {
    if (!check_direct_code(cpu, selector, code)) return Flow::Fault;
  } else {
    if (!open_gate(cpu, selector, target, code)) return Flow::Fault;
    selector = target.gate_selector();
    if (!code.conforming() && code.dpl() != state.mode.cpl) return refuse(cpu, selector);
    offset = target.wide_offset();
  }
  if (!enter_long_code(cpu, selector, code, state.mode.cpl, offset, 0)) return Flow::Fault;
  cpu.update_mode();
  return Flow::StopAt;
}

Flow call_long(Cpu& cpu, Selector selector, u64 offset, const Insn& insn) {
  CpuState& state = cpu.state();
  const u64 return_rip = next_rip(state, insn);
  WideDescriptor target;
  if (!fetch_target(cpu, selector, target)) return Flow::Fault;
  Descriptor code = target;
  unsigned slot = operand_bytes(insn);
  if (target.code_or_data()) {
    if (!check_direct_code(cpu, selector, code)) return Flow::Fault;
  } else {
    if (!open_gate(cpu, selector, target, code)) return Flow::Fault;
    if (!code.conforming() && code.dpl() < state.mode.cpl)
      return call_inner(cpu, target, code, return_rip) ? Flow::StopAt : Flow::Fault;
    selector = target.gate_selector();
    offset = target.wide_offset();
    slot = 8;
  }
  Stack stack(cpu, slot);
  if (!stack.push(state.segment[kCs].selector.raw) || !stack.push(return_rip)) return Flow::Fault;
  if (!enter_long_code(cpu, selector, code, state.mode.cpl, offset, 0)) return Flow::Fault;
  stack.keep();
  cpu.update_mode();
  return Flow::StopAt;
}

Flow return_long(Cpu& cpu, const Insn& insn, u32 release) {
  CpuState& state = cpu.state();
  Stack stack(cpu, operand_bytes(insn));
  u64 rip = 0, raw = 0, rsp = 0, raw_ss = 0;
  if (!stack.pop(rip) || !stack.pop(raw)) return Flow::Fault;
  const Selector cs(static_cast<u16>(raw));
  Descriptor code;
  if (!check_return_code(cpu, cs, code)) return Flow::Fault;
  stack.release(release);
  if (cs.rpl() == state.mode.cpl) {
    if (!enter_long_code(cpu, cs, code, state.mode.cpl, rip, 0)) return Flow::Fault;
    stack.keep();
    cpu.update_mode();
    return Flow::StopAt;
  }
  if (!stack.pop(rsp) || !stack.pop(raw_ss)) return Flow::Fault;
  const Selector ss(static_cast<u16>(raw_ss));
  return return_with_stack(cpu, cs, code, rip, ss, rsp + release) ? Flow::StopAt : Flow::Fault;
}

Flow iret_long(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if ((state.system_flags & kNT) != 0) return cpu.raise(Vector::GeneralProtection, 0);
  Stack stack(cpu, operand_bytes(insn));
  u64 rip = 0, raw = 0, flags = 0, rsp = 0, raw_ss = 0;
  if (!stack.pop(rip) || !stack.pop(raw) || !stack.pop(flags)) return Flow::Fault;
  const Selector cs(static_cast<u16>(raw));
  // 64-bit code takes SS:RSP from the frame whatever ring it returns to.
  const bool whole = state.mode.code64 || cs.rpl() != state.mode.cpl;
  Descriptor code;
  if (state.mode.code64 && (!stack.pop(rsp) || !stack.pop(raw_ss))) return Flow::Fault;
  if (!check_return_code(cpu, cs, code)) return Flow::Fault;
  if (whole && !state.mode.code64 && (!stack.pop(rsp) || !stack.pop(raw_ss))) return Flow::Fault;
  u32 mask = kArithmeticFlags | kTF | kDF | kNT;
  if (insn.operand32()) mask |= kRF | kAC | kID;
  if (state.mode.cpl <= (state.system_flags >> 12 & 3)) mask |= kIF;
  if (state.mode.cpl == 0) mask |= kIOPL | (insn.operand32() ? kVIF | kVIP : 0u);
  if (whole) {
    if (!return_with_stack(cpu, cs, code, rip, Selector(static_cast<u16>(raw_ss)), rsp)) return Flow::Fault;
  } else {
    if (!enter_long_code(cpu, cs, code, state.mode.cpl, rip, 0)) return Flow::Fault;
    stack.keep();
    cpu.update_mode();
  }
  cpu.set_eflags((cpu.eflags() & ~mask) | (static_cast<u32>(flags) & mask));
  return Flow::StopAt;
}

}  // namespace relic86
