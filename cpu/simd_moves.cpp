// SIMD moves, state and hints.
#include "cpu/simd_instructions.h"
#include "cpu/simd_operands.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

using namespace simd;

namespace {

FxState::Slot& destination_of(Cpu& cpu, const Insn& insn) { return cpu.state().fx.xmm[insn.reg]; }

// Loads of a whole register.
Flow load_whole(Cpu& cpu, const Insn& insn, bool aligned) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot value;
  if (!read_xmm_source(cpu, insn, 16, aligned, value)) return Flow::Fault;
  destination_of(cpu, insn) = value;
  return Flow::Next;
}
Flow store_whole(Cpu& cpu, const Insn& insn, bool aligned) {
  if (!enter_sse(cpu)) return Flow::Fault;
  if (!insn.memory()) {
    cpu.state().fx.xmm[insn.rm] = destination_of(cpu, insn);
    return Flow::Next;
  }
  return write_memory(cpu, insn, destination_of(cpu, insn).bytes, 16, aligned) ? Flow::Next : Flow::Fault;
}

// MOVSS and MOVSD: from memory the rest becomes zero, from a register the rest stays.
Flow load_scalar(Cpu& cpu, const Insn& insn, unsigned size) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot value;
  if (!read_xmm_source(cpu, insn, size, false, value)) return Flow::Fault;
  if (insn.memory())
    destination_of(cpu, insn) = value;
  else
    std::memcpy(destination_of(cpu, insn).bytes, value.bytes, size);
  return Flow::Next;
}
Flow store_scalar(Cpu& cpu, const Insn& insn, unsigned size) {
  if (!enter_sse(cpu)) return Flow::Fault;
  if (!insn.memory()) {
    std::memcpy(cpu.state().fx.xmm[insn.rm].bytes, destination_of(cpu, insn).bytes, size);
    return Flow::Next;
  }
  return write_memory(cpu, insn, destination_of(cpu, insn).bytes, size) ? Flow::Next : Flow::Fault;
}

// Eight bytes into or out of one half of a register. from_half: the half of a register source (MOVHLPS, MOVLHPS).
Flow load_half(Cpu& cpu, const Insn& insn, unsigned half, unsigned from_half) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot value;
  if (!read_xmm_source(cpu, insn, 8, false, value)) return Flow::Fault;
  std::memcpy(destination_of(cpu, insn).bytes + half * 8, value.bytes + (insn.memory() ? 0 : from_half * 8), 8);
  return Flow::Next;
}
Flow store_half(Cpu& cpu, const Insn& insn, unsigned half) {
  if (!enter_sse(cpu)) return Flow::Fault;
  return write_memory(cpu, insn, destination_of(cpu, insn).bytes + half * 8, 8) ? Flow::Next : Flow::Fault;
}

template <class Lane, unsigned count>
u32 sign_mask(const u8* bytes) {
  u32 mask = 0;
  for (unsigned i = 0; i < count; i++) mask |= (bytes[(i + 1) * sizeof(Lane) - 1] >> 7 & 1u) << i;
  return mask;
}

// MASKMOVQ, MASKMOVDQU: bytes selected by the mask's sign bits go to DS:(E)DI. Whether bytes that are not
// selected fault is left to the part (SDM 2, MASKMOVDQU); all parts seen check all of the operand, half by half.
Flow masked_store(Cpu& cpu, const Insn& insn, const u8* bytes, const u8* mask, unsigned count) {
  CpuState& state = cpu.state();
  const u64 start = masked_offset(insn, state.gpr[kEdi]);
  const auto segment = static_cast<SegmentName>(insn.segment);
  const bool from_above = cpu.vendor().masked_store_from_above;
  for (unsigned i = 0; i < count; i += 8) {
    const u32 half = from_above ? count - 8 - i : i;
    if (!cpu.probe_write(segment, masked_offset(insn, start + half), 8)) return Flow::Fault;
  }
  for (unsigned i = 0; i < count; i++) {
    if ((mask[i] & 0x80) != 0 && !cpu.write(segment, masked_offset(insn, start + i), bytes[i])) return Flow::Fault;
  }
  return Flow::Next;
}

}  // namespace

