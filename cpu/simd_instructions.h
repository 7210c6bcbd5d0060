// MMX, SSE to SSE4.2, SSE4a, AES, PCLMULQDQ and SHA instructions (SDM 1 chapters 9 to 12): checks, operands and
// exceptions around cpu/simd_unit.h.
#pragma once

#include <span>

#include "cpu/cpu.h"
#include "cpu/simd_unit.h"

namespace relic86 {

using simd_unit::Map;
using simd_unit::Prefix;

// Plain forms: destination register OP= register or memory of that many bytes; the row names the operation.
Flow simd_xmm_8(Cpu& cpu, const Insn& insn);
Flow simd_xmm_4(Cpu& cpu, const Insn& insn);
Flow simd_xmm_2(Cpu& cpu, const Insn& insn);
Flow simd_xmm_16(Cpu& cpu, const Insn& insn);
// The same in floating point: MXCSR counts, #XM may be raised.
Flow simd_floating_4(Cpu& cpu, const Insn& insn);
Flow simd_floating_8(Cpu& cpu, const Insn& insn);
Flow simd_floating_16(Cpu& cpu, const Insn& insn);
Flow simd_mmx_4(Cpu& cpu, const Insn& insn);
Flow simd_mmx_8(Cpu& cpu, const Insn& insn);

// clang-format off
#define RELIC86_SIMD_FUNCTIONS(F) \
  F(emms) F(ldmxcsr) F(stmxcsr) F(simd_fence) F(clflush) F(movaps_load) F(movaps_store) F(movups_load) \
  F(movups_store) F(movnt_store) F(movss_load) F(movss_store) F(movsd_load) F(movsd_store) F(movlps_load) \
  F(movlps_store) F(movhps_load) F(movhps_store) F(movlpd_load) F(movhpd_load) F(movd_to_mmx) F(movd_from_mmx) \
  F(movd_to_xmm) F(movd_from_xmm) F(movq_mmx_load) F(movq_mmx_store) F(movntq) F(movq_xmm_load) F(movq_xmm_store) \
  F(movq2dq) F(movdq2q) F(maskmovq) F(maskmovdqu) F(movmskps) F(movmskpd) F(pmovmskb_mmx) F(pmovmskb_xmm) \
  F(cvtpi2ps) F(cvtpi2pd) F(cvtps2pi) F(cvttps2pi) F(cvtpd2pi) F(cvttpd2pi) F(cvtsi2ss) F(cvtsi2sd) F(cvtss2si) \
  F(cvttss2si) F(cvtsd2si) F(cvttsd2si) F(ucomiss) F(comiss) F(ucomisd) F(comisd) F(cmpps) F(cmppd) F(cmpss) \
  F(cmpsd) F(shufps) F(shufpd) F(pshufd) F(pshuflw) F(pshufhw) F(pshufw) F(pinsrw_mmx) F(pinsrw_xmm) F(pextrw_mmx) \
  F(pextrw_xmm) F(palignr_mmx) F(palignr_xmm) F(shift_imm_mmx_71) F(shift_imm_mmx_72) F(shift_imm_mmx_73) \
  F(shift_imm_xmm_71) F(shift_imm_xmm_72) F(shift_imm_xmm_73)
// clang-format on
#define RELIC86_DECLARE(name) Flow name(Cpu& cpu, const Insn& insn);
RELIC86_SIMD_FUNCTIONS(RELIC86_DECLARE)
#undef RELIC86_DECLARE
// --- SSE4.1, SSE4.2 (cpu/simd_sse4.cpp) ---
Flow pblendvb(Cpu& cpu, const Insn& insn);
Flow blendvps(Cpu& cpu, const Insn& insn);
Flow blendvpd(Cpu& cpu, const Insn& insn);
Flow ptest(Cpu& cpu, const Insn& insn);
Flow roundps(Cpu& cpu, const Insn& insn);
Flow roundpd(Cpu& cpu, const Insn& insn);
Flow roundss(Cpu& cpu, const Insn& insn);
Flow roundsd(Cpu& cpu, const Insn& insn);
Flow blendps(Cpu& cpu, const Insn& insn);
Flow blendpd(Cpu& cpu, const Insn& insn);
Flow pblendw(Cpu& cpu, const Insn& insn);
Flow pextrb(Cpu& cpu, const Insn& insn);
Flow pextrw_rm(Cpu& cpu, const Insn& insn);
Flow pextrd(Cpu& cpu, const Insn& insn);
Flow extractps(Cpu& cpu, const Insn& insn);
Flow pinsrb(Cpu& cpu, const Insn& insn);
Flow insertps(Cpu& cpu, const Insn& insn);
Flow pinsrd(Cpu& cpu, const Insn& insn);
Flow dpps(Cpu& cpu, const Insn& insn);
Flow dppd(Cpu& cpu, const Insn& insn);
Flow mpsadbw(Cpu& cpu, const Insn& insn);
// Adds to mxcsr what DPPS (lanes of 4 bytes) and DPPD (8) raise; selected: bits 7:4 of the immediate. False: an
// unmasked exception.
template <unsigned lane_bytes>
bool dot_flags(u32& mxcsr, std::span<const FxState::Slot> first, std::span<const FxState::Slot> second, u8 selected);
Flow pcmpestrm(Cpu& cpu, const Insn& insn);
Flow pcmpestri(Cpu& cpu, const Insn& insn);
Flow pcmpistrm(Cpu& cpu, const Insn& insn);
Flow pcmpistri(Cpu& cpu, const Insn& insn);
// --- AES, PCLMULQDQ, SHA, SSE4a (cpu/simd_later.cpp) ---
Flow pclmulqdq(Cpu& cpu, const Insn& insn);
Flow aeskeygenassist(Cpu& cpu, const Insn& insn);
Flow simd_xmm_sha(Cpu& cpu, const Insn& insn);
Flow sha1rnds4(Cpu& cpu, const Insn& insn);
Flow sha256rnds2(Cpu& cpu, const Insn& insn);
Flow extrq_immediate(Cpu& cpu, const Insn& insn);
Flow extrq_register(Cpu& cpu, const Insn& insn);
Flow insertq_immediate(Cpu& cpu, const Insn& insn);
Flow insertq_register(Cpu& cpu, const Insn& insn);

}  // namespace relic86
