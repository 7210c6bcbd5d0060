// The plain SIMD forms, compares, conversions, shuffles and shifts.
#include "cpu/instruction_table.h"
#include "cpu/simd_instructions.h"
#include "cpu/simd_operands.h"
#include "cpu/simd_soft.h"

namespace relic86 {

using namespace simd;

namespace {

// The operation that the instruction's row names.
simd_unit::XmmOperation operation_of(const InstructionRow& row, const HostUnits& units) {
  if (const auto soft = simd_soft::xmm_operation(row, units); soft != nullptr) return soft;
  const Prefix prefix = (row.match & kMatchF3) != 0   ? Prefix::PF3
                        : (row.match & kMatchF2) != 0 ? Prefix::PF2
                        : (row.match & kMatch66) != 0 ? Prefix::P66
                                                      : Prefix::None;
  return simd_unit::xmm_operation(row.map == OpcodeMap::Escape38 ? Map::Escape38 : Map::TwoByte, prefix, row.opcode);
}

template <unsigned size, bool floating>
Flow plain_xmm(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, size, size == 16, source)) return Flow::Fault;
  FxState& fx = cpu.state().fx;
  const auto operation = operation_of(instruction_table()[insn.row], cpu.host_units());
  if constexpr (floating) {
    return simd_unit::run_floating(operation, fx.mxcsr, fx.xmm[insn.reg], source) ? Flow::Next : simd_exception(cpu);
  } else {
    operation(fx.xmm[insn.reg], source);
    return Flow::Next;
  }
}

template <unsigned size>
Flow plain_mmx(Cpu& cpu, const Insn& insn) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  u64 source = 0;
  if (!read_mmx_source(cpu, insn, size, source)) return Flow::Fault;
  const InstructionRow& row = instruction_table()[insn.row];
  FxState& fx = cpu.state().fx;
  u64 value = read_mmx(fx, insn.reg);
  const auto soft = simd_soft::mmx_operation(row, cpu.host_units());
  const Map map = row.map == OpcodeMap::Escape38 ? Map::Escape38 : Map::TwoByte;
  (soft != nullptr ? soft : simd_unit::mmx_operation(map, row.opcode))(value, source);
  write_mmx(fx, insn.reg, value);
  return Flow::Next;
}

}  // namespace

Flow simd_xmm_2(Cpu& cpu, const Insn& insn) { return plain_xmm<2, false>(cpu, insn); }
Flow simd_xmm_4(Cpu& cpu, const Insn& insn) { return plain_xmm<4, false>(cpu, insn); }
Flow simd_xmm_8(Cpu& cpu, const Insn& insn) { return plain_xmm<8, false>(cpu, insn); }
Flow simd_xmm_16(Cpu& cpu, const Insn& insn) { return plain_xmm<16, false>(cpu, insn); }
Flow simd_floating_4(Cpu& cpu, const Insn& insn) { return plain_xmm<4, true>(cpu, insn); }
Flow simd_floating_8(Cpu& cpu, const Insn& insn) { return plain_xmm<8, true>(cpu, insn); }
Flow simd_floating_16(Cpu& cpu, const Insn& insn) { return plain_xmm<16, true>(cpu, insn); }
Flow simd_mmx_4(Cpu& cpu, const Insn& insn) { return plain_mmx<4>(cpu, insn); }
Flow simd_mmx_8(Cpu& cpu, const Insn& insn) { return plain_mmx<8>(cpu, insn); }

namespace {

// Compares and conversions that deliver to somewhere else than an XMM register.
template <Prefix prefix, unsigned size, bool ordered>
Flow scalar_compare(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, size, false, source)) return Flow::Fault;
  CpuState& state = cpu.state();
  u32 eflags = 0;
  if (!simd_unit::compare(prefix, ordered, state.fx.mxcsr, state.fx.xmm[insn.reg], source, eflags))
    return simd_exception(cpu);
  state.flags.set_eflags(eflags);
  return Flow::Next;
}

simd_unit::IntegerWidth width_of(const Insn& insn) {
  return insn.operand64() ? simd_unit::IntegerWidth::Bits64 : simd_unit::IntegerWidth::Bits32;
}

template <Prefix prefix, unsigned size, bool truncate>
Flow to_integer(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, size, false, source)) return Flow::Fault;
  u64 result = 0;
  if (!simd_unit::scalar_to_integer(prefix, width_of(insn), truncate, cpu.state().fx.mxcsr, source, result))
    return simd_exception(cpu);
  cpu.state().gpr[insn.reg] = result;
  return Flow::Next;
}

