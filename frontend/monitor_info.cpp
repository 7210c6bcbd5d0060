// info TOPIC: what QEMU's users look at.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "cpu/cpu_dump.h"
#include "frontend/monitor_commands.h"
#include "frontend/saved_machine.h"
#include "frontend/version.h"

namespace relic86::monitor {
namespace {

std::string registers(Machine& machine) { return "\nCPU#0\n" + describe_registers(machine.cpu(), true); }

std::string status(Machine& machine) { return fmt::format("VM status: {}\n", machine.status()); }

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
    {"mem", "mapped ranges of linear memory", info_mem},
    {"tlb", "linear to physical, page by page", info_tlb},
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
