// Exceptions and interrupts in long mode (SDM 3A 6.14; APM 2 8.9).
#include "cpu/access.h"
#include "cpu/debug_registers.h"
#include "cpu/long_mode.h"
#include "cpu/long_transfer.h"
#include "cpu/transfer.h"

namespace relic86 {

namespace {

constexpr u32 kGateSize = 16;

// The gate of a vector; false: #GP, #NP or a page fault.
bool fetch_gate(Cpu& cpu, const DeliveredEvent& event, WideDescriptor& gate) {
  const CpuState& state = cpu.state();
  const u32 error = event.vector * 8u + 2 + event.external();  // IDT bit
  const auto refuse = [&](Vector vector) {
    cpu.raise(vector, error);
    return false;
  };
  const u32 offset = event.vector * kGateSize;
  if (offset + kGateSize - 1 > state.idtr.limit) return refuse(Vector::GeneralProtection);
  const LinAddr at(state.idtr.base + offset);
  u64 first = 0, second = 0;
  if (!cpu.read_system(at, first) || !cpu.read_system(at + 8, second)) return false;
  gate.low = static_cast<u32>(first);
  gate.high = static_cast<u32>(first >> 32);
  gate.upper = static_cast<u32>(second);
  if (gate.code_or_data() || (gate.type() != kInterruptGate32 && gate.type() != kTrapGate32))
    return refuse(Vector::GeneralProtection);
  if (event.software && gate.dpl() < state.mode.cpl) return refuse(Vector::GeneralProtection);
  if (!gate.present()) return refuse(Vector::SegmentNotPresent);
  return true;
}

}  // namespace

bool read_long_tss_stack(Cpu& cpu, u32 offset, u32 external, u64& pointer) {
  const Segment& tss = cpu.state().segment[kTr];
  if (tss.selector.null() || offset + 7 > tss.limit) {
    cpu.raise(Vector::InvalidTss, selector_error(tss.selector, external));
    return false;
  }
  return cpu.read_system(LinAddr(tss.base + offset), pointer);
}

bool push_long_frame(Cpu& cpu, u64& pointer, std::span<const u64> values, unsigned privilege, u32 external) {
  const Privilege rights = privilege == 3 ? Privilege::User : Privilege::Supervisor;
  u64 top = pointer;
  for (const u64 value : values) {
    top -= sizeof value;
    if (!cpu.state().linear.canonical(top, sizeof value)) {
      cpu.raise(Vector::StackFault, external);
      return false;
    }
    if (!cpu.mmu().write(LinAddr(top), value, rights)) {
      cpu.raise_page_fault(cpu.mmu().fault());
      return false;
    }
    if (watches_data(cpu.state())) check_data_breakpoints(cpu, LinAddr(top), sizeof value, true);
  }
  pointer = top;
  return true;
}

bool deliver_long(Cpu& cpu, const DeliveredEvent& event) {
  CpuState& state = cpu.state();
  const u32 external = event.external();
  WideDescriptor gate;
  Descriptor code;
  if (!fetch_gate(cpu, event, gate)) return false;
  const Selector selector = gate.gate_selector();
  if (!fetch_gate_code(cpu, selector, external, code)) return false;
  const unsigned cpl = state.mode.cpl;
  const unsigned privilege = code.conforming() ? cpl : code.dpl();
  const unsigned interrupt_stack = gate.high & 7;
  u64 pointer = state.gpr[kEsp];
  if (interrupt_stack != 0) {
    if (!read_long_tss_stack(cpu, tss_interrupt_stack_offset(interrupt_stack), external, pointer)) return false;
  } else if (privilege < cpl) {
    if (!read_long_tss_stack(cpu, tss_stack_offset(privilege), external, pointer)) return false;
  }
  if (!cpu.state().linear.canonical(gate.wide_offset())) {
    cpu.raise(Vector::GeneralProtection, external);
    return false;
  }
  constexpr u64 kAlignment = 16;
  pointer &= ~(kAlignment - 1);
  const u64 frame[] = {state.segment[kSs].selector.raw, state.gpr[kEsp],  cpu.eflags() | (event.resume ? kRF : 0u),
                       state.segment[kCs].selector.raw, event.return_rip, event.error_code};
  if (!push_long_frame(cpu, pointer, std::span(frame, event.has_error ? 6 : 5), privilege, external)) return false;
  if (!enter_long_code(cpu, selector, code, privilege, gate.wide_offset(), external)) return false;
  if (privilege < cpl) set_stack_null(cpu, Selector(static_cast<u16>(privilege)), privilege);
  cpu.update_mode();
  state.gpr[kEsp] = pointer;
  const u32 cleared = kTF | kNT | kRF | kVM | (gate.type() == kInterruptGate32 ? u32{kIF} : 0u);
  cpu.set_eflags(cpu.eflags() & ~cleared);
  return true;
}

}  // namespace relic86
