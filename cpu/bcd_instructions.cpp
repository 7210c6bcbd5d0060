// Decimal adjustment (SDM 2, AAA to DAS). Flags that the manual leaves undefined follow the result as after a logic
// operation: SF, ZF and PF by AL, OF (and CF, AF of AAM and AAD) 0.
#include "cpu/cpu.h"
#include "cpu/integer_instructions.h"

namespace relic86 {

namespace {

u8 accumulator_low(const CpuState& state) { return static_cast<u8>(state.gpr[kEax]); }
u16 accumulator(const CpuState& state) { return static_cast<u16>(state.gpr[kEax]); }
void set_accumulator(CpuState& state, u16 value) { state.gpr[kEax] = (state.gpr[kEax] & ~u64{0xFFFF}) | value; }
void set_low(CpuState& state, u8 value) { state.gpr[kEax] = (state.gpr[kEax] & ~u64{0xFF}) | value; }

void set_flags(CpuState& state, u8 result, bool carry, bool adjust) {
  state.flags.result = static_cast<i8>(result);
  state.flags.carries = adjust ? LazyFlags::kAuxBit : 0;
  state.flags.set_cf_of(carry, false);
}

Flow adjust_packed(Cpu& cpu, bool subtract) {
  CpuState& state = cpu.state();
  const u8 old = accumulator_low(state);
  const bool old_carry = state.flags.cf();
  const bool adjust = (old & 0xF) > 9 || state.flags.af();
  const bool high = old > 0x99 || old_carry;
  const int correction = (adjust ? 6 : 0) + (high ? 0x60 : 0);
  const u8 result = static_cast<u8>(subtract ? old - correction : old + correction);
  // DAS also carries when the low digit's correction borrows.
  const bool carry = high || (subtract && adjust && old < 6);
  set_low(state, result);
  set_flags(state, result, carry, adjust);
  return Flow::Next;
}

Flow adjust_unpacked(Cpu& cpu, int correction) {
  CpuState& state = cpu.state();
  const bool adjust = (accumulator_low(state) & 0xF) > 9 || state.flags.af();
  const u16 sum = adjust ? static_cast<u16>(accumulator(state) + correction) : accumulator(state);
  set_accumulator(state, sum & 0xFF0F);
  set_flags(state, static_cast<u8>(sum & 0xF), adjust, adjust);
  return Flow::Next;
}

}  // namespace

Flow daa(Cpu& cpu, const Insn&) { return adjust_packed(cpu, false); }
Flow das(Cpu& cpu, const Insn&) { return adjust_packed(cpu, true); }
Flow aaa(Cpu& cpu, const Insn&) { return adjust_unpacked(cpu, 0x106); }
Flow aas(Cpu& cpu, const Insn&) { return adjust_unpacked(cpu, -0x106); }

Flow aam(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u8 base = static_cast<u8>(insn.immediate);
  if (base == 0) return cpu.raise(Vector::DivideError);
  const u8 value = accumulator_low(state);
  const u8 low = value % base;
  set_accumulator(state, static_cast<u16>((value / base) << 8 | low));
  set_flags(state, low, false, false);
  return Flow::Next;
}

Flow aad(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u16 value = accumulator(state);
  const u8 low = static_cast<u8>((value & 0xFF) + (value >> 8) * (insn.immediate & 0xFF));
  set_accumulator(state, low);
  set_flags(state, low, false, false);
  return Flow::Next;
}

}  // namespace relic86
