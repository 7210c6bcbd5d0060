// Decimal adjustment (SDM 2, AAA to DAS). Flags that the manual leaves undefined are what the 80286 gives: those of the
// addition or subtraction of the correction to AL (6 or 0 for AAA and AAS, before the high digit is cleared), for AAD
// those of adding the scaled AH to AL; AAM clears OF, AF and CF.
#include "cpu/cpu.h"
#include "cpu/integer_instructions.h"

namespace relic86 {

namespace {

u8 accumulator_low(const CpuState& state) { return static_cast<u8>(state.gpr[kEax]); }
u16 accumulator(const CpuState& state) { return static_cast<u16>(state.gpr[kEax]); }
void set_accumulator(CpuState& state, u16 value) { state.gpr[kEax] = (state.gpr[kEax] & ~u64{0xFFFF}) | value; }

// The flags of left + right or left - right.
LazyFlags flags_of(u8 left, u8 right, bool subtract) {
  const u8 result = static_cast<u8>(subtract ? left - right : left + right);
  const u32 carries = subtract ? (~u32{left} & right) | ((~u32{left} | right) & result)
                               : (u32{left} & right) | ((u32{left} | right) & ~u32{result});
  return {static_cast<i8>(result), LazyFlags::pack_carries<u8>(static_cast<u8>(carries))};
}

// With the carries that the instruction defines put in place of the sum's.
u32 eflags_of(LazyFlags flags, bool carry, bool adjust) {
  flags.carries = (flags.carries & ~LazyFlags::kAuxBit) | (adjust ? LazyFlags::kAuxBit : 0);
  flags.set_cf(carry);
  return flags.eflags();
}

DecimalResult adjust_packed(u8 old, bool old_carry, bool old_adjust, bool subtract) {
  const bool adjust = (old & 0xF) > 9 || old_adjust;
  const bool high = old > 0x99 || old_carry;
  const u8 correction = static_cast<u8>((adjust ? 6 : 0) + (high ? 0x60 : 0));
  // DAS also carries when the low digit's correction borrows.
  const bool carry = high || (subtract && adjust && old < 6);
  return {static_cast<u8>(subtract ? old - correction : old + correction), 0,
          eflags_of(flags_of(old, correction, subtract), carry, adjust)};
}

DecimalResult adjust_unpacked(u8 old, bool old_adjust, bool subtract) {
  const bool adjust = (old & 0xF) > 9 || old_adjust;
  const int sum = adjust ? (subtract ? old - 0x106 : old + 0x106) : old;
  return {static_cast<u8>(sum & 0xF), static_cast<i8>(sum >> 8),
          eflags_of(flags_of(old, adjust ? 6 : 0, subtract), adjust, adjust)};
}

Flow adjust(Cpu& cpu, Decimal kind) {
  CpuState& state = cpu.state();
  const DecimalResult result = adjust_decimal(kind, accumulator_low(state), state.flags.cf(), state.flags.af());
  const u32 high = (accumulator(state) >> 8) + static_cast<u32>(result.high_change);
  set_accumulator(state, static_cast<u16>(high << 8 | result.low));
  state.flags.set_eflags(result.eflags);
  return Flow::Next;
}

}  // namespace

DecimalResult adjust_decimal(Decimal kind, u8 low, bool carry, bool adjust) {
  switch (kind) {
    case Decimal::Daa: return adjust_packed(low, carry, adjust, false);
    case Decimal::Das: return adjust_packed(low, carry, adjust, true);
    case Decimal::Aaa: return adjust_unpacked(low, adjust, false);
    case Decimal::Aas: return adjust_unpacked(low, adjust, true);
  }
  return {};
}

Flow daa(Cpu& cpu, const Insn&) { return adjust(cpu, Decimal::Daa); }
Flow das(Cpu& cpu, const Insn&) { return adjust(cpu, Decimal::Das); }
Flow aaa(Cpu& cpu, const Insn&) { return adjust(cpu, Decimal::Aaa); }
Flow aas(Cpu& cpu, const Insn&) { return adjust(cpu, Decimal::Aas); }

Flow aam(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u8 base = static_cast<u8>(insn.immediate);
  if (base == 0) return cpu.raise(Vector::DivideError);
  const u8 value = accumulator_low(state);
  const u8 low = value % base;
  set_accumulator(state, static_cast<u16>((value / base) << 8 | low));
  state.flags = flags_of(low, 0, false);
  return Flow::Next;
}

Flow aad(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u16 value = accumulator(state);
  const u8 low = static_cast<u8>(value);
  const u8 scaled = static_cast<u8>((value >> 8) * (insn.immediate & 0xFF));
  set_accumulator(state, static_cast<u8>(low + scaled));
  state.flags = flags_of(low, scaled, false);
  return Flow::Next;
}

}  // namespace relic86
