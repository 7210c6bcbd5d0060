// BMI1 and BMI2: bit manipulation on general registers, TZCNT apart with a VEX prefix (SDM 2). Operands are 32 bits
// wide, or 64 with VEX.W in 64-bit mode.
#include <bit>

#include "cpu/access.h"
#include "cpu/sized_access.h"
#include "cpu/system_instructions.h"

namespace relic86 {

namespace {

struct Source {
  u64 value = 0;
  unsigned bytes = 4;

  unsigned bits() const { return bytes * 8; }
  u64 mask() const { return ~u64{0} >> (64 - bits()); }
  u32 sign(u64 result) const { return (result >> (bits() - 1) & 1) != 0 ? u32{kSF} : 0u; }
  static u32 zero(u64 result) { return result == 0 ? u32{kZF} : 0u; }
  static u32 carry(bool carry) { return carry ? u32{kCF} : 0u; }
};

// VEX does not exist in real-address and virtual-8086 mode (SDM 2 2.3). False: a fault is pending.
bool read_source(Cpu& cpu, const Insn& insn, Source& source) {
  if (cpu.state().mode.real_or_v86()) {
    cpu.raise(Vector::InvalidOpcode);
    return false;
  }
  source.bytes = insn.operand64() ? 8 : 4;
  return read_rm(cpu, insn, source.bytes, source.value);
}

void write(CpuState& state, unsigned index, const Source& source, u64 value) {
  state.gpr[index] = value & source.mask();
}

// BLSI, BLSMSK and BLSR: of the lowest bit that is set; VEX.vvvv is the destination.
template <class Compute>
Flow lowest_bit(Cpu& cpu, const Insn& insn, Compute compute) {
  Source source;
  if (!read_source(cpu, insn, source)) return Flow::Fault;
  CpuState& state = cpu.state();
  const auto [result, flags] = compute(source, source.value);
  write(state, insn.vex_register, source, result);
  state.flags.set_eflags(flags | source.sign(result));
  return Flow::Next;
}

struct Answer {
  u64 result;
  u32 flags;  // SF apart
};

// SARX, SHLX, SHRX: a count from VEX.vvvv, no flags.
template <class Shift>
Flow shift_without_flags(Cpu& cpu, const Insn& insn, Shift shift) {
  Source source;
  if (!read_source(cpu, insn, source)) return Flow::Fault;
  CpuState& state = cpu.state();
  const unsigned count = static_cast<unsigned>(state.gpr[insn.vex_register] & (source.bits() - 1));
  write(state, insn.reg, source, shift(source, count));
  return Flow::Next;
}

u64 second_operand(const CpuState& state, const Insn& insn, const Source& source) {
  return state.gpr[insn.vex_register] & source.mask();
}

}  // namespace

Flow andn(Cpu& cpu, const Insn& insn) {
  Source source;
  if (!read_source(cpu, insn, source)) return Flow::Fault;
  CpuState& state = cpu.state();
  const u64 result = ~second_operand(state, insn, source) & source.value;
  write(state, insn.reg, source, result);
  state.flags.set_eflags(source.sign(result) | Source::zero(result));
  return Flow::Next;
}

// The field's first bit stands in bits 7:0 of the second source, its length in bits 15:8.
Flow bextr(Cpu& cpu, const Insn& insn) {
  Source source;
  if (!read_source(cpu, insn, source)) return Flow::Fault;
  CpuState& state = cpu.state();
  const u64 control = second_operand(state, insn, source);
  const unsigned start = control & 0xFF, length = control >> 8 & 0xFF;
  u64 result = start < source.bits() ? source.value >> start : 0;
  if (length < source.bits()) result &= (u64{1} << length) - 1;
  write(state, insn.reg, source, result);
  state.flags.set_eflags(Source::zero(result));
  return Flow::Next;
}

Flow blsi(Cpu& cpu, const Insn& insn) {
  return lowest_bit(cpu, insn, [](const Source&, u64 value) -> Answer {
    return {value & (0 - value), Source::zero(value) | Source::carry(value != 0)};
  });
}
Flow blsmsk(Cpu& cpu, const Insn& insn) {
  return lowest_bit(cpu, insn, [](const Source& source, u64 value) -> Answer {
    return {(value ^ (value - 1)) & source.mask(), Source::carry(value == 0)};
  });
}
Flow blsr(Cpu& cpu, const Insn& insn) {
  return lowest_bit(cpu, insn, [](const Source& source, u64 value) -> Answer {
    const u64 result = value & (value - 1) & source.mask();
    return {result, Source::zero(result) | Source::carry(value == 0)};
  });
}

Flow tzcnt(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const unsigned bytes = operand_bytes(insn), bits = bytes * 8;
  u64 value = 0;
  if (!read_rm(cpu, insn, bytes, value)) return Flow::Fault;
  const u64 count = value == 0 ? bits : static_cast<u64>(std::countr_zero(value));
  write_sized_register(state, insn.reg, bytes, count);
  state.flags.set_eflags(Source::carry(value == 0) | Source::zero(count));
  return Flow::Next;
}

Flow bzhi(Cpu& cpu, const Insn& insn) {
  Source source;
  if (!read_source(cpu, insn, source)) return Flow::Fault;
  CpuState& state = cpu.state();
  const unsigned index = state.gpr[insn.vex_register] & 0xFF;
  const bool all = index >= source.bits();
  const u64 result = all ? source.value : source.value & ((u64{1} << index) - 1);
  write(state, insn.reg, source, result);
  state.flags.set_eflags(source.sign(result) | Source::zero(result) | Source::carry(all));
  return Flow::Next;
}

Flow mulx(Cpu& cpu, const Insn& insn) {
  Source source;
  if (!read_source(cpu, insn, source)) return Flow::Fault;
  CpuState& state = cpu.state();
  u64 low = source.value * (state.gpr[kEdx] & source.mask()), high = low >> 32;
  if (source.bytes == 8) {
    __extension__ using Wide = unsigned __int128;
    high = static_cast<u64>(static_cast<Wide>(source.value) * state.gpr[kEdx] >> 64);
  }
  // With one register for both it holds the upper half.
  write(state, insn.vex_register, source, low);
  write(state, insn.reg, source, high);
  return Flow::Next;
}

// The source's low bits go to the places that the mask names, and the other way round.
Flow pdep(Cpu& cpu, const Insn& insn) {
  Source mask;
  if (!read_source(cpu, insn, mask)) return Flow::Fault;
  CpuState& state = cpu.state();
  u64 from = state.gpr[insn.vex_register], result = 0;
  for (u64 left = mask.value; left != 0; left &= left - 1, from >>= 1) {
    if ((from & 1) != 0) result |= left & (0 - left);
  }
  write(state, insn.reg, mask, result);
  return Flow::Next;
}
Flow pext(Cpu& cpu, const Insn& insn) {
  Source mask;
  if (!read_source(cpu, insn, mask)) return Flow::Fault;
  CpuState& state = cpu.state();
  const u64 from = state.gpr[insn.vex_register];
  u64 result = 0, place = 1;
  for (u64 left = mask.value; left != 0; left &= left - 1, place <<= 1) {
    if ((from & left & (0 - left)) != 0) result |= place;
  }
  write(state, insn.reg, mask, result);
  return Flow::Next;
}

Flow rorx(Cpu& cpu, const Insn& insn) {
  Source source;
  if (!read_source(cpu, insn, source)) return Flow::Fault;
  const int count = static_cast<int>(insn.immediate & (source.bits() - 1));
  const u64 result =
      source.bytes == 8 ? std::rotr(source.value, count) : u64{std::rotr(static_cast<u32>(source.value), count)};
  write(cpu.state(), insn.reg, source, result);
  return Flow::Next;
}

Flow sarx(Cpu& cpu, const Insn& insn) {
  return shift_without_flags(cpu, insn, [](const Source& source, unsigned count) {
    const unsigned above = 64 - source.bits();
    return static_cast<u64>(static_cast<i64>(source.value << above) >> above >> count);
  });
}
Flow shlx(Cpu& cpu, const Insn& insn) {
  return shift_without_flags(cpu, insn, [](const Source& source, unsigned count) { return source.value << count; });
}
Flow shrx(Cpu& cpu, const Insn& insn) {
  return shift_without_flags(cpu, insn, [](const Source& source, unsigned count) { return source.value >> count; });
}

}  // namespace relic86
