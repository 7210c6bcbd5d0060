// Later system instructions that 32-bit guests see on newer models: STAC, CLAC, MONITOR, MWAIT, RDTSCP, POPCNT (SDM 2).
#include <bit>

#include "cpu/access.h"
#include "cpu/cpuid.h"
#include "cpu/effective_address.h"
#include "cpu/system_instructions.h"

namespace relic86 {

namespace {

constexpr u64 kCr4Tsd = 1u << 2;

Flow set_alignment_flag(Cpu& cpu, bool on) {
  CpuState& state = cpu.state();
  if (state.mode.cpl != 0) return cpu.raise(Vector::InvalidOpcode);
  state.system_flags = on ? state.system_flags | kAC : state.system_flags & ~u32{kAC};
  cpu.update_access_checks();
  return Flow::Stop;
}

}  // namespace

bool user_may_store(Cpu& cpu) {
  constexpr u64 kCr4Umip = 1u << 11;
  if ((cpu.state().cr4 & kCr4Umip) == 0 || cpu.state().mode.cpl == 0) return true;
  cpu.raise(Vector::GeneralProtection, 0);
  return false;
}

Flow stac(Cpu& cpu, const Insn&) { return set_alignment_flag(cpu, true); }
Flow clac(Cpu& cpu, const Insn&) { return set_alignment_flag(cpu, false); }

// The address is checked as a byte load. What is remembered is only that a range is watched.
Flow monitor(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if (state.mode.cpl != 0) return cpu.raise(Vector::InvalidOpcode);
  if (state.gpr32(kEcx) != 0) return cpu.raise(Vector::GeneralProtection, 0);
  u8 byte = 0;
  if (!cpu.read(operand_segment(insn), masked_offset(insn, state.gpr[kEax]), byte)) return Flow::Fault;
  state.monitor_armed = true;
  return Flow::Next;
}

// Waits as HLT does. With interrupts off only a store of a bus master could end the wait: the instruction is over at
// once then, as it may be (SDM 2, MWAIT: implementation-dependent events).
Flow mwait(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  if (state.mode.cpl != 0) return cpu.raise(Vector::InvalidOpcode);
  // Bit 0: masked interrupts end it, too (CPUID 5 ECX). Here such an MWAIT ends at once, which it may.
  const u64 known = cpu.model().has_long_mode() ? 1 : 0;
  if ((state.gpr[kEcx] & ~known) != 0) return cpu.raise(Vector::GeneralProtection, 0);
  if (state.monitor_armed && (state.system_flags & kIF) != 0) state.halted = true;
  state.monitor_armed = false;
  return Flow::Stop;
}

Flow rdtscp(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if ((state.cr4 & kCr4Tsd) != 0 && state.mode.cpl != 0) return cpu.raise(Vector::GeneralProtection, 0);
  const Flow flow = rdtsc(cpu, insn);
  state.set_gpr32(kEcx, static_cast<u32>(state.tsc_aux));
  return flow;
}

Flow popcnt(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  u64 value = state.gpr[insn.rm];
  if (insn.memory()) {
    const u64 at = effective_address(state, insn);
    u32 half = 0;
    u16 word = 0;
    const bool good = insn.operand64()   ? cpu.read(operand_segment(insn), at, value)
                      : insn.operand32() ? cpu.read(operand_segment(insn), at, half)
                                         : cpu.read(operand_segment(insn), at, word);
    if (!good) return Flow::Fault;
    if (!insn.operand64()) value = insn.operand32() ? half : word;
  }
  if (!insn.operand64()) value &= insn.operand32() ? 0xFFFFFFFFu : 0xFFFFu;
  const u64 count = static_cast<u64>(std::popcount(value));
  state.gpr[insn.reg] = insn.operand32() ? count : (state.gpr[insn.reg] & ~u64{0xFFFF}) | count;
  state.flags.set_eflags(value == 0 ? u32{kZF} : 0u);
  return Flow::Next;
}

}  // namespace relic86
