#include "cpu/integer_instructions.h"

#include <type_traits>

#include "cpu/access.h"
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/effective_address.h"
#include "cpu/sized_access.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

namespace {

// One stack slot at an offset in SS.
bool read_slot(Cpu& cpu, u64 offset, u32 size, u64& value) {
  return read_sized(cpu, kSs, offset & cpu.pointer_mask(), size, value);
}
bool write_slot(Cpu& cpu, u64 offset, u32 size, u64 value) {
  return write_sized(cpu, kSs, offset & cpu.pointer_mask(), size, value);
}

void set_stack_pointer(Cpu& cpu, u64 value) {
  const u64 mask = cpu.pointer_mask();
  CpuState& state = cpu.state();
  state.gpr[kEsp] = (state.gpr[kEsp] & ~mask) | (value & mask);
}

}  // namespace

Flow xlat(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u64 offset = masked_offset(insn, state.gpr[kEbx] + (state.gpr[kEax] & 0xFF));
  u8 value = 0;
  if (!cpu.read(operand_segment(insn), offset, value)) return Flow::Fault;
  state.gpr[kEax] = (state.gpr[kEax] & ~u64{0xFF}) | value;
  return Flow::Next;
}

namespace {

template <class W>
Flow check_bounds(Cpu& cpu, const Insn& insn) {
  using Signed = std::make_signed_t<W>;
  const u32 offset = static_cast<u32>(effective_address(cpu.state(), insn));
  const SegmentName segment = operand_segment(insn);
  const Signed index = static_cast<Signed>(cpu.state().gpr32(insn.reg));
  W lower = 0, upper = 0;
  if (!cpu.read(segment, offset, lower)) return Flow::Fault;
  const bool below = index < static_cast<Signed>(lower);
  if (below && cpu.vendor().bound_stops_at_lower) return cpu.raise(Vector::BoundRange);
  if (!cpu.read(segment, (offset + static_cast<u32>(sizeof(W))) & insn.address_mask, upper)) return Flow::Fault;
  return below || index > static_cast<Signed>(upper) ? cpu.raise(Vector::BoundRange) : Flow::Next;
}

}  // namespace

Flow bound(Cpu& cpu, const Insn& insn) {
  return insn.operand32() ? check_bounds<u32>(cpu, insn) : check_bounds<u16>(cpu, insn);
}

namespace {

// CMPXCHG16B: the operand must be aligned, whatever EFLAGS.AC says.
Flow cmpxchg16b(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  constexpr u32 kSize = 16;
  struct Pair {
    u64 low = 0, high = 0;
    bool operator==(const Pair&) const = default;
  };
  const u64 offset = effective_address(state, insn);
  const SegmentName segment = operand_segment(insn);
  if (cpu.linear_address(segment, offset).raw % kSize != 0) return cpu.raise(Vector::GeneralProtection, 0);
  Pair old;
  if (!cpu.probe_write(segment, offset, kSize) || !cpu.read_bytes(segment, offset, &old, kSize)) return Flow::Fault;
  const bool equal = old == Pair{state.gpr[kEax], state.gpr[kEdx]};
  const Pair replacement = equal ? Pair{state.gpr[kEbx], state.gpr[kEcx]} : old;
  if (!cpu.write_bytes(segment, offset, &replacement, kSize)) return Flow::Fault;
  if (!equal) {
    state.gpr[kEax] = old.low;
    state.gpr[kEdx] = old.high;
  }
  state.flags.set_eflags((state.flags.eflags() & ~u32{kZF}) | (equal ? kZF : 0u));
  return Flow::Next;
}

}  // namespace