Flow movaps_load(Cpu& cpu, const Insn& insn) { return load_whole(cpu, insn, true); }
Flow movaps_store(Cpu& cpu, const Insn& insn) { return store_whole(cpu, insn, true); }
Flow movups_load(Cpu& cpu, const Insn& insn) { return load_whole(cpu, insn, false); }
Flow movups_store(Cpu& cpu, const Insn& insn) { return store_whole(cpu, insn, false); }
Flow movnt_store(Cpu& cpu, const Insn& insn) { return store_whole(cpu, insn, true); }
Flow movss_load(Cpu& cpu, const Insn& insn) { return load_scalar(cpu, insn, 4); }
Flow movss_store(Cpu& cpu, const Insn& insn) { return store_scalar(cpu, insn, 4); }
Flow movsd_load(Cpu& cpu, const Insn& insn) { return load_scalar(cpu, insn, 8); }
Flow movsd_store(Cpu& cpu, const Insn& insn) { return store_scalar(cpu, insn, 8); }
Flow movlps_load(Cpu& cpu, const Insn& insn) { return load_half(cpu, insn, 0, 1); }  // register form: MOVHLPS
Flow movhps_load(Cpu& cpu, const Insn& insn) { return load_half(cpu, insn, 1, 0); }  // register form: MOVLHPS
Flow movlpd_load(Cpu& cpu, const Insn& insn) { return load_half(cpu, insn, 0, 0); }
Flow movhpd_load(Cpu& cpu, const Insn& insn) { return load_half(cpu, insn, 1, 0); }
Flow movlps_store(Cpu& cpu, const Insn& insn) { return store_half(cpu, insn, 0); }
Flow movhps_store(Cpu& cpu, const Insn& insn) { return store_half(cpu, insn, 1); }

namespace {
// Of an MMX register; some parts have set TOP by the time the store faults.
bool store_mmx(Cpu& cpu, const Insn& insn, const void* bytes, unsigned size) {
  FxState& fx = cpu.state().fx;
  if (!write_memory(cpu, insn, bytes, size)) {
    if (cpu.vendor().faulting_mmx_store_clears_top) mmx_clear_top(fx);
    return false;
  }
  mmx_commit(fx);
  return true;
}
}  // namespace

namespace {
// The E operand of MOVD and MOVQ: 4 bytes, with REX.W 8.
bool read_general(Cpu& cpu, const Insn& insn, u64& value) {
  CpuState& state = cpu.state();
  u32 half = state.gpr32(insn.rm);
  if (insn.operand64()) {
    value = state.gpr[insn.rm];
    return !insn.memory() || cpu.read(segment_of(insn), offset_of(state, insn), value);
  }
  if (insn.memory() && !cpu.read(segment_of(insn), offset_of(state, insn), half)) return false;
  value = half;
  return true;
}
u64 cut(const Insn& insn, u64 value) { return insn.operand64() ? value : static_cast<u32>(value); }
unsigned general_size(const Insn& insn) { return insn.operand64() ? 8 : 4; }
}  // namespace

Flow movd_to_mmx(Cpu& cpu, const Insn& insn) {
  u64 value = 0;
  if (!enter_mmx(cpu) || !read_general(cpu, insn, value)) return Flow::Fault;
  write_mmx(cpu.state().fx, insn.reg, value);
  return Flow::Next;
}
Flow movd_from_mmx(Cpu& cpu, const Insn& insn) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  const u64 value = cut(insn, read_mmx(cpu.state().fx, insn.reg));
  if (insn.memory()) return store_mmx(cpu, insn, &value, general_size(insn)) ? Flow::Next : Flow::Fault;
  cpu.state().gpr[insn.rm] = value;
  mmx_commit(cpu.state().fx);
  return Flow::Next;
}
Flow movd_to_xmm(Cpu& cpu, const Insn& insn) {
  u64 value = 0;
  if (!enter_sse(cpu) || !read_general(cpu, insn, value)) return Flow::Fault;
  FxState::Slot slot{};
  std::memcpy(slot.bytes, &value, sizeof value);
  destination_of(cpu, insn) = slot;
  return Flow::Next;
}
Flow movd_from_xmm(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  u64 value = 0;
  std::memcpy(&value, destination_of(cpu, insn).bytes, general_size(insn));
  if (!insn.memory())
    cpu.state().gpr[insn.rm] = value;
  else if (!write_memory(cpu, insn, &value, general_size(insn)))
    return Flow::Fault;
  return Flow::Next;
}
Flow movq_mmx_load(Cpu& cpu, const Insn& insn) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  u64 value = 0;
  if (!read_mmx_source(cpu, insn, 8, value)) return Flow::Fault;
  write_mmx(cpu.state().fx, insn.reg, value);
  return Flow::Next;
}
Flow movq_mmx_store(Cpu& cpu, const Insn& insn) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  const u64 value = read_mmx(cpu.state().fx, insn.reg);
  if (insn.memory()) return store_mmx(cpu, insn, &value, 8) ? Flow::Next : Flow::Fault;
  write_mmx(cpu.state().fx, insn.rm, value);
  return Flow::Next;
}
Flow movntq(Cpu& cpu, const Insn& insn) { return movq_mmx_store(cpu, insn); }
Flow movq_xmm_load(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot value;
  if (!read_xmm_source(cpu, insn, 8, false, value)) return Flow::Fault;
  std::memset(value.bytes + 8, 0, 8);
  destination_of(cpu, insn) = value;
  return Flow::Next;
}
Flow movq_xmm_store(Cpu& cpu, const Insn& insn) {
  if (insn.memory()) return store_half(cpu, insn, 0);
  if (!enter_sse(cpu)) return Flow::Fault;
  FxState::Slot value = destination_of(cpu, insn);
  std::memset(value.bytes + 8, 0, 8);
  cpu.state().fx.xmm[insn.rm] = value;
  return Flow::Next;
}
Flow movq2dq(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu) || !enter_mmx(cpu)) return Flow::Fault;
  FxState::Slot slot{};
  const u64 value = read_mmx(cpu.state().fx, insn.rm);
  std::memcpy(slot.bytes, &value, 8);
  destination_of(cpu, insn) = slot;
  mmx_commit(cpu.state().fx);
  return Flow::Next;
}
Flow movdq2q(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu) || !enter_mmx(cpu)) return Flow::Fault;
  u64 value = 0;
  std::memcpy(&value, cpu.state().fx.xmm[insn.rm].bytes, 8);
  write_mmx(cpu.state().fx, insn.reg, value);
  return Flow::Next;
}
Flow maskmovq(Cpu& cpu, const Insn& insn) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  const u64 value = read_mmx(cpu.state().fx, insn.reg), mask = read_mmx(cpu.state().fx, insn.rm);
  u8 bytes[8], selected[8];
  std::memcpy(bytes, &value, 8);
  std::memcpy(selected, &mask, 8);
  mmx_commit(cpu.state().fx);  // even when the store faults (seen on an AMD part)
  return masked_store(cpu, insn, bytes, selected, 8);
}
Flow maskmovdqu(Cpu& cpu, const Insn& insn) {
  if (!enter_vector(cpu, insn)) return Flow::Fault;
  return masked_store(cpu, insn, destination_of(cpu, insn).bytes, cpu.state().fx.xmm[insn.rm].bytes, 16);
}

