// Later system instructions that 32-bit guests see on newer models: STAC, CLAC, MONITOR, MWAIT, RDTSCP, and
// instructions without a semantics text that came after SSE3: MOVBE, ADX, RDRAND, FSGSBASE, CRC32 (SDM 2).
#include <array>
#include <bit>

#include "cpu/access.h"
#include "cpu/canonical.h"
#include "cpu/control_bits.h"
#include "cpu/cpuid.h"
#include "cpu/effective_address.h"
#include "cpu/segmentation.h"
#include "cpu/sized_access.h"
#include "cpu/system_instructions.h"

namespace relic86 {

namespace {

Flow set_alignment_flag(Cpu& cpu, bool on) {
  CpuState& state = cpu.state();
  if (state.mode.cpl != 0) return cpu.raise(Vector::InvalidOpcode);
  state.system_flags = on ? state.system_flags | kAC : state.system_flags & ~u32{kAC};
  cpu.mmu().set_smap_override(on);  // in ring 0 the flag checks no alignment
  return Flow::Stop;
}

}  // namespace

bool user_may_store(Cpu& cpu) {
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

// Spins until another processor has done something: it gets the turn.
Flow pause(Cpu& cpu, const Insn&) {
  cpu.yield();
  return Flow::Stop;
}

// Waits as HLT does. With interrupts off only a store of a bus master could end the wait: the instruction is over at
// once then, as it may be (SDM 2, MWAIT: implementation-dependent events).
Flow mwait(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  if (state.mode.cpl != 0) return cpu.raise(Vector::InvalidOpcode);
  // Bit 0: masked interrupts end it, too (CPUID 5 ECX). Here such an MWAIT ends at once, which it may.
  const u64 known = cpu.model().has_long_mode() ? 1 : 0;
  if ((state.gpr[kEcx] & ~known) != 0) return cpu.raise(Vector::GeneralProtection, 0);
  // Another processor's store ends the wait, and stores are not looked at: among several it is a PAUSE.
  if (cpu.model().topology.count > 1) {
    cpu.yield();
  } else if (state.monitor_armed && (state.system_flags & kIF) != 0) {
    state.halted = true;
  }
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

namespace {
u64 reversed(u64 value, unsigned bytes) { return __builtin_bswap64(value) >> (64 - bytes * 8); }
}  // namespace

Flow movbe_load(Cpu& cpu, const Insn& insn) {
  const unsigned bytes = operand_bytes(insn);
  u64 value = 0;
  if (!read_rm(cpu, insn, bytes, value)) return Flow::Fault;
  write_sized_register(cpu.state(), insn.reg, bytes, reversed(value, bytes));
  return Flow::Next;
}
Flow movbe_store(Cpu& cpu, const Insn& insn) {
  const CpuState& state = cpu.state();
  const unsigned bytes = operand_bytes(insn);
  const u64 value = reversed(state.gpr[insn.reg], bytes);
  return write_sized(cpu, operand_segment(insn), effective_address(state, insn), bytes, value) ? Flow::Next
                                                                                               : Flow::Fault;
}

namespace {

// ADCX and ADOX: an addition whose carry comes from one flag and goes to it; the others stay.
Flow add_through(Cpu& cpu, const Insn& insn, u32 flag) {
  CpuState& state = cpu.state();
  const unsigned bytes = insn.operand64() ? 8 : 4;
  u64 source = 0;
  if (!read_rm(cpu, insn, bytes, source)) return Flow::Fault;
  const u32 flags = state.flags.eflags();
  const u64 mask = ~u64{0} >> (64 - bytes * 8), first = state.gpr[insn.reg] & mask;
  const u64 partial = (first + source) & mask, sum = (partial + ((flags & flag) != 0 ? 1u : 0u)) & mask;
  const bool carry = partial < first || sum < partial;
  write_sized_register(state, insn.reg, bytes, sum);
  state.flags.set_eflags(carry ? flags | flag : flags & ~flag);
  return Flow::Next;
}

}  // namespace

Flow adcx(Cpu& cpu, const Insn& insn) { return add_through(cpu, insn, kCF); }
Flow adox(Cpu& cpu, const Insn& insn) { return add_through(cpu, insn, kOF); }

// RDRAND and RDSEED always have a number.
Flow rdrand(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  write_sized_register(state, insn.rm, operand_bytes(insn), cpu.random());
  state.flags.set_eflags(kCF);
  return Flow::Next;
}

namespace {

// RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE by ModRM.reg.
Segment& named_segment(CpuState& state, const Insn& insn) { return state.segment[(insn.reg & 1) != 0 ? kGs : kFs]; }

}  // namespace

Flow read_segment_base(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if ((state.cr4 & kCr4Fsgsbase) == 0) return cpu.raise(Vector::InvalidOpcode);
  write_sized_register(state, insn.rm, insn.operand64() ? 8 : 4, named_segment(state, insn).base);
  return Flow::Next;
}
Flow write_segment_base(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if ((state.cr4 & kCr4Fsgsbase) == 0) return cpu.raise(Vector::InvalidOpcode);
  const u64 base = insn.operand64() ? state.gpr[insn.rm] : state.gpr32(insn.rm);
  if (!cpu.model().widest_linear().canonical(base)) return cpu.raise(Vector::GeneralProtection, 0);
  Segment& segment = named_segment(state, insn);
  segment.base = base;
  derive_limits(state, segment);
  return Flow::Stop;
}

// --- CRC32: the Castagnoli polynomial, reflected ---

namespace {

constexpr std::array<u32, 256> crc_table() {
  constexpr u32 kPolynomial = 0x82F63B78;
  std::array<u32, 256> table{};
  for (u32 byte = 0; byte < table.size(); byte++) {
    u32 value = byte;
    for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ ((value & 1) != 0 ? kPolynomial : 0);
    table[byte] = value;
  }
  return table;
}
constexpr auto kCrcTable = crc_table();

Flow accumulate(Cpu& cpu, const Insn& insn, u64 source, unsigned bytes) {
  CpuState& state = cpu.state();
  u32 crc = state.gpr32(insn.reg);
  for (unsigned i = 0; i < bytes; i++, source >>= 8) crc = crc >> 8 ^ kCrcTable[(crc ^ source) & 0xFF];
  state.set_gpr32(insn.reg, crc);
  return Flow::Next;
}

}  // namespace

Flow crc32(Cpu& cpu, const Insn& insn) {
  const unsigned bytes = operand_bytes(insn);
  u64 source = 0;
  if (!read_rm(cpu, insn, bytes, source)) return Flow::Fault;
  return accumulate(cpu, insn, source, bytes);
}
Flow crc32_byte(Cpu& cpu, const Insn& insn) {
  u64 byte = 0;
  if (!read_rm(cpu, insn, 1, byte)) return Flow::Fault;
  return accumulate(cpu, insn, byte, 1);
}

}  // namespace relic86
