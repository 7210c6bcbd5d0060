// The save map of processors with long mode (APM 2 10.2.3, table 10-1), at SMBASE + 8000h like the other:
//
//   7E00h  ES; 7E10h CS, 7E20h SS, 7E30h DS, 7E40h FS, 7E50h GS, 7E70h LDTR, 7E90h TR:
//          selector and attributes (words), limit (dword), base (quadword)
//   7E60h  GDTR; 7E80h IDTR: limit (word) at +4, base (quadword) at +8
//   7EC9h  auto HALT restart (byte)
//   7ED0h  EFER
//   7EFCh  revision 00020064h: SMBASE relocation, no I/O restart
//   7F00h  SMBASE (dword)
//   7F48h  CR4; 7F50h CR3, 7F58h CR0, 7F60h DR7, 7F68h DR6, 7F70h RFLAGS, 7F78h RIP
//   7F80h  R15 and so on down to R8 at 7FB8h; from 7FC0h on RDI, RSI, RBP, RSP, RBX, RDX, RCX, RAX
//
// Attributes are descriptor bits 47:40 in 7:0 and 55:52 in 11:8.
#include "cpu/cpuid.h"
#include "cpu/long_mode.h"
#include "cpu/save_map.h"
#include "cpu/segmentation.h"

namespace relic86 {

namespace {

constexpr u32 kRevision = 0x00020064;
enum Slot : u32 {
  kSegments = 0x7E00,
  kGdtr = 0x7E60,
  kLdtrSlot = 0x7E70,
  kIdtr = 0x7E80,
  kTrSlot = 0x7E90,
  kAutoHalt = 0x7EC9,
  kEfer = 0x7ED0,
  kRevisionId = 0x7EFC,
  kSmbase = 0x7F00,
  kCr4 = 0x7F48,
  kCr3 = 0x7F50,
  kCr0 = 0x7F58,
  kDr7 = 0x7F60,
  kDr6 = 0x7F68,
  kRflags = 0x7F70,
  kRip = 0x7F78,
  kR15 = 0x7F80,
  kRdi = 0x7FC0,
};
constexpr u64 kPe = 1u << 0, kEt = 1u << 4, kNw = 1u << 29, kCd = 1u << 30, kPg = 1u << 31, kPae = 1u << 5;
constexpr u64 kCr0Known = 0xE005003F;

constexpr u32 segment_slot(unsigned name) {
  return name == kLdtr ? kLdtrSlot : name == kTr ? kTrSlot : kSegments + name * 16;
}
constexpr u32 register_slot(unsigned index) { return index < 8 ? kRdi + (7 - index) * 8 : kR15 + (15 - index) * 8; }
constexpr u16 packed(u16 attributes) { return static_cast<u16>((attributes & 0xFF) | (attributes >> 4 & 0xF00)); }
constexpr u16 unpacked(u16 attributes) { return static_cast<u16>((attributes & 0xFF) | (attributes & 0xF00) << 4); }

}  // namespace

void save_long(Cpu& cpu) {
  const CpuState& state = cpu.state();
  SaveMap map(cpu);
  for (unsigned name = 0; name < kSegmentCount; name++) {
    const Segment& segment = state.segment[name];
    const u32 slot = segment_slot(name);
    map.write16(slot, segment.selector.raw);
    map.write16(slot + 2, packed(segment.attributes));
    map.write(slot + 4, segment.limit);
    map.write64(slot + 8, segment.base);
  }
  map.write16(kGdtr + 4, state.gdtr.limit);
  map.write64(kGdtr + 8, state.gdtr.base);
  map.write16(kIdtr + 4, state.idtr.limit);
  map.write64(kIdtr + 8, state.idtr.base);
  map.write8(kAutoHalt, state.halted ? 1 : 0);
  map.write64(kEfer, state.efer);
  map.write(kRevisionId, kRevision);
  map.write(kSmbase, state.smbase);
  map.write64(kCr4, state.cr4);
  map.write64(kCr3, state.cr3);
  map.write64(kCr0, state.cr0);
  map.write64(kDr7, state.dr[7]);
  map.write64(kDr6, state.dr[6]);
  map.write64(kRflags, cpu.eflags());
  map.write64(kRip, state.rip);
  for (unsigned i = 0; i < 16; i++) map.write64(register_slot(i), state.gpr[i]);
}

bool loadable_long(const Cpu& cpu, const SaveMap& map) {
  const u64 cr0 = map.read64(kCr0), cr4 = map.read64(kCr4), efer = map.read64(kEfer);
  if ((cr0 & kPg) != 0 && (cr0 & kPe) == 0) return false;
  if ((cr0 & kNw) != 0 && (cr0 & kCd) == 0) return false;
  if (cr0 >> 32 != 0 || (cr4 & ~cpu.model().cr4_bits()) != 0 || (efer & ~cpu.model().efer_bits()) != 0) return false;
  return (efer & kEferLme) == 0 || (cr0 & kPg) == 0 || (cr4 & kPae) != 0;
}

bool load_long(Cpu& cpu, const SaveMap& map) {
  CpuState& state = cpu.state();
  state.cr0 = (map.read64(kCr0) & kCr0Known) | kEt;
  state.cr3 = map.read64(kCr3) & ((u64{1} << cpu.model().physical_bits()) - 1);
  state.cr4 = map.read64(kCr4);
  state.efer = map.read64(kEfer) & ~kEferLma;
  if ((state.efer & kEferLme) != 0 && (state.cr0 & kPg) != 0) state.efer |= kEferLma;
  state.dr[6] = (map.read64(kDr6) & 0xE00F) | 0xFFFF0FF0;
  state.dr[7] = (map.read64(kDr7) & 0xFFFF2FFF) | 0x400;
  const bool long_mode = (state.efer & kEferLma) != 0;
  const LinearWidth linear = cpu.model().widest_linear();
  const auto address = [=](u64 value) { return long_mode && linear.canonical(value) ? value : value & 0xFFFFFFFF; };
  for (unsigned name = 0; name < kSegmentCount; name++) {
    Segment& segment = state.segment[name];
    const u32 slot = segment_slot(name);
    segment.selector = Selector(map.read16(slot));
    segment.attributes = unpacked(map.read16(slot + 2));
    segment.limit = map.read(slot + 4);
    segment.base = address(map.read64(slot + 8));
  }
  state.gdtr = {address(map.read64(kGdtr + 8)), map.read16(kGdtr + 4)};
  state.idtr = {address(map.read64(kIdtr + 8)), map.read16(kIdtr + 4)};
  cpu.set_eflags(map.read(kRflags) & ((state.cr0 & kPe) != 0 && !long_mode ? ~0u : ~kVM));
  state.halted = (map.read8(kAutoHalt) & 1) != 0;
  state.smbase = map.read(kSmbase);
  cpu.update_mode();
  // After the mode, which cuts the registers of 32-bit code.
  const u64 mask = state.mode.code64 ? ~u64{0} : 0xFFFFFFFF;
  for (unsigned i = 0; i < 16; i++) state.gpr[i] = map.read64(register_slot(i)) & (i < 8 ? mask : ~u64{0});
  state.rip = state.mode.code64 ? map.read64(kRip) : map.read(kRip);
  cpu.update_access_checks();
  const bool good = cpu.mmu().load_cr3(state.cr3);
  cpu.mmu().flush_all();
  return good;
}

}  // namespace relic86