Flow movmskps(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  cpu.state().set_gpr32(insn.reg, sign_mask<u32, 4>(cpu.state().fx.xmm[insn.rm].bytes));
  return Flow::Next;
}
Flow movmskpd(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  cpu.state().set_gpr32(insn.reg, sign_mask<u64, 2>(cpu.state().fx.xmm[insn.rm].bytes));
  return Flow::Next;
}
Flow pmovmskb_mmx(Cpu& cpu, const Insn& insn) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  const u64 value = read_mmx(cpu.state().fx, insn.rm);
  u8 bytes[8];
  std::memcpy(bytes, &value, 8);
  cpu.state().set_gpr32(insn.reg, sign_mask<u8, 8>(bytes));
  mmx_commit(cpu.state().fx);
  return Flow::Next;
}
Flow pmovmskb_xmm(Cpu& cpu, const Insn& insn) {
  if (!enter_sse(cpu)) return Flow::Fault;
  cpu.state().set_gpr32(insn.reg, sign_mask<u8, 16>(cpu.state().fx.xmm[insn.rm].bytes));
  return Flow::Next;
}

// TOP becomes 0 as with every MMX instruction (AMD APM 5); Intel's parts leave it (SDM 1 9.5.1), where it is 0 already
// unless x87 instructions came in between.
Flow emms(Cpu& cpu, const Insn&) {
  if (!enter_mmx(cpu)) return Flow::Fault;
  mmx_commit(cpu.state().fx);
  cpu.state().fx.tags = 0;
  return Flow::Next;
}

Flow ldmxcsr(Cpu& cpu, const Insn& insn) {
  if (!enter_vector(cpu, insn)) return Flow::Fault;
  u32 value = 0;
  if (!cpu.read(segment_of(insn), offset_of(cpu.state(), insn), value)) return Flow::Fault;
  if ((value & 0xFFFF0000u) != 0) return cpu.raise(Vector::GeneralProtection, 0);
  cpu.state().fx.mxcsr = value;
  return Flow::Next;
}
Flow stmxcsr(Cpu& cpu, const Insn& insn) {
  if (!enter_vector(cpu, insn)) return Flow::Fault;
  return cpu.write(segment_of(insn), offset_of(cpu.state(), insn), cpu.state().fx.mxcsr) ? Flow::Next : Flow::Fault;
}

// One processor that does everything in order: fences and hints have nothing to do.
Flow simd_fence(Cpu&, const Insn&) { return Flow::Next; }
// CLFLUSH faults as a read of the byte would (SDM 2).
Flow clflush(Cpu& cpu, const Insn& insn) {
  u8 byte = 0;
  return cpu.read(segment_of(insn), offset_of(cpu.state(), insn), byte) ? Flow::Next : Flow::Fault;
}

}  // namespace relic86
