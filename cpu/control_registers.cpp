// MOV to and from control and debug registers, LMSW, SMSW, CLTS, cache and TLB control, HLT (SDM 3A chapter 2, SDM 2).
#include "cpu/control_registers.h"

#include "base/log.h"
#include "cpu/access.h"
#include "cpu/canonical.h"
#include "cpu/control_bits.h"
#include "cpu/cpuid.h"
#include "cpu/effective_address.h"
#include "cpu/long_mode.h"
#include "cpu/system_instructions.h"

namespace relic86 {

namespace {

constexpr u64 kNw = 1u << 29, kCd = 1u << 30, kPg = 1u << 31, kAm = 1u << 18;
constexpr u64 kPcidMask = 0xFFF;

bool privileged(Cpu& cpu) {
  if (cpu.state().mode.cpl == 0) return true;
  cpu.raise(Vector::GeneralProtection, 0);
  return false;
}

bool control_register_exists(const Cpu& cpu, unsigned number) {
  constexpr unsigned kTaskPriority = 8;
  if (number == kTaskPriority) return cpu.state().mode.code64;
  return number == 0 || number == 2 || number == 3 || (number == 4 && cpu.model().cr4_bits() != 0);
}

// What PG and LME make of long mode when MOV to CR0 changes PG (SDM 3A 9.8.5; APM 2 14.6). False: #GP(0).
bool may_switch_long_mode(const CpuState& state, bool paging) {
  if (!paging) return !state.mode.code64;
  const Segment& tss = state.segment[kTr];
  const bool tss16 = tss.present() && (tss.type() == 1 || tss.type() == 3);
  return (state.cr4 & kCr4Pae) != 0 && !state.segment[kCs].long_code() && !tss16;
}

bool set_cr0(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state();
  if (value >> 32 != 0) return false;
  u64 next = (value & kCr0Known) | kCr0Et;
  if ((next & kPg) != 0 && (next & kCr0Pe) == 0) return false;
  if ((next & kNw) != 0 && (next & kCd) == 0) return false;
  const u64 old = state.cr0;
  const bool paging = (next & kPg) != 0, changes = ((next ^ old) & kPg) != 0;
  if (!paging && (state.cr4 & kCr4Pcide) != 0) return false;
  if (changes && (state.efer & kEferLme) != 0) {
    if (!may_switch_long_mode(state, paging)) return false;
    state.efer = paging ? state.efer | kEferLma : state.efer & ~kEferLma;
  } else if (changes && paging && (state.cr4 & kCr4Pae) != 0 && !cpu.mmu().reload_pdptes()) {
    return false;
  }
  if (((next ^ old) & (kPg | kCr0Pe)) != 0) cpu.mmu().flush_all();
  state.cr0 = next;
  cpu.update_mode();
  if (((next ^ old) & kAm) != 0) cpu.update_access_checks();
  return true;
}

bool set_cr3(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state();
  // Bit 63 spares the entries of the new PCID (SDM 3A 4.10.4.1). Entries carry no PCID here: all go.
  if ((state.cr4 & kCr4Pcide) != 0) value &= ~(u64{1} << 63);
  if (state.mode.long_mode && value >> cpu.model().physical_bits() != 0) return false;
  if (!cpu.mmu().load_cr3(value)) return false;
  state.cr3 = value;
  return true;
}

bool set_cr4(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state();
  if ((value & ~cpu.model().cr4_bits()) != 0) return false;
  if (state.mode.long_mode && (value & kCr4Pae) == 0) return false;
  const u64 old = state.cr4;
  if (state.mode.long_mode && ((value ^ old) & kCr4La57) != 0) return false;
  if ((value & ~old & kCr4Pcide) != 0 && (!state.mode.long_mode || (state.cr3 & kPcidMask) != 0)) return false;
  constexpr u64 kFlushing = kCr4Pse | kCr4Pae | kCr4Pge | kCr4Pcide | kCr4Smep | kCr4Smap | kCr4La57;
  if (state.mode.paging && !state.mode.long_mode && (value & kCr4Pae) != 0 &&
      ((value ^ old) & (kCr4Pae | kCr4Pge | kCr4Pse | kCr4Smep)) != 0 && !cpu.mmu().reload_pdptes())
    return false;
  state.cr4 = value;
  if (((value ^ old) & kFlushing) != 0) cpu.mmu().flush_all();
  cpu.update_mode();
  return true;
}

// MOV to and from control and debug registers takes 64 bits in 64-bit mode, else 32 (SDM 2).
u64 register_value(const CpuState& state, unsigned n) { return state.mode.code64 ? state.gpr[n] : state.gpr32(n); }
void set_register(CpuState& state, unsigned n, u64 value) {
  state.gpr[n] = state.mode.code64 ? value : static_cast<u32>(value);
}

}  // namespace

Flow mov_from_control(Cpu& cpu, const Insn& insn) {
  if (!control_register_exists(cpu, insn.reg)) return cpu.raise(Vector::InvalidOpcode);
  if (!privileged(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  switch (insn.reg) {
    case 0: set_register(state, insn.rm, state.cr0); break;
    case 2: set_register(state, insn.rm, state.cr2); break;
    case 3: set_register(state, insn.rm, state.cr3); break;
    case 4: set_register(state, insn.rm, state.cr4); break;
    default: set_register(state, insn.rm, cpu.apic() != nullptr ? cpu.apic()->task_priority() : 0u); break;
  }
  return Flow::Next;
}

namespace {

bool set_task_priority(Cpu& cpu, u64 value) {
  constexpr u64 kHighest = 15;
  if (value > kHighest) return false;
  if (cpu.apic() != nullptr) cpu.apic()->set_task_priority(static_cast<u8>(value));
  return true;
}

}  // namespace

Flow mov_to_control(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if (!control_register_exists(cpu, insn.reg)) return cpu.raise(Vector::InvalidOpcode);
  if (!privileged(cpu)) return Flow::Fault;
  const u64 value = register_value(state, insn.rm);
  if (insn.reg == 0 && value >> 32 == 0 && unit_flags_directly(cpu, insn)) return Flow::Stop;
  bool accepted = true;
  switch (insn.reg) {
    case 0: accepted = set_cr0(cpu, value); break;
    case 2: state.cr2 = value; break;
    case 3: accepted = set_cr3(cpu, value); break;
    case 4: accepted = set_cr4(cpu, value); break;
    default: accepted = set_task_priority(cpu, value); break;
  }
  log::print(log::Channel::Paging, "CR{} update: CR{}={:08x}{}", insn.reg, insn.reg, value, accepted ? "" : " refused");
  return accepted ? Flow::Stop : cpu.raise(Vector::GeneralProtection, 0);
}

namespace {

// DR4 and DR5 are DR6 and DR7 without CR4.DE, #UD with it; general detect (DR7.GD) traps every access (SDM 3B 17.2).
bool debug_register(Cpu& cpu, unsigned& n) {
  CpuState& state = cpu.state();
  if (n == 4 || n == 5) {
    if ((state.cr4 & kCr4De) != 0) {
      cpu.raise(Vector::InvalidOpcode);
      return false;
    }
    n += 2;
  }
  if (!privileged(cpu)) return false;
  if ((state.dr[7] & 1u << 13) != 0) {
    state.dr[6] |= 1u << 13;  // BD
    cpu.raise(Vector::Debug);
    return false;
  }
  return true;
}

}  // namespace

bool unit_flags_directly(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if (state.mode.cpl != 0) return false;
  const u32 value = state.gpr32(insn.rm), old = static_cast<u32>(state.cr0);
  u32 next = (value & kCr0Known) | kCr0Et;  // MOV
  if (insn.handler == clts) next = old & ~kCr0Ts;
  if (insn.handler == lmsw) next = (old & ~(kCr0MachineStatus & ~kCr0Pe)) | (value & kCr0MachineStatus);
  if (((next ^ old) & ~kCr0UnitFlags) != 0) return false;
  state.cr0 = next;
  return true;
}

Flow mov_from_debug(Cpu& cpu, const Insn& insn) {
  unsigned n = insn.reg;
  if (n >= 8) return cpu.raise(Vector::InvalidOpcode);
  if (!debug_register(cpu, n)) return Flow::Fault;
  set_register(cpu.state(), insn.rm, cpu.state().dr[n]);
  return Flow::Next;
}

Flow mov_to_debug(Cpu& cpu, const Insn& insn) {
  unsigned n = insn.reg;
  if (n >= 8) return cpu.raise(Vector::InvalidOpcode);
  if (!debug_register(cpu, n)) return Flow::Fault;
  CpuState& state = cpu.state();
  const u64 value = register_value(state, insn.rm);
  if (n >= 6 && value >> 32 != 0) return cpu.raise(Vector::GeneralProtection, 0);
  if (n == 6) {
    state.dr[6] = (value & 0xE00F) | 0xFFFF0FF0;
  } else if (n == 7) {
    state.dr[7] = (value & ~u64{0xD000}) | 0x400;
  } else {
    state.dr[n] = value;
  }
  cpu.update_breakpoints();
  return Flow::Stop;
}

Flow smsw(Cpu& cpu, const Insn& insn) {
  CpuState& state = cpu.state();
  if (!user_may_store(cpu)) return Flow::Fault;
  if (insn.memory())
    return cpu.write(operand_segment(insn), effective_address(state, insn), static_cast<u16>(state.cr0)) ? Flow::Next
                                                                                                         : Flow::Fault;
  if (insn.operand32())
    state.set_gpr32(insn.rm, static_cast<u32>(state.cr0));
  else
    state.gpr[insn.rm] = (state.gpr[insn.rm] & ~u64{0xFFFF}) | (state.cr0 & 0xFFFF);
  return Flow::Next;
}

Flow lmsw(Cpu& cpu, const Insn& insn) {
  if (!privileged(cpu)) return Flow::Fault;
  CpuState& state = cpu.state();
  if (!insn.memory() && unit_flags_directly(cpu, insn)) return Flow::Stop;
  u16 value = static_cast<u16>(state.gpr[insn.rm]);
  if (insn.memory() && !cpu.read(operand_segment(insn), effective_address(state, insn), value)) return Flow::Fault;
  // PE can be set, never cleared.
  const u32 next = (static_cast<u32>(state.cr0) & ~0xEu) | (value & 0xFu);
  return set_cr0(cpu, next) ? Flow::Stop : cpu.raise(Vector::GeneralProtection, 0);
}

Flow clts(Cpu& cpu, const Insn&) {
  if (!privileged(cpu)) return Flow::Fault;
  cpu.state().cr0 &= ~kCr0Ts;
  return Flow::Stop;
}

Flow invlpg(Cpu& cpu, const Insn& insn) {
  if (!privileged(cpu)) return Flow::Fault;
  cpu.mmu().flush_page(cpu.linear_address(operand_segment(insn), effective_address(cpu.state(), insn)));
  return Flow::Stop;
}

// Entries carry no PCID: more than what is asked for may go, which SDM 3A 4.10.4.1 allows.
Flow invpcid(Cpu& cpu, const Insn& insn) {
  if (!privileged(cpu)) return Flow::Fault;
  const CpuState& state = cpu.state();
  enum Type : u64 { kAddress, kContext, kAllWithGlobals, kAll };
  struct Descriptor {
    u64 pcid, linear;
  } descriptor{};
  if (!cpu.read_bytes(operand_segment(insn), effective_address(state, insn), &descriptor, sizeof descriptor))
    return Flow::Fault;
  const u64 type = register_value(state, insn.reg);
  const bool named = type == kAddress || type == kContext;
  if (type > kAll || (descriptor.pcid & ~kPcidMask) != 0 ||
      (named && descriptor.pcid != 0 && (state.cr4 & kCr4Pcide) == 0) ||
      (type == kAddress && !cpu.model().widest_linear().canonical(descriptor.linear)))
    return cpu.raise(Vector::GeneralProtection, 0);
  if (type == kAddress) {
    cpu.mmu().flush_page(LinAddr(descriptor.linear));
  } else {
    cpu.mmu().flush_all();
  }
  return Flow::Stop;
}

// There is no cache to write back.
Flow invd(Cpu& cpu, const Insn&) { return privileged(cpu) ? Flow::Next : Flow::Fault; }
Flow wbinvd(Cpu& cpu, const Insn&) { return privileged(cpu) ? Flow::Next : Flow::Fault; }

Flow hlt(Cpu& cpu, const Insn&) {
  if (!privileged(cpu)) return Flow::Fault;
  cpu.state().halted = true;
  return Flow::Stop;
}

}  // namespace relic86
