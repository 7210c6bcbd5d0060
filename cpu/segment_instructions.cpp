// MOV, POP and LxS of segment registers; LAR, LSL, VERR, VERW, ARPL; LLDT, LTR, SLDT, STR and the table registers (SDM
// 2).
#include "cpu/access.h"
#include "cpu/cpuid.h"
#include "cpu/effective_address.h"
#include "cpu/instruction_table.h"
#include "cpu/long_mode.h"
#include "cpu/segmentation.h"
#include "cpu/sized_access.h"
#include "cpu/system_instructions.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

namespace {

bool read_operand16(Cpu& cpu, const Insn& insn, u16& value) {
  if (insn.memory()) return cpu.read(operand_segment(insn), effective_address(cpu.state(), insn), value);
  value = static_cast<u16>(cpu.state().gpr[insn.rm]);
  return true;
}

// Stores 16 bits; to a register with an operand size above 16 bits the rest becomes `upper`.
Flow write_operand16(Cpu& cpu, const Insn& insn, u16 value, u32 upper = 0) {
  CpuState& state = cpu.state();
  if (insn.memory())
    return cpu.write(operand_segment(insn), effective_address(state, insn), value) ? Flow::Next : Flow::Fault;
  if (insn.operand32())
    state.set_gpr32(insn.rm, upper | value);
  else
    state.gpr[insn.rm] = (state.gpr[insn.rm] & ~u64{0xFFFF}) | value;
  return Flow::Next;
}

void write_register(CpuState& state, const Insn& insn, u64 value) {
  if (insn.operand64())
    state.gpr[insn.reg] = value;
  else if (insn.operand32())
    state.set_gpr32(insn.reg, static_cast<u32>(value));
  else
    state.gpr[insn.reg] = (state.gpr[insn.reg] & ~u64{0xFFFF}) | (value & 0xFFFF);
}

void set_zf(CpuState& state, bool zero) {
  const u32 flags = state.flags.eflags();
  state.flags.set_eflags(zero ? flags | kZF : flags & ~kZF);
}

Flow load_far(Cpu& cpu, const Insn& insn, SegmentName name) {
  CpuState& state = cpu.state();
  Selector selector;
  u64 offset = 0;
  if (!read_far_pointer(cpu, insn, selector, offset) || !load_segment(cpu, name, selector)) return Flow::Fault;
  write_register(state, insn, offset);
  return Flow::Stop;
}

bool privileged(Cpu& cpu) {
  if (cpu.state().mode.cpl == 0) return true;
  cpu.raise(Vector::GeneralProtection, 0);
  return false;
}
// Instructions that real and virtual-8086 mode do not know (SDM 3A 20.1.3).
bool protected_only(Cpu& cpu) {
  if (!cpu.state().mode.real_or_v86()) return true;
  cpu.raise(Vector::InvalidOpcode);
  return false;
}

// The descriptor for LAR, LSL, VERR, VERW if the program may know of it. ok false: page fault.
std::optional<Descriptor> visible_descriptor(Cpu& cpu, Selector selector, bool& ok) {
  std::optional<Descriptor> descriptor;
  ok = peek_descriptor(cpu, selector, descriptor);
  if (!ok || !descriptor) return std::nullopt;
  const unsigned weaker = std::max<unsigned>(cpu.state().mode.cpl, selector.rpl());
  if (!(descriptor->code_or_data() && descriptor->conforming()) && descriptor->dpl() < weaker) return std::nullopt;
  return descriptor;
}

}  // namespace

Flow mov_from_segment(Cpu& cpu, const Insn& insn) {
  if (insn.reg >= kSegmentRegisters) return cpu.raise(Vector::InvalidOpcode);
  return write_operand16(cpu, insn, cpu.state().segment[insn.reg].selector.raw);
}

Flow mov_to_segment(Cpu& cpu, const Insn& insn) {
  if (insn.reg >= kSegmentRegisters || insn.reg == kCs) return cpu.raise(Vector::InvalidOpcode);
  u16 value = 0;
  if (!read_operand16(cpu, insn, value)) return Flow::Fault;
  if (!load_segment(cpu, static_cast<SegmentName>(insn.reg), Selector(value))) return Flow::Fault;
  if (insn.reg == kSs) cpu.state().shadow |= kShadowMovSs;
  return Flow::Stop;
}

Flow pop_segment(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  const auto name = static_cast<SegmentName>(instruction_table()[insn.row].opcode >> 3 & 7);
  const u64 mask = cpu.pointer_mask(), old_rsp = state.gpr[kEsp], top = old_rsp & mask;
  const unsigned size = operand_bytes(insn), read = cpu.vendor().selectors_take_2_bytes ? 2 : size;
  u64 selector = 0;
  if (!read_sized(cpu, kSs, top, read, selector)) return Flow::Fault;
  if (!load_segment(cpu, name, Selector(static_cast<u16>(selector)))) return Flow::Fault;
  // By the stack that the selector came from, whatever SS is now.
  state.gpr[kEsp] = (old_rsp & ~mask) | ((old_rsp + size) & mask);
  if (name == kSs) state.shadow |= kShadowMovSs;
  return Flow::Stop;
}

