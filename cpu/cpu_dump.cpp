#include "cpu/cpu_dump.h"

#include <fmt/format.h>

#include <cstring>

#include "cpu/control_bits.h"

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

std::string segment_line(std::string_view name, const Segment& segment, const CpuMode& mode) {
  // The second descriptor word as QEMU prints it: attributes at bits 8-23, the limit's top bits between them.
  const u32 flags = (segment.attributes & 0xFFu) << 8 | (segment.attributes & 0xF000u) << 8;
  std::string text = fmt::format("{:<3}={:04x} {:0{}x} {:08x} {:08x}", name, segment.selector.raw, segment.base,
                                 mode.code64 ? 16 : 8, segment.limit, flags | (segment.limit & 0xF0000u));
  // In real mode, and of a segment that is not there, the second word says all there is to say.
  if (!mode.protected_mode || !segment.present()) return text + "\n";
  if (!segment.is_code_or_data()) {
    static constexpr std::string_view kSystem[] = {
        "Reserved", "TSS16-avl", "LDT",      "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16",
        "Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32"};
    static constexpr std::string_view kLongSystem[] = {
        "<hiword>", "Reserved",  "LDT",      "Reserved",   "Reserved",   "Reserved", "Reserved",  "Reserved",
        "Reserved", "TSS64-avl", "Reserved", "TSS64-busy", "CallGate64", "Reserved", "IntGate64", "TrapGate64"};
    return text +
           fmt::format(" DPL={} {}\n", segment.dpl(), (mode.long_mode ? kLongSystem : kSystem)[segment.type() & 15]);
  }
  static constexpr std::string_view kData[] = {"---", "--A", "-W-", "-WA", "E--", "E-A", "EW-", "EWA"};
  static constexpr std::string_view kCode[] = {"---", "--A", "-R-", "-RA", "C--", "C-A", "CR-", "CRA"};
  return text + fmt::format(" DPL={} {} [{}]\n", segment.dpl(),
                            !segment.is_code() ? "DS  "
                            : mode.code64      ? "CS64"
                            : segment.big()    ? "CS32"
                                               : "CS16",
                            (segment.is_code() ? kCode : kData)[segment.type() & 7]);
}

// With AVX enabled the vectors are YMM registers, as QEMU shows them.
std::string units_text(const CpuState& state, unsigned vectors) {
  const FxState& fx = state.fx;
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
  for (unsigned i = 0; i < vectors; i++) {
    u64 low = 0, high = 0;
    std::memcpy(&low, fx.xmm[i].bytes, 8);
    std::memcpy(&high, fx.xmm[i].bytes + 8, 8);
    if ((state.xcr0 & kXcr0Avx) != 0) {
      u64 upper[2];
      std::memcpy(upper, state.ymm_high[i].bytes, sizeof upper);
      text += fmt::format("YMM{:02}={:016x} {:016x} {:016x} {:016x}\n", i, upper[1], upper[0], high, low);
      continue;
    }
    text += fmt::format("XMM{:02}={:016x} {:016x}{}", i, high, low, i % 2 == 1 ? "\n" : " ");
  }
  return text;
}

}  // namespace

namespace {

std::string general_text(const Cpu& cpu) {
  const CpuState& state = cpu.state();
  if (!state.mode.code64) {
    return fmt::format("EAX={:08x} EBX={:08x} ECX={:08x} EDX={:08x}\nESI={:08x} EDI={:08x} EBP={:08x} ESP={:08x}\n",
                       state.gpr32(kEax), state.gpr32(kEbx), state.gpr32(kEcx), state.gpr32(kEdx), state.gpr32(kEsi),
                       state.gpr32(kEdi), state.gpr32(kEbp), state.gpr32(kEsp));
  }
  static constexpr std::string_view kNames[] = {"RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP"};
  static constexpr Gpr kOrder[] = {kEax, kEbx, kEcx, kEdx, kEsi, kEdi, kEbp, kEsp};
  std::string text;
  for (unsigned i = 0; i < 16; i++) {
    const unsigned gpr = i < std::size(kOrder) ? unsigned{kOrder[i]} : i;
    const std::string name = i < std::size(kNames) ? std::string(kNames[i]) : fmt::format("R{:<2}", i);
    text += fmt::format("{}={:016x}{}", name, state.gpr[gpr], i % 4 == 3 ? "\n" : " ");
  }
  return text;
}

std::string system_text(const CpuState& state) {
  const int width = state.mode.long_mode ? 16 : 8;
  std::string text = fmt::format("GDT=     {:0{}x} {:08x}\nIDT=     {:0{}x} {:08x}\n", state.gdtr.base, width,
                                 state.gdtr.limit, state.idtr.base, width, state.idtr.limit);
  text += fmt::format("CR0={:08x} CR2={:0{}x} CR3={:0{}x} CR4={:08x}\n", state.cr0, state.cr2, width, state.cr3, width,
                      state.cr4);
  for (unsigned i = 0; i < 4; i++) text += fmt::format("DR{}={:0{}x} ", i, state.dr[i], width);
  text += fmt::format("\nDR6={:0{}x} DR7={:0{}x}\n", state.dr[6], width, state.dr[7], width);
  return text + fmt::format("EFER={:016x}\n", state.efer);
}

}  // namespace

std::string describe_registers(Cpu& cpu, bool units) {
  const CpuState& state = cpu.state();
  const u32 eflags = cpu.eflags();
  std::string text = general_text(cpu);
  const auto pointer =
      state.mode.code64 ? fmt::format("RIP={:016x} RFL", state.rip) : fmt::format("EIP={:08x} EFL", state.eip());
  text += fmt::format("{}={:08x} [{}] CPL={} II={} A20={} SMM={} HLT={}\n", pointer, eflags, flag_letters(eflags),
                      state.mode.cpl, state.shadow != 0 ? 1 : 0, cpu.mmu().bus().a20() ? 1 : 0, state.in_smm ? 1 : 0,
                      state.halted ? 1 : 0);
  static constexpr std::string_view kNames[] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR"};
  for (unsigned i = 0; i < kSegmentCount; i++) text += segment_line(kNames[i], state.segment[i], state.mode);
  text += system_text(state);
  return units ? text + units_text(state, state.mode.code64 ? 16 : 8) : text;
}

}  // namespace relic86
