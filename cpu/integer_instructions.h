// Integer instructions that stay functions: decimal arithmetic, PUSHA, ENTER, BOUND and others that no profile shows.
#pragma once

#include "cpu/fault.h"
#include "cpu/insn.h"

namespace relic86 {

// What DAA, DAS, AAA and AAS make of AL, CF and AF: AL, what is added to AH, and the six arithmetic flags. The unpacked
// ones do not look at carry.
enum class Decimal : u8 { Daa, Das, Aaa, Aas };
struct DecimalResult {
  u8 low = 0;
  i8 high_change = 0;
  u32 eflags = 0;
};
DecimalResult adjust_decimal(Decimal kind, u8 low, bool carry, bool adjust);

Flow daa(Cpu& cpu, const Insn& insn);
Flow das(Cpu& cpu, const Insn& insn);
Flow aaa(Cpu& cpu, const Insn& insn);
Flow aas(Cpu& cpu, const Insn& insn);
Flow aam(Cpu& cpu, const Insn& insn);
Flow aad(Cpu& cpu, const Insn& insn);

Flow xlat(Cpu& cpu, const Insn& insn);
Flow bound(Cpu& cpu, const Insn& insn);
Flow cmpxchg8b(Cpu& cpu, const Insn& insn);

Flow pop_register(Cpu& cpu, const Insn& insn);  // 8F with a register
Flow pop_memory(Cpu& cpu, const Insn& insn);
Flow pusha(Cpu& cpu, const Insn& insn);
Flow popa(Cpu& cpu, const Insn& insn);
Flow push_segment(Cpu& cpu, const Insn& insn);
Flow enter(Cpu& cpu, const Insn& insn);

}  // namespace relic86