Flow les(Cpu& cpu, const Insn& insn) { return load_far(cpu, insn, kEs); }
Flow lds(Cpu& cpu, const Insn& insn) { return load_far(cpu, insn, kDs); }
Flow lss(Cpu& cpu, const Insn& insn) { return load_far(cpu, insn, kSs); }
Flow lfs(Cpu& cpu, const Insn& insn) { return load_far(cpu, insn, kFs); }
Flow lgs(Cpu& cpu, const Insn& insn) { return load_far(cpu, insn, kGs); }

Flow arpl(Cpu& cpu, const Insn& insn) {
  if (!protected_only(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  u16 destination = 0;
  const u64 at = insn.memory() ? effective_address(state, insn) : 0;
  // Only an adjusted operand needs to be writable.
  if (!read_operand16(cpu, insn, destination)) return Flow::Fault;
  const u16 source = static_cast<u16>(state.gpr[insn.reg]);
  const bool adjust = (destination & 3) < (source & 3);
  if (adjust) {
    destination = static_cast<u16>((destination & ~3u) | (source & 3));
    if (insn.memory()) {
      if (!cpu.write(operand_segment(insn), at, destination)) return Flow::Fault;
    } else {
      state.gpr[insn.rm] = (state.gpr[insn.rm] & ~u64{0xFFFF}) | destination;
    }
  }
  set_zf(state, adjust);
  return Flow::Next;
}

Flow sldt(Cpu& cpu, const Insn& insn) {
  if (!protected_only(cpu) || !user_may_store(cpu)) return Flow::Fault;
  return write_operand16(cpu, insn, cpu.state().segment[kLdtr].selector.raw);
}
Flow str(Cpu& cpu, const Insn& insn) {
  if (!protected_only(cpu) || !user_may_store(cpu)) return Flow::Fault;
  return write_operand16(cpu, insn, cpu.state().segment[kTr].selector.raw);
}

namespace {
// What LLDT and LTR load: in long mode 16 bytes, whose base must be canonical. False: fault.
bool fetch_system_descriptor(Cpu& cpu, Selector selector, WideDescriptor& descriptor) {
  if (!cpu.state().mode.long_mode) return fetch_descriptor(cpu, selector, descriptor, Vector::GeneralProtection);
  if (!fetch_wide_descriptor(cpu, selector, descriptor, Vector::GeneralProtection)) return false;
  if (!descriptor.code_or_data() &&
      (!descriptor.continues() || !cpu.model().widest_linear().canonical(descriptor.wide_base()))) {
    cpu.raise(Vector::GeneralProtection, selector_error(selector));
    return false;
  }
  return true;
}
}  // namespace

Flow lldt(Cpu& cpu, const Insn& insn) {
  u16 raw = 0;
  if (!protected_only(cpu) || !privileged(cpu) || !read_operand16(cpu, insn, raw)) return Flow::Fault;
  const Selector selector(raw);
  if (selector.null()) {
    set_segment_null(cpu, kLdtr, selector);
    return Flow::Stop;
  }
  WideDescriptor descriptor;
  if (selector.local()) return cpu.raise(Vector::GeneralProtection, selector_error(selector));
  if (!fetch_system_descriptor(cpu, selector, descriptor)) return Flow::Fault;
  if (descriptor.code_or_data() || descriptor.type() != kLdt)
    return cpu.raise(Vector::GeneralProtection, selector_error(selector));
  if (!descriptor.present()) return cpu.raise(Vector::SegmentNotPresent, selector_error(selector));
  set_segment(cpu, kLdtr, selector, descriptor);
  cpu.state().segment[kLdtr].base = descriptor.wide_base();
  return Flow::Stop;
}

Flow ltr(Cpu& cpu, const Insn& insn) {
  u16 raw = 0;
  if (!protected_only(cpu) || !privileged(cpu) || !read_operand16(cpu, insn, raw)) return Flow::Fault;
  const Selector selector(raw);
  WideDescriptor descriptor;
  if (selector.null() || selector.local()) return cpu.raise(Vector::GeneralProtection, selector_error(selector));
  if (!fetch_system_descriptor(cpu, selector, descriptor)) return Flow::Fault;
  const bool fits = descriptor.type() == kTss32 || (descriptor.type() == kTss16 && !cpu.state().mode.long_mode);
  if (descriptor.code_or_data() || !fits) return cpu.raise(Vector::GeneralProtection, selector_error(selector));
  if (!descriptor.present()) return cpu.raise(Vector::SegmentNotPresent, selector_error(selector));
  descriptor.high |= 0x200;  // busy
  const LinAddr at = system_address(cpu.state(), cpu.state().gdtr.base + selector.table_offset() + 5);
  if (!cpu.write_system(at, static_cast<u8>(descriptor.high >> 8))) return Flow::Fault;
  set_segment(cpu, kTr, selector, descriptor);
  cpu.state().segment[kTr].base = descriptor.wide_base();
  return Flow::Stop;
}

namespace {
Flow verify(Cpu& cpu, const Insn& insn, bool write) {
  u16 raw = 0;
  if (!protected_only(cpu) || !read_operand16(cpu, insn, raw)) return Flow::Fault;
  bool ok = false;
  const auto descriptor = visible_descriptor(cpu, Selector(raw), ok);
  if (!ok) return Flow::Fault;
  set_zf(cpu.state(),
         descriptor && descriptor->code_or_data() && (write ? descriptor->writable() : descriptor->readable()));
  return Flow::Next;
}
}  // namespace

Flow verr(Cpu& cpu, const Insn& insn) { return verify(cpu, insn, false); }
Flow verw(Cpu& cpu, const Insn& insn) { return verify(cpu, insn, true); }

Flow lar(Cpu& cpu, const Insn& insn) {
  u16 raw = 0;
  if (!protected_only(cpu) || !read_operand16(cpu, insn, raw)) return Flow::Fault;
  bool ok = false;
  const auto descriptor = visible_descriptor(cpu, Selector(raw), ok);
  if (!ok) return Flow::Fault;
  // System types that LAR shows: 1-5, 9, B, C; in long mode 2, 9, B, C (SDM 2, LAR).
  const u32 shown = cpu.state().mode.long_mode ? 0x1A04 : 0x1A3E;
  const bool known = descriptor && (descriptor->code_or_data() || (shown >> descriptor->type() & 1) != 0);
  if (known) write_register(cpu.state(), insn, descriptor->high & 0x00FFFF00u);
  set_zf(cpu.state(), known);
  return Flow::Next;
}

Flow lsl(Cpu& cpu, const Insn& insn) {
  u16 raw = 0;
  if (!protected_only(cpu) || !read_operand16(cpu, insn, raw)) return Flow::Fault;
  bool ok = false;
  const auto descriptor = visible_descriptor(cpu, Selector(raw), ok);
  if (!ok) return Flow::Fault;
  // 1, 2, 3, 9, B; in long mode 2, 9, B (SDM 2, LSL).
  const u32 shown = cpu.state().mode.long_mode ? 0x0A04 : 0x0A0E;
  const bool known = descriptor && (descriptor->code_or_data() || (shown >> descriptor->type() & 1) != 0);
  if (known) write_register(cpu.state(), insn, descriptor->limit());
  set_zf(cpu.state(), known);
  return Flow::Next;
}

namespace {

constexpr unsigned kLegacyTable = 6, kLongTable = 10;  // a limit of 2 bytes, then the base

Flow store_table(Cpu& cpu, const Insn& insn, const DescriptorTable& table) {
  u8 image[kLongTable];
  const u16 limit = static_cast<u16>(table.limit);
  std::memcpy(image, &limit, 2);
  std::memcpy(image + 2, &table.base, 8);
  const unsigned size = cpu.state().mode.code64 ? kLongTable : kLegacyTable;
  const u64 at = effective_address(cpu.state(), insn);
  return cpu.write_bytes(operand_segment(insn), at, image, size) ? Flow::Next : Flow::Fault;
}

Flow load_table(Cpu& cpu, const Insn& insn, DescriptorTable& table) {
  if (!privileged(cpu)) return Flow::Fault;
  const bool code64 = cpu.state().mode.code64;
  u8 image[kLongTable] = {};
  const unsigned size = code64 ? kLongTable : kLegacyTable;
  if (!cpu.read_bytes(operand_segment(insn), effective_address(cpu.state(), insn), image, size)) return Flow::Fault;
  u16 limit = 0;
  u64 base = 0;
  std::memcpy(&limit, image, 2);
  std::memcpy(&base, image + 2, 8);
  if (code64 && !cpu.model().widest_linear().canonical(base)) return cpu.raise(Vector::GeneralProtection, 0);
  table.limit = limit;
  table.base = code64 || insn.operand32() ? base : base & 0x00FFFFFFu;  // a 16-bit operand size takes 24 bits
  return Flow::Stop;
}

}  // namespace

Flow sgdt(Cpu& cpu, const Insn& insn) {
  return user_may_store(cpu) ? store_table(cpu, insn, cpu.state().gdtr) : Flow::Fault;
}
Flow sidt(Cpu& cpu, const Insn& insn) {
  return user_may_store(cpu) ? store_table(cpu, insn, cpu.state().idtr) : Flow::Fault;
}
Flow lgdt(Cpu& cpu, const Insn& insn) { return load_table(cpu, insn, cpu.state().gdtr); }
Flow lidt(Cpu& cpu, const Insn& insn) { return load_table(cpu, insn, cpu.state().idtr); }

}  // namespace relic86
