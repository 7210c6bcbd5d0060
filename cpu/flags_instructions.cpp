// PUSHF, POPF, CLI, STI with IOPL, VME and PVI rules (SDM 2; SDM 3A 20.3, 20.4).
#include "cpu/access.h"
#include "cpu/control_bits.h"
#include "cpu/system_instructions.h"

namespace relic86 {

namespace {

unsigned iopl(const CpuState& state) { return state.system_flags >> 12 & 3; }

// IF may not be touched, but VIF stands in for it: VME in virtual-8086 mode, PVI at CPL 3.
bool virtual_interrupts(const CpuState& state) {
  if (state.mode.v86) return (state.cr4 & kCr4Vme) != 0;
  return state.mode.cpl == 3 && (state.cr4 & kCr4Pvi) != 0;
}

}  // namespace

Flow pushf(Cpu& cpu, const Insn& insn) {
  const CpuState& state = cpu.state();
  u32 flags = cpu.eflags() & ~(kVM | kRF);
  if (state.mode.v86 && iopl(state) < 3) {
    if ((state.cr4 & kCr4Vme) == 0 || insn.operand32()) return cpu.raise(Vector::GeneralProtection, 0);
    flags = (flags & ~kIF) | kIOPL | ((flags & kVIF) != 0 ? kIF : 0u);
  }
  return cpu.push_operand(insn, flags) ? Flow::Next : Flow::Fault;
}

Flow popf(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const bool wide = insn.operand32();
  u32 mask = kArithmeticFlags | kTF | kDF | kNT | (wide ? kAC | kID : 0u);
  const bool virtualised = state.mode.v86 && iopl(state) < 3;
  if (virtualised && ((state.cr4 & kCr4Vme) == 0 || wide)) return cpu.raise(Vector::GeneralProtection, 0);
  const u64 old_esp = state.gpr[kEsp];
  u64 image = 0;
  if (!cpu.pop_operand(insn, image)) return Flow::Fault;
  u32 value = static_cast<u32>(image);
  if (virtualised) {
    if ((value & kTF) != 0 || ((value & kIF) != 0 && (state.system_flags & kVIP) != 0)) {
      state.gpr[kEsp] = old_esp;
      return cpu.raise(Vector::GeneralProtection, 0);
    }
    mask |= kVIF;
    value = (value & ~kVIF) | ((value & kIF) != 0 ? kVIF : 0u);
  } else {
    if (state.mode.cpl <= iopl(state)) mask |= kIF;
    if (state.mode.cpl == 0) mask |= kIOPL;
  }
  if (wide) value &= ~kRF, mask |= kRF;
  cpu.set_eflags((cpu.eflags() & ~mask) | (value & mask));
  return Flow::Stop;
}

Flow cli(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  if (!state.mode.protected_mode || state.mode.cpl <= iopl(state)) {
    state.system_flags &= ~u32{kIF};
  } else if (virtual_interrupts(state)) {
    state.system_flags &= ~u32{kVIF};
  } else {
    return cpu.raise(Vector::GeneralProtection, 0);
  }
  return Flow::Next;
}

Flow sti(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  if (!state.mode.protected_mode || state.mode.cpl <= iopl(state)) {
    if ((state.system_flags & kIF) == 0) {
      state.system_flags |= kIF;
      state.shadow |= kShadowSti;
    }
  } else if (virtual_interrupts(state) && (state.system_flags & kVIP) == 0) {
    state.system_flags |= kVIF;
    return Flow::Next;
  } else {
    return cpu.raise(Vector::GeneralProtection, 0);
  }
  return Flow::Stop;
}

}  // namespace relic86
