// JMP, CALL and RET far (SDM 3A 5.8).
#include "cpu/direct_access.h"
#include "cpu/direct_transfers.h"
#include "cpu/effective_address.h"
#include "cpu/transfer.h"

namespace relic86 {

namespace {

bool enter_real(Cpu& cpu, Selector selector, u32 offset) {
  set_segment_real(cpu, kCs, selector);
  cpu.state().rip = offset;
  update_ring(cpu.state());
  return true;
}

bool enter(Cpu& cpu, Selector selector, const Descriptor& code, unsigned privilege, u32 offset) {
  CpuState& state = cpu.state();
  const Selector loaded(static_cast<u16>((selector.raw & 0xFFFC) | privilege));
  DirectAccess(cpu).load(kCs, loaded, code);
  state.rip = offset;
  update_ring(state);
  return true;
}

// A code segment that may be entered without a gate at this privilege.
bool same_privilege(const Descriptor& code, Selector selector, unsigned cpl) {
  return code.conforming() ? code.dpl() <= cpl : selector.rpl() <= cpl && code.dpl() == cpl;
}

// CALL through a gate to an inner ring, its parameters copied.
bool call_inner(Cpu& cpu, const DirectAccess& access, const Descriptor& gate, const Descriptor& code, bool wide,
                u32 return_rip) {
  CpuState& state = cpu.state();
  constexpr unsigned kMostParameters = 31;
  const unsigned parameters = gate.high & kMostParameters, privilege = code.dpl();
  Descriptor stack;
  Selector stack_selector;
  u32 esp = 0;
  if (!access.inner_stack(privilege, stack_selector, stack, esp)) return false;
  const u32 old_esp = state.gpr32(kEsp);
  if (!stack.big()) esp = (old_esp & 0xFFFF0000u) | (esp & 0xFFFF);
  std::array<u32, kMostParameters + 4> values;
  unsigned count = 0;
  values[count++] = return_rip;
  values[count++] = state.segment[kCs].selector.raw;
  if (parameters != 0) {
    const u8* const from = access.top_of_stack(parameters * (wide ? 4 : 2));
    if (from == nullptr) return false;
    for (unsigned i = 0; i < parameters; ++i) values[count++] = DirectAccess::slot(from, wide, i);
  }
  values[count++] = old_esp;
  values[count++] = state.segment[kSs].selector.raw;
  const u32 bytes = count * (wide ? 4 : 2);
  u8* const frame = access.below(stack, esp, bytes);
  if (frame == nullptr) return false;
  DirectAccess::set_slots(frame, wide, values.data(), count);
  access.load(kSs, stack_selector, stack);
  state.set_gpr32(kEsp, DirectAccess::moved(stack, esp, -static_cast<i32>(bytes)));
  return enter(cpu, gate.gate_selector(), code, privilege, gate.gate_offset(wide));
}

}  // namespace

bool jump_directly(Cpu& cpu, Selector selector, u32 offset, bool wide) {
  CpuState& state = cpu.state();
  if ((state.system_flags & kAC) != 0) return false;
  const DirectAccess access(cpu);
  if (state.mode.real_or_v86()) {
    if (!wide) offset &= 0xFFFF;
    return offset <= state.segment[kCs].limit && enter_real(cpu, selector, offset);
  }
  Descriptor code;
  return access.code(selector, offset, code) && same_privilege(code, selector, state.mode.cpl) &&
         enter(cpu, selector, code, state.mode.cpl, offset);
}

bool call_directly(Cpu& cpu, Selector selector, u32 offset, bool wide, u32 return_rip) {
  CpuState& state = cpu.state();
  if ((state.system_flags & kAC) != 0) return false;
  const DirectAccess access(cpu);
  const bool real = state.mode.real_or_v86();
  const unsigned cpl = state.mode.cpl;
  Descriptor code;
  if (real) {
    if (!wide) offset &= 0xFFFF;
    if (offset > state.segment[kCs].limit) return false;
  } else {
    if (!access.descriptor(selector, code)) return false;
    if (code.code_or_data()) {
      if (!DirectAccess::enterable(code, offset) || !same_privilege(code, selector, cpl)) return false;
    } else {
      const Descriptor gate = code;
      if (gate.type() != kCallGate16 && gate.type() != kCallGate32) return false;
      if (gate.dpl() < cpl || gate.dpl() < selector.rpl() || !gate.present()) return false;
      wide = gate.type() == kCallGate32;
      selector = gate.gate_selector();
      offset = gate.gate_offset(wide);
      if (!access.code(selector, offset, code) || code.dpl() > cpl) return false;
      if (!code.conforming() && code.dpl() < cpl) return call_inner(cpu, access, gate, code, wide, return_rip);
    }
  }
  const Segment& stack = state.segment[kSs];
  const u32 bytes = wide ? 8 : 4;
  u8* const frame = access.below(stack, state.gpr32(kEsp), bytes, cpu.privilege());
  if (frame == nullptr) return false;
  const u32 values[] = {return_rip, state.segment[kCs].selector.raw};
  DirectAccess::set_slots(frame, wide, values, 2);
  state.set_gpr32(kEsp, DirectAccess::moved(stack, state.gpr32(kEsp), -static_cast<i32>(bytes)));
  return real ? enter_real(cpu, selector, offset) : enter(cpu, selector, code, cpl, offset);
}

bool return_directly(Cpu& cpu, bool wide, u32 release) {
  CpuState& state = cpu.state();
  if ((state.system_flags & kAC) != 0) return false;
  const DirectAccess access(cpu);
  const u32 size = wide ? 4 : 2;
  const u8* const frame = access.top_of_stack(2 * size);
  if (frame == nullptr) return false;
  const u32 offset = DirectAccess::slot(frame, wide, 0);
  const Selector selector(static_cast<u16>(DirectAccess::slot(frame, wide, 1)));
  const unsigned cpl = state.mode.cpl, rpl = selector.rpl();
  const bool real = state.mode.real_or_v86();
  const u32 inner_esp =
      DirectAccess::moved(state.segment[kSs], state.gpr32(kEsp), static_cast<i32>(2 * size + release));
  if (real) {
    if (offset > state.segment[kCs].limit) return false;
    state.set_gpr32(kEsp, inner_esp);
    return enter_real(cpu, selector, offset);
  }
  Descriptor code;
  if (rpl < cpl || !access.code(selector, offset, code)) return false;
  if (code.conforming() ? code.dpl() > rpl : code.dpl() != rpl) return false;
  if (rpl == cpl) {
    state.set_gpr32(kEsp, inner_esp);
    return enter(cpu, selector, code, cpl, offset);
  }
  const u8* const outer = access.top_of_stack(4 * size + release);
  if (outer == nullptr) return false;
  Descriptor stack;
  const Selector stack_selector(static_cast<u16>(DirectAccess::slot(outer + release, wide, 3)));
  if (!access.stack(stack_selector, rpl, stack)) return false;
  const u32 esp = DirectAccess::slot(outer + release, wide, 2) + release;
  const u32 popped = DirectAccess::moved(state.segment[kSs], inner_esp, static_cast<i32>(2 * size)) & 0xFFFF0000u;
  access.load(kSs, stack_selector, stack);
  state.set_gpr32(kEsp, stack.big() ? esp : popped | (esp & 0xFFFF));
  (void)enter(cpu, selector, code, rpl, offset);
  drop_privileged_segments(cpu);
  return true;
}

bool far_pointer_directly(Cpu& cpu, const Insn& insn, Selector& selector, u32& offset) {
  CpuState& state = cpu.state();
  if ((state.system_flags & kAC) != 0) return false;
  const bool wide = insn.operand32();
  const u32 size = wide ? 6 : 4, at = effective_address(state, insn);
  if (at > insn.address_mask - (size - 1)) return false;  // it wraps
  const u8* const from = DirectAccess(cpu).operand(state.segment[operand_segment(insn)], at, size);
  if (from == nullptr) return false;
  offset = DirectAccess::slot(from, wide, 0);
  selector = Selector(static_cast<u16>(DirectAccess::slot(from + size - 2, false, 0)));
  return true;
}

}  // namespace relic86
