// Interrupts and exceptions, IRET (SDM 3A 6.12, 20.1.4, 20.3.1; SDM 2, IRET).
#include "cpu/direct_access.h"
#include "cpu/direct_transfers.h"
#include "cpu/transfer.h"

namespace relic86 {

namespace {

constexpr SegmentName kDataSegments[] = {kEs, kDs, kFs, kGs};  // as they stand in frames of virtual-8086 mode

bool deliver_real(Cpu& cpu, const DirectAccess& access, const DeliveredEvent& event) {
  CpuState& state = cpu.state();
  constexpr u32 kFrame = 6;
  if (u32{event.vector} * 4 + 3 > state.idtr.limit) return false;
  const u8* const entry = access.table(state.idtr.base + event.vector * 4u, 4);
  const Segment& stack = state.segment[kSs];
  u8* const frame = access.below(stack, state.gpr32(kEsp), kFrame, Privilege::Supervisor);
  if (entry == nullptr || frame == nullptr) return false;
  const u32 offset = DirectAccess::slot(entry, false, 0), selector = DirectAccess::slot(entry, false, 1);
  const u32 values[] = {static_cast<u32>(event.return_rip), state.segment[kCs].selector.raw, cpu.eflags()};
  DirectAccess::set_slots(frame, false, values, 3);
  state.set_gpr32(kEsp, DirectAccess::moved(stack, state.gpr32(kEsp), -i32{kFrame}));
  state.system_flags &= ~u32{kIF | kTF | kRF};
  set_segment_real(cpu, kCs, Selector(static_cast<u16>(selector)));
  state.rip = offset;
  update_ring(state);
  return true;
}

// What IRET makes of EFLAGS.
void take_flags(Cpu& cpu, u32 popped, u32 mask) {
  cpu.set_eflags((cpu.state().system_flags & ~mask) | (popped & mask));
}

// Real-address mode, or virtual-8086 mode with IOPL 3.
bool iret_real(Cpu& cpu, const DirectAccess& access, bool wide) {
  CpuState& state = cpu.state();
  const bool v86 = state.mode.v86;
  if (v86 && (state.system_flags & kIOPL) != kIOPL) return false;
  const u32 bytes = wide ? 12 : 6;
  const u8* const frame = access.top_of_stack(bytes);
  if (frame == nullptr) return false;
  const u32 offset = DirectAccess::slot(frame, wide, 0), selector = DirectAccess::slot(frame, wide, 1);
  const u32 flags = DirectAccess::slot(frame, wide, 2);
  if (offset > state.segment[kCs].limit || (v86 && offset > 0xFFFF) || (flags & kAC) != 0) return false;
  const u32 mask = kArithmeticFlags | kTF | kDF | kNT | kIF | (v86 ? 0u : u32{kIOPL}) | (wide ? kRF | kAC | kID : 0u);
  state.set_gpr32(kEsp, DirectAccess::moved(state.segment[kSs], state.gpr32(kEsp), static_cast<i32>(bytes)));
  set_segment_real(cpu, kCs, Selector(static_cast<u16>(selector)));
  state.rip = offset;
  take_flags(cpu, flags, mask);
  update_ring(state);
  return true;
}

bool iret_to_v86(Cpu& cpu, const DirectAccess& access, u32 flags) {
  CpuState& state = cpu.state();
  enum Slot : unsigned { kEip, kCodeSegment, kFlags, kStackPointer, kStackSegment, kData, kSlots = kData + 4 };
  const u8* const frame = access.top_of_stack(kSlots * 4);
  if (frame == nullptr) return false;
  const auto selector = [&](unsigned slot) {
    return Selector(static_cast<u16>(DirectAccess::slot(frame, true, slot)));
  };
  cpu.set_eflags(flags & ~kVM);
  state.system_flags |= kVM;
  access.load_virtual(kSs, selector(kStackSegment));
  for (unsigned i = 0; i < 4; ++i) access.load_virtual(kDataSegments[i], selector(kData + i));
  access.load_virtual(kCs, selector(kCodeSegment));
  state.rip = DirectAccess::slot(frame, true, kEip) & 0xFFFF;
  state.set_gpr32(kEsp, DirectAccess::slot(frame, true, kStackPointer));
  update_ring(state);
  return true;
}

}  // namespace

bool deliver_directly(Cpu& cpu, const DeliveredEvent& event) {
  CpuState& state = cpu.state();
  if ((state.system_flags & kAC) != 0) return false;
  const DirectAccess access(cpu);
  if (!state.mode.protected_mode) return deliver_real(cpu, access, event);
  const unsigned cpl = state.mode.cpl;
  const bool v86 = state.mode.v86;
  Descriptor gate, code;
  if (event.vector * 8u + 7 > state.idtr.limit || !access.read(state.idtr.base + event.vector * 8u, gate)) return false;
  constexpr unsigned kGate = 6;  // bits that interrupt and trap gates of both sizes share, and no other type has
  if (gate.code_or_data() || (gate.type() & kGate) != kGate || !gate.present()) return false;
  if (event.software && gate.dpl() < cpl) return false;
  const bool wide = (gate.type() & 8) != 0;
  const Selector selector = gate.gate_selector();
  const u32 offset = gate.gate_offset(wide);
  if (!access.code(selector, offset, code) || code.dpl() > cpl) return false;
  const bool inner = !code.conforming() && code.dpl() < cpl;
  if (v86 && (!inner || code.dpl() != 0)) return false;

  std::array<u32, 10> values;
  unsigned count = 0;
  if (event.has_error) values[count++] = event.error_code;
  values[count++] = static_cast<u32>(event.return_rip);
  values[count++] = state.segment[kCs].selector.raw;
  values[count++] = cpu.eflags() | (event.resume ? kRF : 0u);
  const u32 old_esp = state.gpr32(kEsp);
  Descriptor stack;
  Selector stack_selector;
  u32 esp = old_esp;
  if (inner) {
    if (!access.inner_stack(code.dpl(), stack_selector, stack, esp)) return false;
    if (!stack.big()) esp = (old_esp & 0xFFFF0000u) | (esp & 0xFFFF);
    values[count++] = old_esp;
    values[count++] = state.segment[kSs].selector.raw;
    if (v86) {
      for (const SegmentName name : kDataSegments) values[count++] = state.segment[name].selector.raw;
    }
  }
  const u32 bytes = count * (wide ? 4 : 2);
  const Segment& present = state.segment[kSs];
  u8* const frame = inner ? access.below(stack, esp, bytes) : access.below(present, esp, bytes, cpu.privilege());
  if (frame == nullptr) return false;
  DirectAccess::set_slots(frame, wide, values.data(), count);
  const i32 by = -static_cast<i32>(bytes);
  state.set_gpr32(kEsp, inner ? DirectAccess::moved(stack, esp, by) : DirectAccess::moved(present, esp, by));
  if (inner) access.load(kSs, stack_selector, stack);
  const unsigned privilege = inner ? code.dpl() : cpl;
  access.load(kCs, Selector(static_cast<u16>((selector.raw & 0xFFFC) | privilege)), code);
  if (v86) {
    for (const SegmentName name : kDataSegments) set_segment_null(cpu, name, Selector(0));
  }
  state.rip = offset;
  const bool interrupt_gate = (gate.type() & 1) == 0;
  state.system_flags &= ~(kTF | kNT | kRF | kVM | (interrupt_gate ? u32{kIF} : 0u));
  update_ring(state);
  return true;
}

bool iret_directly(Cpu& cpu, bool wide) {
  CpuState& state = cpu.state();
  if ((state.system_flags & kAC) != 0) return false;
  const DirectAccess access(cpu);
  if (state.mode.real_or_v86()) return iret_real(cpu, access, wide);
  if ((state.system_flags & kNT) != 0) return false;
  const unsigned cpl = state.mode.cpl;
  const u32 size = wide ? 4 : 2;
  enum Slot : unsigned { kEip, kCodeSegment, kFlags, kInner, kStackPointer = kInner, kStackSegment, kOuter };
  const u8* frame = access.top_of_stack(kInner * size);
  if (frame == nullptr) return false;
  const u32 offset = DirectAccess::slot(frame, wide, kEip), flags = DirectAccess::slot(frame, wide, kFlags);
  const Selector selector(static_cast<u16>(DirectAccess::slot(frame, wide, kCodeSegment)));
  if ((flags & kAC) != 0) return false;
  if ((flags & kVM) != 0 && cpl == 0) return iret_to_v86(cpu, access, flags);
  Descriptor code;
  const unsigned rpl = selector.rpl();
  if (rpl < cpl || !access.code(selector, offset, code)) return false;
  if (code.conforming() ? code.dpl() > rpl : code.dpl() != rpl) return false;
  u32 mask = kArithmeticFlags | kTF | kDF | kNT;
  if (wide) mask |= kRF | kAC | kID;
  if (cpl <= (state.system_flags >> 12 & 3)) mask |= kIF;
  if (cpl == 0) mask |= kIOPL | (wide ? kVIF | kVIP : 0u);
  if (rpl == cpl) {
    const i32 bytes = static_cast<i32>(kInner * size);
    state.set_gpr32(kEsp, DirectAccess::moved(state.segment[kSs], state.gpr32(kEsp), bytes));
  } else {
    frame = access.top_of_stack(kOuter * size);
    if (frame == nullptr) return false;
    Descriptor stack;
    const Selector stack_selector(static_cast<u16>(DirectAccess::slot(frame, wide, kStackSegment)));
    if (!access.stack(stack_selector, rpl, stack)) return false;
    const u32 esp = DirectAccess::slot(frame, wide, kStackPointer);
    // What lies above a 16-bit stack pointer is what the inner frame's end leaves there.
    const u32 popped =
        DirectAccess::moved(state.segment[kSs], state.gpr32(kEsp), static_cast<i32>(kOuter * size)) & 0xFFFF0000u;
    access.load(kSs, stack_selector, stack);
    state.set_gpr32(kEsp, stack.big() ? esp : popped | (esp & 0xFFFF));
  }
  access.load(kCs, selector, code);
  state.rip = offset;
  take_flags(cpu, flags, mask);
  update_ring(state);
  if (rpl != cpl) drop_privileged_segments(cpu);
  return true;
}

}  // namespace relic86
