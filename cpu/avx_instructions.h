// AVX, AVX2, F16C and FMA (SDM 1 chapter 14): the functions that rows of cpu/insn_vex.def name. avx() is most of them.
#pragma once

#include "cpu/cpu.h"

namespace relic86 {

// Loads the row's operands, lets the host's unit carry out the instruction (cpu/vex_unit.h), stores the result.
Flow avx(Cpu& cpu, const Insn& insn);
Flow vdpps(Cpu& cpu, const Insn& insn);
Flow vdppd(Cpu& cpu, const Insn& insn);
Flow vcvtps2ph(Cpu& cpu, const Insn& insn);
Flow vzeroupper(Cpu& cpu, const Insn& insn);
Flow vzeroall(Cpu& cpu, const Insn& insn);
// By the bytes of an element.
Flow masked_load_4(Cpu& cpu, const Insn& insn);
Flow masked_load_8(Cpu& cpu, const Insn& insn);
Flow masked_store_4(Cpu& cpu, const Insn& insn);
Flow masked_store_8(Cpu& cpu, const Insn& insn);
// By the bytes of an index, then of an element.
Flow gather_4_4(Cpu& cpu, const Insn& insn);
Flow gather_4_8(Cpu& cpu, const Insn& insn);
Flow gather_8_4(Cpu& cpu, const Insn& insn);
Flow gather_8_8(Cpu& cpu, const Insn& insn);

}  // namespace relic86
