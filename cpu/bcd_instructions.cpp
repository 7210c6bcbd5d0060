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
void set_low(CpuState& state, u8 value) { state.gpr[kEax] = (state.gpr[kEax] & ~u64{0xFF}) | value; }

// The flags of left + right or left - right, with the carries that the instruction defines put in place of the sum's.
void set_flags(CpuState& state, u8 left, u8 right, bool subtract) {
  const u8 result = static_cast<u8>(subtract ? left - right : left + right);
  const u32 carries = subtract ? (~u32{left} & right) | ((~u32{left} | right) & result)
                               : (u32{left} & right) | ((u32{left} | right) & ~u32{result});
  state.flags.result = static_cast<i8>(result);
  state.flags.carries = LazyFlags::pack_carries<u8>(static_cast<u8>(carries));
}
void set_carries(CpuState& state, bool carry, bool adjust) {
  state.flags.carries = (state.flags.carries & ~LazyFlags::kAuxBit) | (adjust ? LazyFlags::kAuxBit : 0);
  state.flags.set_cf(carry);
}

Flow adjust_packed(Cpu& cpu, bool subtract) {
  CpuState& state = cpu.state();
  const u8 old = accumulator_low(state);
  const bool old_carry = state.flags.cf();
  const bool adjust = (old & 0xF) > 9 || state.flags.af();
  const bool high = old > 0x99 || old_carry;
  const u8 correction = static_cast<u8>((adjust ? 6 : 0) + (high ? 0x60 : 0));
  const u8 result = static_cast<u8>(subtract ? old - correction : old + correction);
  // DAS also carries when the low digit's correction borrows.
  const bool carry = high || (subtract && adjust && old < 6);
  set_low(state, result);
  set_flags(state, old, correction, subtract);
  set_carries(state, carry, adjust);
  return Flow::Next;
}

Flow adjust_unpacked(Cpu& cpu, bool subtract) {
  CpuState& state = cpu.state();
  const int correction = subtract ? -0x106 : 0x106;
  const u8 old = accumulator_low(state);
  const bool adjust = (accumulator_low(state) & 0xF) > 9 || state.flags.af();
  const u16 sum = adjust ? static_cast<u16>(accumulator(state) + correction) : accumulator(state);
  set_accumulator(state, sum & 0xFF0F);
  set_flags(state, old, adjust ? 6 : 0, subtract);
  set_carries(state, adjust, adjust);
  return Flow::Next;
}

}  // namespace

Flow daa(Cpu& cpu, const Insn&) { return adjust_packed(cpu, false); }
Flow das(Cpu& cpu, const Insn&) { return adjust_packed(cpu, true); }
Flow aaa(Cpu& cpu, const Insn&) { return adjust_unpacked(cpu, false); }
Flow aas(Cpu& cpu, const Insn&) { return adjust_unpacked(cpu, true); }

Flow aam(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u8 base = static_cast<u8>(insn.immediate);
  if (base == 0) return cpu.raise(Vector::DivideError);
  const u8 value = accumulator_low(state);
  const u8 low = value % base;
  set_accumulator(state, static_cast<u16>((value / base) << 8 | low));
  set_flags(state, low, 0, false);
  return Flow::Next;
}

Flow aad(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u16 value = accumulator(state);
  const u8 low = static_cast<u8>(value);
  const u8 scaled = static_cast<u8>((value >> 8) * (insn.immediate & 0xFF));
  set_accumulator(state, static_cast<u8>(low + scaled));
  set_flags(state, low, scaled, false);
  return Flow::Next;
}

}  // namespace relic86
