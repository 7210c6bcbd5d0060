#include "cpu/integer_instructions.h"

#include "cpu/access.h"
#include "cpu/cpu.h"
#include "cpu/effective_address.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

namespace {

void write16(CpuState& state, Gpr index, u16 value) { state.gpr[index] = (state.gpr[index] & ~u64{0xFFFF}) | value; }

// A register of 16 or 32 bits by the operand size.
void write_full(CpuState& state, unsigned index, bool wide, u32 value) {
  if (wide) {
    state.set_gpr32(index, value);
  } else {
    write16(state, static_cast<Gpr>(index), static_cast<u16>(value));
  }
}

// One stack slot of 2 or 4 bytes at an offset in SS.
bool read_slot(Cpu& cpu, u32 offset, bool wide, u32& value) {
  offset &= cpu.stack_mask();
  if (wide) return cpu.read(kSs, offset, value);
  u16 narrow = 0;
  if (!cpu.read(kSs, offset, narrow)) return false;
  value = narrow;
  return true;
}
bool write_slot(Cpu& cpu, u32 offset, bool wide, u32 value) {
  offset &= cpu.stack_mask();
  return wide ? cpu.write(kSs, offset, value) : cpu.write(kSs, offset, static_cast<u16>(value));
}

void set_stack_pointer(Cpu& cpu, u32 value) {
  const u32 mask = cpu.stack_mask();
  CpuState& state = cpu.state();
  state.set_gpr32(kEsp, (state.gpr32(kEsp) & ~mask) | (value & mask));
}

}  // namespace

Flow xlat(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u32 offset = (state.gpr32(kEbx) + (state.gpr32(kEax) & 0xFF)) & insn.address_mask;
  u8 value = 0;
  if (!cpu.read(operand_segment(insn), offset, value)) return Flow::Fault;
  state.gpr[kEax] = (state.gpr[kEax] & ~u64{0xFF}) | value;
  return Flow::Next;
}

Flow bound(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u32 offset = effective_address(state, insn);
  const SegmentName segment = operand_segment(insn);
  i32 index = 0;
  i32 lower = 0;
  i32 upper = 0;
  if (insn.operand32()) {
    u32 low = 0;
    u32 high = 0;
    if (!cpu.read(segment, offset, low)) return Flow::Fault;
    if (!cpu.read(segment, (offset + 4) & insn.address_mask, high)) return Flow::Fault;
    index = static_cast<i32>(state.gpr32(insn.reg));
    lower = static_cast<i32>(low);
    upper = static_cast<i32>(high);
  } else {
    u16 low = 0;
    u16 high = 0;
    if (!cpu.read(segment, offset, low)) return Flow::Fault;
    if (!cpu.read(segment, (offset + 2) & insn.address_mask, high)) return Flow::Fault;
    index = static_cast<i16>(state.gpr32(insn.reg));
    lower = static_cast<i16>(low);
    upper = static_cast<i16>(high);
  }
  if (index < lower || index > upper) return cpu.raise(Vector::BoundRange);
  return Flow::Next;
}

Flow cmpxchg8b(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u32 offset = effective_address(state, insn);
  const SegmentName segment = operand_segment(insn);
  u64 old = 0;
  if (!cpu.read_for_write(segment, offset, old)) return Flow::Fault;
  const u64 expected = (u64{state.gpr32(kEdx)} << 32) | state.gpr32(kEax);
  const bool equal = old == expected;
  const u64 replacement = (u64{state.gpr32(kEcx)} << 32) | state.gpr32(kEbx);
  if (!cpu.write(segment, offset, equal ? replacement : old)) return Flow::Fault;
  if (!equal) {
    state.set_gpr32(kEax, static_cast<u32>(old));
    state.set_gpr32(kEdx, static_cast<u32>(old >> 32));
  }
  state.flags.set_eflags((state.flags.eflags() & ~u32{kZF}) | (equal ? kZF : 0u));
  return Flow::Next;
}

Flow pop_register(Cpu& cpu, const Insn& insn) {
  u32 value = 0;
  CpuState& state = cpu.state();
  const u32 pointer = state.gpr32(kEsp);
  if (!read_slot(cpu, pointer, insn.operand32(), value)) return Flow::Fault;
  set_stack_pointer(cpu, pointer + (insn.operand32() ? 4 : 2));
  write_full(state, insn.rm, insn.operand32(), value);
  return Flow::Next;
}

