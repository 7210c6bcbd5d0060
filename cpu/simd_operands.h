// Operand access shared by the SIMD instructions: availability checks, XMM and MMX registers, memory of 4 to 16 bytes.
#pragma once

#include <cstring>

#include "cpu/access.h"
#include "cpu/control_bits.h"
#include "cpu/cpu.h"
#include "cpu/effective_address.h"

namespace relic86::simd {

inline constexpr u32 kCr0Em = 1u << 2, kCr0Ts = 1u << 3;

inline u64 offset_of(const CpuState& state, const Insn& insn) { return effective_address(state, insn); }
inline SegmentName segment_of(const Insn& insn) { return static_cast<SegmentName>(insn.segment); }
// Of an operand that must lie at a multiple of 16; false: #GP(0) is raised, on the stack too.
inline bool check_aligned(Cpu& cpu, const Insn& insn, u64 offset) {
  if ((cpu.linear_address(segment_of(insn), offset).raw & 15) == 0) return true;
  cpu.raise(Vector::GeneralProtection, 0);
  return false;
}

// SDM 3A 13.1: SSE needs CR4.OSFXSR and CR0.EM clear (#UD), CR0.TS clear (#NM).
inline bool enter_sse(Cpu& cpu) {
  const CpuState& state = cpu.state();
  if ((state.cr0 & kCr0Em) != 0 || (state.cr4 & kCr4OsFxsr) == 0) {
    cpu.raise(Vector::InvalidOpcode);
    return false;
  }
  if ((state.cr0 & kCr0Ts) != 0) {
    cpu.raise(Vector::DeviceNotAvailable);
    return false;
  }
  return true;
}

// SDM 1 14.3: AVX is #UD in real-address and virtual-8086 mode, without CR4.OSXSAVE, and unless XCR0 enables SSE and
// AVX; #NM with CR0.TS. CR0.EM does not matter.
inline bool enter_avx(Cpu& cpu) {
  const CpuState& state = cpu.state();
  constexpr u64 kBoth = kXcr0Sse | kXcr0Avx;
  if (state.mode.real_or_v86() || (state.cr4 & kCr4OsXsave) == 0 || (state.xcr0 & kBoth) != kBoth) {
    cpu.raise(Vector::InvalidOpcode);
    return false;
  }
  if ((state.cr0 & kCr0Ts) != 0) {
    cpu.raise(Vector::DeviceNotAvailable);
    return false;
  }
  return true;
}
// Of an instruction that exists with and without a VEX prefix.
inline bool enter_vector(Cpu& cpu, const Insn& insn) { return insn.vex() ? enter_avx(cpu) : enter_sse(cpu); }

// SDM 3A 12.1: #UD with EM, #NM with TS, #MF for a pending x87 exception. On success the x87 is in MMX state: TOP 0,
// all tags valid (done by mmx_commit when the instruction completes).
inline bool enter_mmx(Cpu& cpu) {
  const CpuState& state = cpu.state();
  if ((state.cr0 & kCr0Em) != 0) {
    cpu.raise(Vector::InvalidOpcode);
    return false;
  }
  if ((state.cr0 & kCr0Ts) != 0) {
    cpu.raise(Vector::DeviceNotAvailable);
    return false;
  }
  if ((state.fx.status & 0x80) != 0) {
    cpu.raise(Vector::X87Error);
    return false;
  }
  return true;
}

inline u64 read_mmx(const FxState& fx, unsigned n) {
  u64 value = 0;
  std::memcpy(&value, fx.st[(n - fx.top()) & 7].bytes, 8);
  return value;
}
// TOP becomes 0; registers keep their physical places.
inline void mmx_clear_top(FxState& fx) {
  if (fx.top() == 0) return;
  FxState::Slot physical[8];
  for (unsigned i = 0; i < 8; i++) physical[(i + fx.top()) & 7] = fx.st[i];
  std::memcpy(fx.st, physical, sizeof physical);
  fx.status &= static_cast<u16>(~(7u << 11));
}
// Any MMX instruction but EMMS: TOP becomes 0 and every tag valid.
inline void mmx_commit(FxState& fx) {
  mmx_clear_top(fx);
  fx.tags = 0xFF;
}
inline void write_mmx(FxState& fx, unsigned n, u64 value) {
  mmx_commit(fx);
  std::memcpy(fx.st[n].bytes, &value, 8);
  fx.st[n].bytes[8] = fx.st[n].bytes[9] = 0xFF;  // exponent and sign read as ones
}

// The source operand: a register, or `size` bytes of memory with the rest of the slot zero. aligned: 16-byte operands
// must be.
inline bool read_xmm_source(Cpu& cpu, const Insn& insn, unsigned size, bool aligned, FxState::Slot& value) {
  CpuState& state = cpu.state();
  if (!insn.memory()) {
    value = state.fx.xmm[insn.rm];
    return true;
  }
  const u64 offset = offset_of(state, insn);
  if (aligned && !check_aligned(cpu, insn, offset)) return false;
  value = {};
  return cpu.read_bytes(segment_of(insn), offset, value.bytes, size);
}
inline bool write_memory(Cpu& cpu, const Insn& insn, const void* bytes, unsigned size, bool aligned = false) {
  CpuState& state = cpu.state();
  const u64 offset = offset_of(state, insn);
  if (aligned && !check_aligned(cpu, insn, offset)) return false;
  return cpu.write_bytes(segment_of(insn), offset, bytes, size);
}
inline bool read_mmx_source(Cpu& cpu, const Insn& insn, unsigned size, u64& value) {
  if (!insn.memory()) {
    value = read_mmx(cpu.state().fx, insn.rm);
    return true;
  }
  value = 0;
  return cpu.read_bytes(segment_of(insn), offset_of(cpu.state(), insn), &value, size);
}

// An unmasked SIMD exception: #XM, or #UD when the system has not said that it handles them (SDM 3A 13.1.2).
inline Flow simd_exception(Cpu& cpu) {
  return cpu.raise((cpu.state().cr4 & kCr4OsXmmExcpt) != 0 ? Vector::SimdError : Vector::InvalidOpcode);
}

}  // namespace relic86::simd