template <Prefix prefix>
Flow from_integer(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  u64 source = state.gpr[insn.rm];
  if (insn.memory()) {
    u32 half = 0;
    const bool good = insn.operand64() ? cpu.read(segment_of(insn), offset_of(state, insn), source)
                                       : cpu.read(segment_of(insn), offset_of(state, insn), half);
    if (!good) return Flow::Fault;
    if (!insn.operand64()) source = half;
  }
  const bool done =
      simd_unit::integer_to_scalar(prefix, width_of(insn), state.fx.mxcsr, state.fx.xmm[insn.reg], source);
  return done ? Flow::Next : simd_exception(cpu);
}

template <Prefix prefix>
Flow from_mmx(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu) || (!insn.memory() && !enter_mmx(cpu))) return Flow::Fault;
  u64 source = 0;
  if (!read_mmx_source(cpu, insn, 8, source)) return Flow::Fault;
  FxState& fx = cpu.state().fx;
  const bool done = simd_unit::mmx_to_packed(prefix, fx.mxcsr, fx.xmm[insn.reg], source);
  // CVTPI2PD from memory leaves the x87 alone (SDM 2); on AMD's parts CVTPI2PS does so too.
  if (!insn.memory()) mmx_commit(fx);
  return done ? Flow::Next : simd_exception(cpu);
}

template <Prefix prefix, unsigned size, bool truncate>
Flow to_mmx(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu) || !enter_mmx(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, size, size == 16, source)) return Flow::Fault;
  FxState& fx = cpu.state().fx;
  u64 result = 0;
  if (!simd_unit::packed_to_mmx(prefix, truncate, fx.mxcsr, source, result)) {
    mmx_commit(fx);  // the x87 is in MMX state before the exception (seen on an AMD part)
    return simd_exception(cpu);
  }
  write_mmx(fx, insn.reg, result);
  return Flow::Next;
}

// CMPccPS and relatives: the predicate in the immediate selects one of eight encoded operations.
template <Prefix prefix, unsigned size>
Flow compare_predicate(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, size, size == 16, source)) return Flow::Fault;
  FxState& fx = cpu.state().fx;
  const auto operation = simd_unit::compare_operation(prefix, insn.immediate & 7);
  return simd_unit::run_floating(operation, fx.mxcsr, fx.xmm[insn.reg], source) ? Flow::Next : simd_exception(cpu);
}

template <class Lane, unsigned count>
struct Lanes {
  Lane lane[count];
  explicit Lanes(const void* bytes) { std::memcpy(lane, bytes, sizeof lane); }
  void store(void* bytes) const { std::memcpy(bytes, lane, sizeof lane); }
};
using Dwords = Lanes<u32, 4>;
using Qwords = Lanes<u64, 2>;
using Words8 = Lanes<u16, 8>;

// pick(destination, source, immediate) builds the new destination.
template <unsigned size, class Pick>
Flow shuffle(Cpu& cpu, const Insn& insn, Pick pick) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot source;
  if (!read_xmm_source(cpu, insn, size, true, source)) return Flow::Fault;
  pick(cpu.state().fx.xmm[insn.reg], source, insn.immediate);
  return Flow::Next;
}

// PSLLW and relatives by an immediate are the forms by a register that holds the immediate; /3 and /7 of 73h shift
// bytes.
Flow shift_mmx(Cpu& cpu, const Insn& insn, u8 logical_right, u8 arithmetic_right, u8 left) {
  const u8 opcode = insn.reg == 2 ? logical_right : insn.reg == 4 ? arithmetic_right : insn.reg == 6 ? left : u8{0};
  if (opcode == 0 || insn.memory()) return cpu.raise(Vector::InvalidOpcode);
  if (!enter_mmx(cpu)) return Flow::Fault;
  u64 value = read_mmx(cpu.state().fx, insn.rm);
  simd_unit::mmx_operation(Map::TwoByte, opcode)(value, insn.immediate & 0xFF);
  write_mmx(cpu.state().fx, insn.rm, value);
  return Flow::Next;
}

void shift_bytes(FxState::Slot& value, unsigned count, bool left) {
  FxState::Slot result{};
  for (unsigned i = 0; i < 16; i++) {
    if (left ? i >= count : i + count < 16) result.bytes[i] = value.bytes[left ? i - count : i + count];
  }
  value = result;
}

Flow shift_xmm(Cpu& cpu, const Insn& insn, u8 logical_right, u8 arithmetic_right, u8 left) {
  const u8 opcode = insn.reg == 2 ? logical_right : insn.reg == 4 ? arithmetic_right : insn.reg == 6 ? left : u8{0};
  if (opcode == 0 || insn.memory()) return cpu.raise(Vector::InvalidOpcode);
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot count{};
  count.bytes[0] = static_cast<u8>(insn.immediate);
  simd_unit::xmm_operation(Map::TwoByte, Prefix::P66, opcode)(cpu.state().fx.xmm[insn.rm], count);
  return Flow::Next;
}

}  // namespace

