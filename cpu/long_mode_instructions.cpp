// SYSCALL, SYSRET and SWAPGS: no model offers long mode yet.
#include "cpu/cpu.h"
#include "cpu/system_instructions.h"

namespace relic86 {

Flow syscall(Cpu& cpu, const Insn&) { return cpu.raise(Vector::InvalidOpcode); }
Flow sysret(Cpu& cpu, const Insn&) { return cpu.raise(Vector::InvalidOpcode); }
Flow swapgs(Cpu& cpu, const Insn&) { return cpu.raise(Vector::InvalidOpcode); }

}  // namespace relic86
