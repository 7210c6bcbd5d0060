#include "cpu/cpu_dump.h"

#include <fmt/format.h>

#include <cstring>

namespace relic86 {

namespace {

std::string flag_letters(u32 eflags) {
  struct Letter {
    u32 flag;
    char letter;
  };
  constexpr Letter kLetters[] = {{kDF, 'D'}, {kOF, 'O'}, {kSF, 'S'}, {kZF, 'Z'}, {kAF, 'A'}, {kPF, 'P'}, {kCF, 'C'}};
  std::string text;
  for (const Letter& row : kLetters) text += (eflags & row.flag) != 0 ? row.letter : '-';
  return text;
}

std::string segment_line(std::string_view name, const Segment& segment, bool protected_mode) {
  // The second descriptor word as QEMU prints it: attributes at bits 8-23, the limit's top bits between them.
  const u32 flags = (segment.attributes & 0xFFu) << 8 | (segment.attributes & 0xF000u) << 8;
  std::string text = fmt::format("{:<3}={:04x} {:08x} {:08x} {:08x}", name, segment.selector.raw, segment.base,
                                 segment.limit, flags | (segment.limit & 0xF0000u));
  // In real mode, and of a segment that is not there, the second word says all there is to say.
  if (!protected_mode || !segment.present()) return text + "\n";
  if (!segment.is_code_or_data()) {
    static constexpr std::string_view kSystem[] = {
        "Reserved", "TSS16-avl", "LDT",      "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16",
        "Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32"};
    return text + fmt::format(" DPL={} {}\n", segment.dpl(), kSystem[segment.type() & 15]);
  }
  static constexpr std::string_view kData[] = {"---", "--A", "-W-", "-WA", "E--", "E-A", "EW-", "EWA"};
  static constexpr std::string_view kCode[] = {"---", "--A", "-R-", "-RA", "C--", "C-A", "CR-", "CRA"};
  return text + fmt::format(" DPL={} {} [{}]\n", segment.dpl(),
                            segment.is_code() ? (segment.big() ? "CS32" : "CS16") : "DS  ",
                            (segment.is_code() ? kCode : kData)[segment.type() & 7]);
}

std::string x87_text(const FxState& fx) {
  std::string text = fmt::format("FCW={:04x} FSW={:04x} [ST={}] FTW={:02x} MXCSR={:08x}\n", fx.control, fx.status,
                                 fx.top(), static_cast<u8>(~fx.tags), fx.mxcsr);
  for (unsigned physical = 0; physical < 8; physical++) {
    const FxState::Slot& slot = fx.st[(physical - fx.top()) & 7];
    u64 mantissa = 0;
    u16 exponent = 0;
    std::memcpy(&mantissa, slot.bytes, 8);
    std::memcpy(&exponent, slot.bytes + 8, 2);
    text += fmt::format("FPR{}={:016x} {:04x}{}", physical, mantissa, exponent, physical % 2 == 1 ? "\n" : " ");
  }
  for (unsigned i = 0; i < 8; i++) {
    u64 low = 0, high = 0;
    std::memcpy(&low, fx.xmm[i].bytes, 8);
    std::memcpy(&high, fx.xmm[i].bytes + 8, 8);
    text += fmt::format("XMM{:02}={:016x} {:016x}{}", i, high, low, i % 2 == 1 ? "\n" : " ");
  }
  return text;
}

}  // namespace

std::string describe_registers(Cpu& cpu, bool units) {
  const CpuState& state = cpu.state();
  const u32 eflags = cpu.eflags();
  std::string text = fmt::format("EAX={:08x} EBX={:08x} ECX={:08x} EDX={:08x}\n", state.gpr32(kEax), state.gpr32(kEbx),
                                 state.gpr32(kEcx), state.gpr32(kEdx));
  text += fmt::format("ESI={:08x} EDI={:08x} EBP={:08x} ESP={:08x}\n", state.gpr32(kEsi), state.gpr32(kEdi),
                      state.gpr32(kEbp), state.gpr32(kEsp));
  text += fmt::format("EIP={:08x} EFL={:08x} [{}] CPL={} II={} A20={} SMM={} HLT={}\n", state.eip(), eflags,
                      flag_letters(eflags), state.mode.cpl, state.shadow != 0 ? 1 : 0, cpu.mmu().bus().a20() ? 1 : 0,
                      state.in_smm ? 1 : 0, state.halted ? 1 : 0);
  static constexpr std::string_view kNames[] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR"};
  for (unsigned i = 0; i < kSegmentCount; i++) text += segment_line(kNames[i], state.segment[i], (state.cr0 & 1) != 0);
  text += fmt::format("GDT=     {:08x} {:08x}\nIDT=     {:08x} {:08x}\n", state.gdtr.base, state.gdtr.limit,
                      state.idtr.base, state.idtr.limit);
  text += fmt::format("CR0={:08x} CR2={:08x} CR3={:08x} CR4={:08x}\n", state.cr0, state.cr2, state.cr3, state.cr4);
  text += fmt::format("DR0={:08x} DR1={:08x} DR2={:08x} DR3={:08x} \nDR6={:08x} DR7={:08x}\n", state.dr[0], state.dr[1],
                      state.dr[2], state.dr[3], state.dr[6], state.dr[7]);
  text += fmt::format("EFER={:016x}\n", state.efer);
  return units ? text + x87_text(state.fx) : text;
}

}  // namespace relic86
