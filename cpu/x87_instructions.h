// x87 instructions (SDM 1 chapter 8, SDM 2): checks, memory operands and bookkeeping around cpu/x87_unit.h.
#pragma once

#include "cpu/cpu.h"

namespace relic86 {

// Arithmetic, loads, stores, compares: the memory and register forms of escape opcodes D8h-DFh.
template <u8 escape>
Flow x87_memory(Cpu& cpu, const Insn& insn);
template <u8 escape>
Flow x87_register(Cpu& cpu, const Insn& insn);

// Control forms.
Flow x87_fldcw(Cpu& cpu, const Insn& insn);
Flow x87_fnstcw(Cpu& cpu, const Insn& insn);
Flow x87_fnstsw_memory(Cpu& cpu, const Insn& insn);
Flow x87_fnstsw_ax(Cpu& cpu, const Insn& insn);
Flow x87_fnclex(Cpu& cpu, const Insn& insn);
Flow x87_fninit(Cpu& cpu, const Insn& insn);
Flow x87_fldenv(Cpu& cpu, const Insn& insn);
Flow x87_fnstenv(Cpu& cpu, const Insn& insn);
Flow x87_frstor(Cpu& cpu, const Insn& insn);
Flow x87_fnsave(Cpu& cpu, const Insn& insn);
Flow x87_fwait(Cpu& cpu, const Insn& insn);
Flow x87_no_operation(Cpu& cpu, const Insn& insn);  // FENI, FDISI, FSETPM: relics of the 8087 and 80287

// FXSAVE and FXRSTOR (SDM 2): the 512-byte image.
Flow fxsave(Cpu& cpu, const Insn& insn);
Flow fxrstor(Cpu& cpu, const Insn& insn);

// ES and B follow from the exception flags and their masks (SDM 1 8.1.3.3).
void x87_update_summary(FxState& fx);
// The full tag word (2 bits a register, R0 lowest) from the abridged one and the contents (SDM 1 8.1.7).
u16 x87_tag_word(const FxState& fx);
void x87_set_tag_word(FxState& fx, u16 tags);

}  // namespace relic86