Flow cmpxchg8b(Cpu& cpu, const Insn& insn) {
  if (insn.operand64()) {
    const bool has = (cpu.model().instructions & feature_bit(Feature::Cmpxchg16b)) != 0;
    return has ? cmpxchg16b(cpu, insn) : cpu.raise(Vector::InvalidOpcode);
  }
  CpuState& state = cpu.state();
  const u64 offset = effective_address(state, insn);
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
  u64 value = 0;
  CpuState& state = cpu.state();
  const u64 pointer = state.gpr[kEsp];
  const u32 size = operand_bytes(insn);
  if (!read_slot(cpu, pointer, size, value)) return Flow::Fault;
  set_stack_pointer(cpu, pointer + size);
  write_sized_register(state, insn.rm, size, value);
  return Flow::Next;
}

// The address is computed with ESP already advanced (SDM 2, POP).
Flow pop_memory(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  u64 value = 0;
  const u64 pointer = state.gpr[kEsp];
  const u32 size = operand_bytes(insn);
  if (!read_slot(cpu, pointer, size, value)) return Flow::Fault;
  set_stack_pointer(cpu, pointer + size);
  if (write_sized(cpu, operand_segment(insn), effective_address(state, insn), size, value)) return Flow::Next;
  state.gpr[kEsp] = pointer;
  return Flow::Fault;
}

Flow pusha(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u32 size = operand_bytes(insn);
  const u64 top = state.gpr[kEsp];
  // One push after the other: those before a fault are in memory, ESP is as it was (seen on an AMD part).
  for (u32 slot = 1; slot <= 8; ++slot) {
    if (!write_slot(cpu, top - slot * size, size, state.gpr[slot - 1])) return Flow::Fault;
  }
  set_stack_pointer(cpu, top - 8 * size);
  return Flow::Next;
}

Flow popa(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u32 size = operand_bytes(insn);
  const u64 top = state.gpr[kEsp];
  // One pop after the other: registers popped before a fault keep their values (seen on an AMD part).
  for (u32 slot = 0; slot < 8; ++slot) {
    u64 value = 0;
    if (!read_slot(cpu, top + slot * size, size, value)) return Flow::Fault;
    if (7 - slot != kEsp) write_sized_register(state, 7 - slot, size, value);
  }
  set_stack_pointer(cpu, top + 8 * size);
  return Flow::Next;
}

// With an operand size above 16 bits the selector is stored zero-extended, or alone in the lowest bytes of its slot.
Flow push_segment(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u16 selector = state.segment[insn.reg].selector.raw;
  if (insn.operand64() || !insn.operand32() || !cpu.vendor().selectors_take_2_bytes)
    return cpu.push_operand(insn, selector) ? Flow::Next : Flow::Fault;
  const u64 top = state.gpr[kEsp] - operand_bytes(insn);
  if (!cpu.write(kSs, top & cpu.pointer_mask(), selector)) return Flow::Fault;
  set_stack_pointer(cpu, top);
  return Flow::Next;
}

Flow enter(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const u32 size = operand_bytes(insn);
  const u32 level = insn.immediate2() & 31u;
  const u64 top = state.gpr[kEsp];
  const u64 mask = cpu.pointer_mask();
  // What the stack pointer is after the first push: with a 16-bit stack ESP's upper half stays.
  const u64 frame = (top & ~mask) | ((top - size) & mask);
  // One push after the other: those before a fault are in memory, ESP and EBP are as they were (seen on an AMD part).
  if (!write_slot(cpu, frame, size, state.gpr[kEbp])) return Flow::Fault;
  for (u32 i = 1; i < level; ++i) {
    u64 pointer = 0;
    if (!read_slot(cpu, state.gpr[kEbp] - i * size, size, pointer)) return Flow::Fault;
    if (!write_slot(cpu, frame - i * size, size, pointer)) return Flow::Fault;
  }
  if (level > 0 && !write_slot(cpu, frame - level * size, size, frame)) return Flow::Fault;
  const u64 bottom = top - (1 + level) * size - static_cast<u16>(insn.immediate);
  // The new top of the stack must be writable too (SDM 2, ENTER).
  if (!cpu.probe_write(kSs, bottom & mask, size)) return Flow::Fault;
  write_sized_register(state, kEbp, size, frame);
  set_stack_pointer(cpu, bottom);
  return Flow::Next;
}

}  // namespace relic86