Flow ucomiss(Cpu& cpu, const Insn& insn) { return scalar_compare<Prefix::None, 4, false>(cpu, insn); }
Flow comiss(Cpu& cpu, const Insn& insn) { return scalar_compare<Prefix::None, 4, true>(cpu, insn); }
Flow ucomisd(Cpu& cpu, const Insn& insn) { return scalar_compare<Prefix::P66, 8, false>(cpu, insn); }
Flow comisd(Cpu& cpu, const Insn& insn) { return scalar_compare<Prefix::P66, 8, true>(cpu, insn); }
Flow cvtss2si(Cpu& cpu, const Insn& insn) { return to_integer<Prefix::PF3, 4, false>(cpu, insn); }
Flow cvttss2si(Cpu& cpu, const Insn& insn) { return to_integer<Prefix::PF3, 4, true>(cpu, insn); }
Flow cvtsd2si(Cpu& cpu, const Insn& insn) { return to_integer<Prefix::PF2, 8, false>(cpu, insn); }
Flow cvttsd2si(Cpu& cpu, const Insn& insn) { return to_integer<Prefix::PF2, 8, true>(cpu, insn); }
Flow cvtsi2ss(Cpu& cpu, const Insn& insn) { return from_integer<Prefix::PF3>(cpu, insn); }
Flow cvtsi2sd(Cpu& cpu, const Insn& insn) { return from_integer<Prefix::PF2>(cpu, insn); }
Flow cvtpi2ps(Cpu& cpu, const Insn& insn) { return from_mmx<Prefix::None>(cpu, insn); }
Flow cvtpi2pd(Cpu& cpu, const Insn& insn) { return from_mmx<Prefix::P66>(cpu, insn); }
Flow cvtps2pi(Cpu& cpu, const Insn& insn) { return to_mmx<Prefix::None, 8, false>(cpu, insn); }
Flow cvttps2pi(Cpu& cpu, const Insn& insn) { return to_mmx<Prefix::None, 8, true>(cpu, insn); }
Flow cvtpd2pi(Cpu& cpu, const Insn& insn) { return to_mmx<Prefix::P66, 16, false>(cpu, insn); }
Flow cvttpd2pi(Cpu& cpu, const Insn& insn) { return to_mmx<Prefix::P66, 16, true>(cpu, insn); }
Flow cmpps(Cpu& cpu, const Insn& insn) { return compare_predicate<Prefix::None, 16>(cpu, insn); }
Flow cmppd(Cpu& cpu, const Insn& insn) { return compare_predicate<Prefix::P66, 16>(cpu, insn); }
Flow cmpss(Cpu& cpu, const Insn& insn) { return compare_predicate<Prefix::PF3, 4>(cpu, insn); }
Flow cmpsd(Cpu& cpu, const Insn& insn) { return compare_predicate<Prefix::PF2, 8>(cpu, insn); }

Flow shufps(Cpu& cpu, const Insn& insn) {
  return shuffle<16>(cpu, insn, [](FxState::Slot& destination, const FxState::Slot& source, u32 order) {
    Dwords d(destination.bytes);
    const Dwords old = d, s(source.bytes);
    d.lane[0] = old.lane[order & 3];
    d.lane[1] = old.lane[order >> 2 & 3];
    d.lane[2] = s.lane[order >> 4 & 3];
    d.lane[3] = s.lane[order >> 6 & 3];
    d.store(destination.bytes);
  });
}
Flow shufpd(Cpu& cpu, const Insn& insn) {
  return shuffle<16>(cpu, insn, [](FxState::Slot& destination, const FxState::Slot& source, u32 order) {
    Qwords d(destination.bytes);
    const Qwords s(source.bytes);
    d.lane[0] = d.lane[order & 1];
    d.lane[1] = s.lane[order >> 1 & 1];
    d.store(destination.bytes);
  });
}
Flow pshufd(Cpu& cpu, const Insn& insn) {
  return shuffle<16>(cpu, insn, [](FxState::Slot& destination, const FxState::Slot& source, u32 order) {
    const Dwords s(source.bytes);
    Dwords d = s;
    for (unsigned i = 0; i < 4; i++) d.lane[i] = s.lane[order >> (2 * i) & 3];
    d.store(destination.bytes);
  });
}
Flow pshuflw(Cpu& cpu, const Insn& insn) {
  return shuffle<16>(cpu, insn, [](FxState::Slot& destination, const FxState::Slot& source, u32 order) {
    const Words8 s(source.bytes);
    Words8 d = s;
    for (unsigned i = 0; i < 4; i++) d.lane[i] = s.lane[order >> (2 * i) & 3];
    d.store(destination.bytes);
  });
}
Flow pshufhw(Cpu& cpu, const Insn& insn) {
  return shuffle<16>(cpu, insn, [](FxState::Slot& destination, const FxState::Slot& source, u32 order) {
    const Words8 s(source.bytes);
    Words8 d = s;
    for (unsigned i = 0; i < 4; i++) d.lane[4 + i] = s.lane[4 + (order >> (2 * i) & 3)];
    d.store(destination.bytes);
  });
}
Flow pshufw(Cpu& cpu, const Insn& insn) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  u64 source = 0, result = 0;
  if (!read_mmx_source(cpu, insn, 8, source)) return Flow::Fault;
  for (unsigned i = 0; i < 4; i++) result |= (source >> ((insn.immediate >> (2 * i) & 3) * 16) & 0xFFFF) << (16 * i);
  write_mmx(cpu.state().fx, insn.reg, result);
  return Flow::Next;
}

