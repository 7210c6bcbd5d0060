// System management mode (SDM 3C chapter 34), with the state save map of the 32-bit processors.
//
//   offset from SMBASE + 8000h (34.4.1, table 34-1); a dword each
//   7FFCh CR0    7FF8h CR3    7FF4h EFLAGS  7FF0h EIP
//   7FECh EDI    7FE8h ESI    7FE4h EBP     7FE0h ESP   7FDCh EBX  7FD8h EDX  7FD4h ECX  7FD0h EAX
//   7FCCh DR6    7FC8h DR7    7FC4h TR      7FC0h LDTR
//   7FBCh GS     7FB8h FS     7FB4h DS      7FB0h SS    7FACh CS   7FA8h ES
//   7F02h        auto HALT restart (word): bit 0 set when SMI# found the processor halted; RSM halts again if it is set
//   7F00h        I/O restart (word): not offered, see the revision
//   7EFCh        revision: bit 17 SMBASE relocation; bit 16 I/O restart (clear); 15:0 0, the 32-bit map
//   7EF8h        SMBASE, in force from RSM on
//
// Processors with long mode have another map: cpu/long_save_map.cpp.
//
// The manual keeps the rest of 7E00h to 7FA7h for the processor. Here, as on the P6: attributes, limit and base of
// ES, CS, SS at 7F84h and of DS, FS, GS at 7F2Ch; LDTR 7F78h, TR 7F5Ch; limit and base of the GDT 7F70h, of the IDT
// 7F54h; CR4 7F14h.
#include "cpu/system_management.h"

#include "base/log.h"
#include "cpu/cpuid.h"
#include "cpu/save_map.h"
#include "cpu/segmentation.h"
#include "cpu/system_instructions.h"

