// IN, OUT and the I/O permission check (SDM 1 chapter 19).
#include "cpu/access.h"
#include "cpu/debug_registers.h"
#include "cpu/long_mode.h"
#include "cpu/system_instructions.h"

namespace relic86 {

bool io_permitted(Cpu& cpu, IoPort port, unsigned width) {
  const CpuState& state = cpu.state();
  if (!state.mode.protected_mode) return true;
  if (!state.mode.v86 && state.mode.cpl <= (state.system_flags >> 12 & 3)) return true;
  const Segment& tss = state.segment[kTr];
  const auto refuse = [&] {
    cpu.raise(Vector::GeneralProtection, 0);
    return false;
  };
  if ((tss.type() & 8) == 0 || tss.limit < 103) return refuse();
  u16 map = 0, bits = 0;
  if (!cpu.read_system(system_address(state, tss.base + 102), map)) return false;
  const u32 offset = map + port.raw / 8u;
  if (offset + 1 > tss.limit) return refuse();  // two bytes are always read
  if (!cpu.read_system(system_address(state, tss.base + offset), bits)) return false;
  const u32 wanted = ((1u << width) - 1) << (port.raw & 7);
  return (bits & wanted) == 0 ? true : refuse();
}

namespace {

Flow input(Cpu& cpu, u16 port, unsigned width) {
  if (!io_permitted(cpu, IoPort(port), width)) return Flow::Fault;
  check_io_breakpoints(cpu, IoPort(port), width);
  CpuState& state = cpu.state();
  const u32 value = cpu.io().read(IoPort(port), width);
  const u64 mask = all_ones(width);
  state.gpr[kEax] = (width == 4 ? 0 : state.gpr[kEax] & ~mask) | (value & mask);
  return Flow::Next;
}

Flow output(Cpu& cpu, u16 port, unsigned width) {
  if (!io_permitted(cpu, IoPort(port), width)) return Flow::Fault;
  check_io_breakpoints(cpu, IoPort(port), width);
  cpu.io().write(IoPort(port), width, cpu.state().gpr32(kEax));
  return Flow::Stop;  // a device may have remapped memory, raised an interrupt or ended the run
}

unsigned full(const Insn& insn) { return insn.operand32() ? 4 : 2; }
u16 dx(const Cpu& cpu) { return static_cast<u16>(cpu.state().gpr[kEdx]); }

}  // namespace

Flow in_immediate_byte(Cpu& cpu, const Insn& insn) { return input(cpu, insn.immediate & 0xFF, 1); }
Flow in_immediate_full(Cpu& cpu, const Insn& insn) { return input(cpu, insn.immediate & 0xFF, full(insn)); }
Flow in_dx_byte(Cpu& cpu, const Insn&) { return input(cpu, dx(cpu), 1); }
Flow in_dx_full(Cpu& cpu, const Insn& insn) { return input(cpu, dx(cpu), full(insn)); }
Flow out_immediate_byte(Cpu& cpu, const Insn& insn) { return output(cpu, insn.immediate & 0xFF, 1); }
Flow out_immediate_full(Cpu& cpu, const Insn& insn) { return output(cpu, insn.immediate & 0xFF, full(insn)); }
Flow out_dx_byte(Cpu& cpu, const Insn&) { return output(cpu, dx(cpu), 1); }
Flow out_dx_full(Cpu& cpu, const Insn& insn) { return output(cpu, dx(cpu), full(insn)); }

}  // namespace relic86