// The address is computed with ESP already advanced (SDM 2, POP).
Flow pop_memory(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  u32 value = 0;
  const u32 pointer = state.gpr32(kEsp);
  if (!read_slot(cpu, pointer, insn.operand32(), value)) return Flow::Fault;
  set_stack_pointer(cpu, pointer + (insn.operand32() ? 4 : 2));
  const u32 offset = effective_address(state, insn);
  const bool good = insn.operand32() ? cpu.write(operand_segment(insn), offset, value)
                                     : cpu.write(operand_segment(insn), offset, static_cast<u16>(value));
  if (good) return Flow::Next;
  state.set_gpr32(kEsp, pointer);
  return Flow::Fault;
}

Flow pusha(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const bool wide = insn.operand32();
  const u32 size = wide ? 4 : 2;
  const u32 top = state.gpr32(kEsp);
  // One push after the other: those before a fault are in memory, ESP is as it was (seen on an AMD part).
  for (u32 slot = 1; slot <= 8; ++slot) {
    if (!write_slot(cpu, top - slot * size, wide, state.gpr32(slot - 1))) return Flow::Fault;
  }
  set_stack_pointer(cpu, top - 8 * size);
  return Flow::Next;
}

Flow popa(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const bool wide = insn.operand32();
  const u32 size = wide ? 4 : 2;
  const u32 top = state.gpr32(kEsp);
  // One pop after the other: registers popped before a fault keep their values (seen on an AMD part).
  for (u32 slot = 0; slot < 8; ++slot) {
    u32 value = 0;
    if (!read_slot(cpu, top + slot * size, wide, value)) return Flow::Fault;
    if (7 - slot != kEsp) write_full(state, 7 - slot, wide, value);
  }
  set_stack_pointer(cpu, top + 8 * size);
  return Flow::Next;
}

// With a 32-bit operand size the selector is stored zero-extended, or alone in the lower half of its slot.
Flow push_segment(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u16 selector = state.segment[insn.reg].selector.raw;
  if (!insn.operand32()) return cpu.push16(selector) ? Flow::Next : Flow::Fault;
  if (!cpu.vendor().selectors_take_2_bytes) return cpu.push32(selector) ? Flow::Next : Flow::Fault;
  const u32 mask = cpu.stack_mask();
  const u32 top = (state.gpr32(kEsp) - 4) & mask;
  if (!cpu.write(kSs, top, selector)) return Flow::Fault;
  state.set_gpr32(kEsp, (state.gpr32(kEsp) & ~mask) | top);
  return Flow::Next;
}

Flow enter(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const bool wide = insn.operand32();
  const u32 size = wide ? 4 : 2;
  const u32 level = insn.immediate2 & 31u;
  const u32 top = state.gpr32(kEsp);
  const u32 mask = cpu.stack_mask();
  // What the stack pointer is after the first push: with a 16-bit stack ESP's upper half stays.
  const u32 frame = (top & ~mask) | ((top - size) & mask);
  // One push after the other: those before a fault are in memory, ESP and EBP are as they were (seen on an AMD part).
  if (!write_slot(cpu, frame, wide, state.gpr32(kEbp))) return Flow::Fault;
  for (u32 i = 1; i < level; ++i) {
    u32 pointer = 0;
    if (!read_slot(cpu, state.gpr32(kEbp) - i * size, wide, pointer)) return Flow::Fault;
    if (!write_slot(cpu, frame - i * size, wide, pointer)) return Flow::Fault;
  }
  if (level > 0 && !write_slot(cpu, frame - level * size, wide, frame)) return Flow::Fault;
  const u32 bottom = top - (1 + level) * size - insn.immediate;
  // The new top of the stack must be writable too (SDM 2, ENTER).
  if (!cpu.probe_write(kSs, bottom & cpu.stack_mask(), size)) return Flow::Fault;
  write_full(state, kEbp, wide, frame);
  set_stack_pointer(cpu, bottom);
  return Flow::Next;
}

}  // namespace relic86