Flow pinsrw_mmx(Cpu& cpu, const Insn& insn) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  u16 word = static_cast<u16>(cpu.state().gpr32(insn.rm));
  if (insn.memory() && !cpu.read(segment_of(insn), offset_of(cpu.state(), insn), word)) return Flow::Fault;
  const unsigned shift = (insn.immediate & 3) * 16;
  const u64 old = read_mmx(cpu.state().fx, insn.reg);
  write_mmx(cpu.state().fx, insn.reg, (old & ~(u64{0xFFFF} << shift)) | u64{word} << shift);
  return Flow::Next;
}
Flow pinsrw_xmm(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  u16 word = static_cast<u16>(cpu.state().gpr32(insn.rm));
  if (insn.memory() && !cpu.read(segment_of(insn), offset_of(cpu.state(), insn), word)) return Flow::Fault;
  std::memcpy(cpu.state().fx.xmm[insn.reg].bytes + (insn.immediate & 7) * 2, &word, 2);
  return Flow::Next;
}
Flow pextrw_mmx(Cpu& cpu, const Insn& insn) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  cpu.state().set_gpr32(insn.reg,
                        static_cast<u32>(read_mmx(cpu.state().fx, insn.rm) >> (insn.immediate & 3) * 16 & 0xFFFF));
  mmx_commit(cpu.state().fx);
  return Flow::Next;
}
Flow pextrw_xmm(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  u16 word = 0;
  std::memcpy(&word, cpu.state().fx.xmm[insn.rm].bytes + (insn.immediate & 7) * 2, 2);
  cpu.state().set_gpr32(insn.reg, word);
  return Flow::Next;
}

Flow palignr_mmx(Cpu& cpu, const Insn& insn) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  u8 both[32] = {};
  u64 source = 0;
  if (!read_mmx_source(cpu, insn, 8, source)) return Flow::Fault;
  const u64 high = read_mmx(cpu.state().fx, insn.reg);
  std::memcpy(both, &source, 8);
  std::memcpy(both + 8, &high, 8);
  u64 result = 0;
  if ((insn.immediate & 0xFF) < 16) std::memcpy(&result, both + (insn.immediate & 0xFF), 8);
  write_mmx(cpu.state().fx, insn.reg, result);
  return Flow::Next;
}
Flow palignr_xmm(Cpu& cpu, const Insn& insn) {
  return shuffle<16>(cpu, insn, [](FxState::Slot& destination, const FxState::Slot& source, u32 count) {
    u8 both[64] = {};
    std::memcpy(both, source.bytes, 16);
    std::memcpy(both + 16, destination.bytes, 16);
    destination = {};
    if ((count & 0xFF) < 32) std::memcpy(destination.bytes, both + (count & 0xFF), 16);
  });
}

Flow shift_imm_mmx_71(Cpu& cpu, const Insn& insn) { return shift_mmx(cpu, insn, 0xD1, 0xE1, 0xF1); }
Flow shift_imm_mmx_72(Cpu& cpu, const Insn& insn) { return shift_mmx(cpu, insn, 0xD2, 0xE2, 0xF2); }
Flow shift_imm_mmx_73(Cpu& cpu, const Insn& insn) { return shift_mmx(cpu, insn, 0xD3, 0, 0xF3); }
Flow shift_imm_xmm_71(Cpu& cpu, const Insn& insn) { return shift_xmm(cpu, insn, 0xD1, 0xE1, 0xF1); }
Flow shift_imm_xmm_72(Cpu& cpu, const Insn& insn) { return shift_xmm(cpu, insn, 0xD2, 0xE2, 0xF2); }
Flow shift_imm_xmm_73(Cpu& cpu, const Insn& insn) {
  if (insn.reg != 3 && insn.reg != 7) return shift_xmm(cpu, insn, 0xD3, 0, 0xF3);
  if (insn.memory()) return cpu.raise(Vector::InvalidOpcode);
  if (!enter_sse(cpu)) return Flow::Fault;
  shift_bytes(cpu.state().fx.xmm[insn.rm], insn.immediate & 0xFF, insn.reg == 7);
  return Flow::Next;
}

}  // namespace relic86
