// info TOPIC: what QEMU's users look at.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "frontend/monitor_commands.h"
#include "frontend/saved_machine.h"
#include "frontend/version.h"

namespace relic86::monitor {
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

std::string registers(Machine& machine) { return registers_text(machine); }

std::string status(Machine& machine) { return fmt::format("VM status: {}\n", machine.status()); }

// One line per run of pages with the same rights, as QEMU's info mem: start-end size rights.
std::string mem(Machine& machine) {
  Mmu& mmu = machine.cpu().mmu();
  if (!machine.cpu().state().mode.paging) return "PG disabled\n";
  std::string text, last;
  u64 start = 0;
  const auto close_run = [&](u64 end) {
    if (!last.empty()) text += fmt::format("{:08x}-{:08x} {:08x} {}\n", start, end, end - start, last);
  };
  for (u64 address = 0; address < u64{1} << 32; address += kPageSize) {
    const auto rights = mmu.debug_rights(LinAddr(address));
    const std::string now = rights ? fmt::format("{}r{}", rights->user ? 'u' : '-', rights->writable ? 'w' : '-') : "";
    if (now != last) {
      close_run(address);
      start = address;
      last = now;
    }
  }
  close_run(u64{1} << 32);
  return text;
}

std::string tlb(Machine& machine) {
  Mmu& mmu = machine.cpu().mmu();
  if (!machine.cpu().state().mode.paging) return "PG disabled\n";
  std::string text;
  constexpr unsigned kMostLines = 8192;
  unsigned lines = 0;
  for (u64 address = 0; address < u64{1} << 32 && lines < kMostLines; address += kPageSize) {
    const auto physical = mmu.debug_translate(LinAddr(address));
    if (!physical) continue;
    const auto rights = mmu.debug_rights(LinAddr(address));
    text += fmt::format("{:08x}: {:016x} {}{}\n", address, physical->raw, rights->user ? 'U' : '-',
                        rights->writable ? 'W' : '-');
    lines++;
  }
  return text;
}

std::string mtree(Machine& machine) { return machine.bus().describe() + machine.io().describe(); }
std::string pic(Machine& machine) { return machine.board().describe_interrupt_controllers(); }
std::string block(Machine& machine) { return machine.describe_drives(); }
std::string pci(Machine& machine) { return machine.board().describe_pci(); }
std::string jit(Machine& machine) { return machine.engine().describe(); }
std::string statehash(Machine& machine) { return fmt::format("{:016x}\n", machine.state_hash()); }
std::string snapshots(Machine& machine) { return describe_saved_machines(machine); }
std::string version(Machine&) { return fmt::format("{}\n", kVersion); }
std::string name(Machine& machine) { return machine.options().name.empty() ? "" : machine.options().name + "\n"; }
std::string cpus(Machine&) { return fmt::format("* CPU #0: thread_id={}\n", gettid()); }
std::string kvm(Machine&) { return "kvm support: disabled\n"; }
std::string mice(Machine&) { return "* Mouse #0: PS/2 Mouse\n"; }
std::string usb(Machine&) { return "Error: USB support not enabled\n"; }

std::string qtree(Machine& machine) {
  StateDumper dumper;
  machine.state(dumper);
  return dumper.text();
}

struct Topic {
  std::string_view name;
  std::string_view help;
  std::string (*text)(Machine&);
};
constexpr Topic kTopics[] = {
    {"status", "running or paused", status},
    {"registers", "the processor's registers", registers},
    {"mem", "mapped ranges of linear memory", mem},
    {"tlb", "linear to physical, page by page", tlb},
    {"pic", "interrupt controllers", pic},
    {"irq", "interrupt controllers", pic},
    {"block", "drives and their media", block},
    {"pci", "PCI functions", pci},
    {"mtree", "who answers which memory and ports", mtree},
    {"jit", "the execution engine's statistics", jit},
    {"state", "every field of the machine's state", qtree},
    {"statehash", "a hash of the whole machine", statehash},
    {"snapshots", "saved machines", snapshots},
    {"name", "the machine's name (-name)", name},
    {"cpus", "processors and their host threads", cpus},
    {"kvm", "whether the host's virtualization is used: never", kvm},
    {"mice", "the mouse that gets host events", mice},
    {"usb", "USB devices: none exist", usb},
    {"version", "the emulator's version", version},
};

}  // namespace

std::string registers_text(Machine& machine) {
  const CpuState& state = machine.cpu().state();
  const u32 eflags = machine.cpu().eflags();
  std::string text = fmt::format("\nCPU#0\nEAX={:08x} EBX={:08x} ECX={:08x} EDX={:08x}\n", state.gpr32(kEax),
                                 state.gpr32(kEbx), state.gpr32(kEcx), state.gpr32(kEdx));
  text += fmt::format("ESI={:08x} EDI={:08x} EBP={:08x} ESP={:08x}\n", state.gpr32(kEsi), state.gpr32(kEdi),
                      state.gpr32(kEbp), state.gpr32(kEsp));
  text += fmt::format("EIP={:08x} EFL={:08x} [{}] CPL={} II={} A20={} SMM={} HLT={}\n", state.eip(), eflags,
                      flag_letters(eflags), state.mode.cpl, state.shadow != 0 ? 1 : 0, machine.bus().a20() ? 1 : 0,
                      state.in_smm ? 1 : 0, state.halted ? 1 : 0);
  static constexpr std::string_view kNames[] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR"};
  for (unsigned i = 0; i < kSegmentCount; i++) text += segment_line(kNames[i], state.segment[i], (state.cr0 & 1) != 0);
  text += fmt::format("GDT=     {:08x} {:08x}\nIDT=     {:08x} {:08x}\n", state.gdtr.base, state.gdtr.limit,
                      state.idtr.base, state.idtr.limit);
  text += fmt::format("CR0={:08x} CR2={:08x} CR3={:08x} CR4={:08x}\n", state.cr0, state.cr2, state.cr3, state.cr4);
  text += fmt::format("DR0={:08x} DR1={:08x} DR2={:08x} DR3={:08x} \nDR6={:08x} DR7={:08x}\n", state.dr[0], state.dr[1],
                      state.dr[2], state.dr[3], state.dr[6], state.dr[7]);
  text += fmt::format("EFER={:016x}\n", state.efer);
  return text + x87_text(state.fx);
}

std::string info(Machine& machine, Words words) {
  if (words.size() > 1) {
    for (const Topic& topic : kTopics) {
      if (topic.name == words[1]) return topic.text(machine);
    }
  }
  std::string text = words.size() > 1 ? fmt::format("unknown command: 'info {}'; known are:\n", words[1]) : "";
  for (const Topic& topic : kTopics) text += fmt::format("info {} -- {}\n", topic.name, topic.help);
  return text;
}

}  // namespace relic86::monitor