namespace relic86 {

namespace {

constexpr u32 kRevision = 0x00020000;
constexpr u64 kPe = 1u << 0, kEm = 1u << 2, kTs = 1u << 3, kNw = 1u << 29, kCd = 1u << 30, kPg = 1u << 31;
constexpr u64 kCr0Known = 0xE005003F, kEt = 1u << 4;

enum Slot : u32 {
  kCr4 = 0x7F14,
  kIdtLimit = 0x7F54,
  kGdtLimit = 0x7F70,
  kRestart = 0x7F00,  // I/O restart in the low word, auto HALT restart in the high one
  kSmbase = 0x7EF8,
  kRevisionId = 0x7EFC,
  kSelectors = 0x7FA8,  // by segment register, then LDTR and TR
  kDr7 = 0x7FC8,
  kDr6 = 0x7FCC,
  kRegisters = 0x7FD0,  // by encoding
  kEip = 0x7FF0,
  kEflags = 0x7FF4,
  kCr3 = 0x7FF8,
  kCr0 = 0x7FFC,
};
constexpr u32 kAutoHalt = 1u << 16;

// Attributes, limit and base of a segment register, 4 bytes each.
constexpr u32 kHidden[kSegmentCount] = {0x7F84, 0x7F90, 0x7F9C, 0x7F2C, 0x7F38, 0x7F44, 0x7F78, 0x7F5C};
constexpr u32 selector_slot(unsigned name) { return kSelectors + (name == kLdtr ? 6 : name == kTr ? 7 : name) * 4; }

void save(Cpu& cpu) {
  if (cpu.model().has_long_mode()) return save_long(cpu);
  const CpuState& state = cpu.state();
  SaveMap map(cpu);
  map.write(kCr0, state.cr0);
  map.write(kCr3, state.cr3);
  map.write(kCr4, state.cr4);
  map.write(kEflags, cpu.eflags());
  map.write(kEip, state.rip);
  for (u32 i = 0; i < 8; i++) map.write(kRegisters + i * 4, state.gpr[i]);
  map.write(kDr6, state.dr[6]);
  map.write(kDr7, state.dr[7]);
  for (unsigned name = 0; name < kSegmentCount; name++) {
    const Segment& segment = state.segment[name];
    map.write(selector_slot(name), segment.selector.raw);
    map.write(kHidden[name], segment.attributes);
    map.write(kHidden[name] + 4, segment.limit);
    map.write(kHidden[name] + 8, segment.base);
  }
  map.write(kGdtLimit, state.gdtr.limit);
  map.write(kGdtLimit + 4, state.gdtr.base);
  map.write(kIdtLimit, state.idtr.limit);
  map.write(kIdtLimit + 4, state.idtr.base);
  map.write(kRestart, state.halted ? kAutoHalt : 0);
  map.write(kRevisionId, kRevision);
  map.write(kSmbase, state.smbase);
}

// What RSM refuses to load (34.3.2); the processor shuts down.
bool loadable(const Cpu& cpu, const SaveMap& map) {
  if (cpu.model().has_long_mode()) return loadable_long(cpu, map);
  const u64 cr0 = map.read(kCr0);
  if ((cr0 & kPg) != 0 && (cr0 & kPe) == 0) return false;
  if ((cr0 & kNw) != 0 && (cr0 & kCd) == 0) return false;
  return (map.read(kCr4) & ~cpu.model().cr4_bits()) == 0;
}

void load_segments(CpuState& state, const SaveMap& map) {
  for (unsigned name = 0; name < kSegmentCount; name++) {
    Segment& segment = state.segment[name];
    segment.selector = Selector(static_cast<u16>(map.read(selector_slot(name))));
    segment.attributes = static_cast<u16>(map.read(kHidden[name]) & 0xF0FF);
    segment.limit = map.read(kHidden[name] + 4);
    segment.base = map.read(kHidden[name] + 8);
  }
  state.gdtr = {map.read(kGdtLimit + 4), map.read(kGdtLimit) & 0xFFFF};
  state.idtr = {map.read(kIdtLimit + 4), map.read(kIdtLimit) & 0xFFFF};
}

// False: the PDPTEs cannot be loaded.
bool load(Cpu& cpu, const SaveMap& map) {
  if (cpu.model().has_long_mode()) return load_long(cpu, map);
  CpuState& state = cpu.state();
  state.cr0 = (map.read(kCr0) & kCr0Known) | kEt;
  state.cr3 = map.read(kCr3);
  state.cr4 = map.read(kCr4);
  state.rip = map.read(kEip);
  for (u32 i = 0; i < 8; i++) state.set_gpr32(i, map.read(kRegisters + i * 4));
  state.dr[6] = (map.read(kDr6) & 0xE00F) | 0xFFFF0FF0;
  state.dr[7] = (map.read(kDr7) & 0xFFFF2FFF) | 0x400;
  load_segments(state, map);
  cpu.set_eflags(map.read(kEflags) & ((state.cr0 & kPe) != 0 ? ~0u : ~kVM));
  state.halted = (map.read(kRestart) & kAutoHalt) != 0;
  state.smbase = map.read(kSmbase);
  cpu.update_mode();
  cpu.update_access_checks();
  const bool good = cpu.mmu().load_cr3(state.cr3);
  cpu.mmu().flush_all();
  return good;
}

}  // namespace

void enter_system_management_mode(Cpu& cpu) {
  CpuState& state = cpu.state();
  state.pending &= ~u32{kPendingSmi};
  log::print(log::Channel::Interrupts, "SMM: enter, CS:EIP={:04x}:{:08x} SMBASE={:08x}",
             state.segment[kCs].selector.raw, state.rip, state.smbase);
  state.in_smm = true;
  state.nmi_blocked_before_smm = state.nmi_blocked;
  state.nmi_blocked = true;  // until RSM, or an IRET in the handler (34.8)
  cpu.signal_smm(true);
  save(cpu);
  // Table 34-3.
  state.halted = false;
  state.repeat_flags = 0;
  state.cr0 &= ~(kPe | kEm | kTs | kPg);
  state.cr4 = 0;
  if (cpu.model().has_long_mode()) state.efer = 0;  // it is in the map
  state.dr[7] = 0x400;
  cpu.set_eflags(0);
  for (unsigned name = 0; name < kSegmentRegisters; name++) {
    Segment& segment = state.segment[name];
    segment = Segment{};
    segment.limit = 0xFFFFFFFF;
    segment.attributes = 0x8093;  // 4 GiB, 16-bit, as real-address mode has it otherwise
  }
  state.segment[kCs].selector = Selector(static_cast<u16>(state.smbase >> 4));
  state.segment[kCs].base = state.smbase;
  state.rip = 0x8000;
  cpu.update_mode();
  cpu.update_access_checks();
  cpu.mmu().flush_all();
}

Flow rsm(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state();
  if (!state.in_smm) return cpu.raise(Vector::InvalidOpcode);
  const SaveMap map(cpu);
  const bool good = loadable(cpu, map) && load(cpu, map);
  log::print(log::Channel::Interrupts, "SMM: RSM to CS:EIP={:04x}:{:08x}{}", state.segment[kCs].selector.raw, state.rip,
             good ? "" : ": bad state, shutdown");
  state.in_smm = false;
  state.nmi_blocked = state.nmi_blocked_before_smm;
  cpu.signal_smm(false);
  if (!good) {
    state.shutdown = true;
    cpu.request(kPendingStop);
  }
  return Flow::StopAt;
}

}  // namespace relic86
