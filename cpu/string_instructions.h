// MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS with and without REP. A repeated one runs as many iterations as the budget
// and the present pages allow, counts one instruction per iteration, and answers Flow::Again when iterations are left:
// state is exact then, so an interrupt may come between.
#pragma once

#include "cpu/fault.h"
#include "cpu/insn.h"

namespace relic86 {

Flow string_movs_byte(Cpu& cpu, const Insn& insn);
Flow string_movs_full(Cpu& cpu, const Insn& insn);
Flow string_cmps_byte(Cpu& cpu, const Insn& insn);
Flow string_cmps_full(Cpu& cpu, const Insn& insn);
Flow string_stos_byte(Cpu& cpu, const Insn& insn);
Flow string_stos_full(Cpu& cpu, const Insn& insn);
Flow string_lods_byte(Cpu& cpu, const Insn& insn);
Flow string_lods_full(Cpu& cpu, const Insn& insn);
Flow string_scas_byte(Cpu& cpu, const Insn& insn);
Flow string_scas_full(Cpu& cpu, const Insn& insn);
Flow string_ins_byte(Cpu& cpu, const Insn& insn);
Flow string_ins_full(Cpu& cpu, const Insn& insn);
Flow string_outs_byte(Cpu& cpu, const Insn& insn);
Flow string_outs_full(Cpu& cpu, const Insn& insn);

}  // namespace relic86
