#include "jit/runtime/flags.h"

#include <cstring>

#include "base/assert.h"
#include "cpu/semantics/exec_builder.h"

namespace relic86::jit {

namespace {

template <class W>
W left_of(Op op, W result, W right) {
  switch (op) {
    case Op::Add: return static_cast<W>(result - right);
    case Op::Sub: return static_cast<W>(result + right);
    case Op::Inc: return static_cast<W>(result - 1);
    case Op::Dec: return static_cast<W>(result + 1);
    case Op::Neg: return static_cast<W>(0 - result);
    default: return result;  // logic: the result alone decides
  }
}

template <class W>
void run_step(Cpu& cpu, Op op, bool from_result, u64 a_raw, u64 b_raw, u64 c_raw) {
  const Insn none;
  ExecBuilder builder(cpu, none);
  const W right = static_cast<W>(b_raw);
  const W left = from_result ? left_of<W>(op, static_cast<W>(a_raw), right) : static_cast<W>(a_raw);
  const auto a = ExecBuilder::constant<W>(left);
  const auto b = ExecBuilder::constant<W>(right);
  const auto count = ExecBuilder::constant<u8>(static_cast<u8>(b_raw));
  const auto count3 = ExecBuilder::constant<u8>(static_cast<u8>(c_raw));
  LazyFlags& flags = cpu.state().flags;
  switch (op) {
    case Op::Add: builder.add(a, b); break;
    case Op::Sub: builder.sub(a, b); break;
    case Op::Adc:
      flags.set_cf(c_raw != 0);
      builder.adc(a, b);
      break;
    case Op::Sbb:
      flags.set_cf(c_raw != 0);
      builder.sbb(a, b);
      break;
    case Op::Neg: builder.neg(a); break;
    case Op::And: from_result ? builder.and_(a, a) : builder.and_(a, b); break;
    case Op::Or: from_result ? builder.or_(a, a) : builder.or_(a, b); break;
    case Op::Xor: from_result ? builder.or_(a, a) : builder.xor_(a, b); break;
    case Op::Inc: builder.inc(a); break;
    case Op::Dec: builder.dec(a); break;
    case Op::Shl: builder.shl(a, count); break;
    case Op::Shr: builder.shr(a, count); break;
    case Op::Sar: builder.sar(a, count); break;
    case Op::Rol: builder.rol(a, count); break;
    case Op::Ror: builder.ror(a, count); break;
    case Op::Rcl:
      flags.set_cf(c_raw != 0);
      builder.rcl(a, count);
      break;
    case Op::Rcr:
      flags.set_cf(c_raw != 0);
      builder.rcr(a, count);
      break;
    case Op::Mul: builder.mul(a, b); break;
    case Op::Imul: builder.imul(a, b); break;
    case Op::Bt: builder.bt(a, b); break;
    case Op::Bsf: builder.bsf(a, b); break;
    case Op::Bsr: builder.bsr(a, b); break;
    case Op::Tzcnt: builder.tzcnt(a); break;
    case Op::Lzcnt: builder.lzcnt(a); break;
    case Op::Popcnt: builder.popcnt(a); break;
    case Op::Blsr: builder.blsr(a); break;
    case Op::Blsmsk: builder.blsmsk(a); break;
    case Op::Blsi: builder.blsi(a); break;
    case Op::Bzhi: builder.bzhi(a, b); break;
    case Op::Bextr: builder.bextr(a, b); break;
    case Op::SetCarry: builder.set_carry(a_raw != 0); break;
    case Op::SetZero: flags.set_eflags((flags.eflags() & ~u32{kZF}) | (a_raw != 0 ? u32{kZF} : 0u)); break;
    case Op::Literal: flags.set_eflags(static_cast<u32>(a_raw) & (kZF | kPF | kCF)); break;
    case Op::Image: flags.set_eflags(static_cast<u32>(a_raw) & kArithmeticFlags); break;
    case Op::Shld:
      if constexpr (sizeof(W) > 1) builder.shld(a, b, count3);
      break;
    case Op::Shrd:
      if constexpr (sizeof(W) > 1) builder.shrd(a, b, count3);
      break;
    default: RELIC86_ASSERT(false);
  }
}

// wide: what is kept in slots has eight bytes.
u64 operand_value(const CpuState& state, const EngineArea& area, const FlagOperand& operand, bool wide) {
  switch (operand.kind) {
    case FlagOperand::None: return 0;
    case FlagOperand::Register: return state.gpr[operand.value];
    case FlagOperand::HighByte: return state.gpr32(operand.value & 3) >> 8 & 0xFF;
    case FlagOperand::Immediate: return static_cast<u64>(i64{static_cast<i32>(operand.value)});
    case FlagOperand::Slot:
      if (!wide) return area.slots[operand.value];
      u64 value;
      std::memcpy(&value, &area.slots[operand.value], sizeof value);
      return value;
  }
  return 0;
}

u32 step_size(u32 descriptor) { return descriptor >> 16 & 0xFF; }

}  // namespace

void apply_step(Cpu& cpu, u32 descriptor, u64 a, u64 b, u64 c) {
  const Op op = static_cast<Op>(descriptor >> 8 & 0xFF);
  const bool from_result = (descriptor >> 24 & 1) != 0;
  switch (step_size(descriptor)) {
    case 1: run_step<u8>(cpu, op, from_result, a, b, c); break;
    case 2: run_step<u16>(cpu, op, from_result, a, b, c); break;
    case 8: run_step<u64>(cpu, op, from_result, a, b, c); break;
    default: run_step<u32>(cpu, op, from_result, a, b, c); break;
  }
}

void apply_step(Cpu& cpu, const FlagStep& step) {
  const CpuState& state = cpu.state();
  const EngineArea& area = engine_area(cpu.state());
  const bool wide = step.size == 8;
  apply_step(cpu, step.descriptor(), operand_value(state, area, step.a, wide),
             operand_value(state, area, step.b, wide && !takes_count(step.op)),
             operand_value(state, area, step.c, false));
}

void settle_home(Cpu& cpu) {
  EngineArea& area = engine_area(cpu.state());
  if (area.home_step != 0) {
    if (step_size(area.home_step) == 8) {
      apply_step(cpu, area.home_step, area.home_wide[0], area.home_wide[1], static_cast<u32>(area.home_wide[2]));
    } else {
      apply_step(cpu, area.home_step, area.home_operand[0], area.home_operand[1], area.home_operand[2]);
    }
  }
  if (area.home_partial != 0) {
    const bool wide = step_size(area.home_partial) == 8;
    apply_step(cpu, area.home_partial, wide ? area.home_partial_wide : area.home_partial_result, 0, 0);
  }
  area.home_step = area.home_partial = 0;
}

}  // namespace relic86::jit
