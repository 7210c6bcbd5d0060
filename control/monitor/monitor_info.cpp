// info TOPIC: what QEMU's users look at.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "control/commands/command.h"
#include "control/monitor/monitor_commands.h"
#include "cpu/cpu_dump.h"
#include "devices/chipset/local_apic.h"
#include "devices/input/pointer.h"
#include "machine/machine_usb.h"
#include "machine/migration.h"
#include "machine/saved_machine.h"
#include "options/version.h"

namespace relic86::monitor {
namespace {

std::string registers_of(Machine& machine, unsigned processor) {
  return fmt::format("\nCPU#{}\n", processor) + describe_registers(machine.processors()[processor].cpu(), true);
}
// Of the processor that the monitor looks at, of the one with this number, or of all.
std::string registers(Machine& machine, Words words) {
  if (words.size() < 3) return registers_of(machine, machine.looked_at());
  if (words[2] == "-a") {
    std::string text;
    for (unsigned n = 0; n < machine.processors().count(); n++) text += registers_of(machine, n);
    return text;
  }
  const auto number = evaluate(machine, words[2]);
  if (!number || *number >= machine.processors().count()) return fmt::format("CPU#{} not available\n", words[2]);
  return registers_of(machine, static_cast<unsigned>(*number));
}

// Of the processor that the monitor looks at, or of the one with this APIC ID.
std::string local_apic(Machine& machine, Words words) {
  unsigned processor = machine.looked_at();
  if (words.size() > 2) {
    const auto id = evaluate(machine, words[2]);
    const ProcessorTopology& topology = machine.options().processors;
    for (processor = 0; processor < topology.count && topology.apic_id(processor) != id;) processor++;
  }
  LocalApic* const apic = machine.board().local_apic(processor);
  return apic == nullptr ? "No local APIC available\n" : apic->describe();
}

std::string status(Machine& machine) { return fmt::format("VM status: {}\n", machine.status()); }

std::string migrate(Machine& machine) {
  const Migration::Progress progress = machine.migration().progress();
  if (progress.status == MigrationStatus::None) return "";
  constexpr u64 kKilobyte = 1024;
  std::string text = fmt::format("Migration status: {}{}\ntotal time: {} ms\n", migration_status_name(progress.status),
                                 progress.trouble.empty() ? "" : " (" + progress.trouble + ")", progress.total_ms);
  if (progress.status == MigrationStatus::Completed) text += fmt::format("downtime: {} ms\n", progress.downtime_ms);
  return text + fmt::format(
                    "transferred ram: {} kbytes\nremaining ram: {} kbytes\ntotal ram: {} kbytes\n"
                    "duplicate: {} pages\nnormal: {} pages\ndirty sync count: {}\n",
                    progress.sent / kKilobyte, progress.remaining / kKilobyte, progress.total / kKilobyte,
                    progress.zero_pages, progress.pages, progress.rounds);
}

std::string mtree(Machine& machine) { return machine.bus().describe() + machine.io().describe(); }
std::string pic(Machine& machine) { return machine.board().describe_interrupt_controllers(); }
std::string block(Machine& machine) { return machine.describe_drives(); }
std::string pci(Machine& machine) { return machine.board().describe_pci(); }
std::string jit(Machine& machine) { return machine.processors().describe_engines(); }
std::string statehash(Machine& machine) { return fmt::format("{:016x}\n", machine.state_hash()); }
std::string snapshots(Machine& machine) { return describe_saved_machines(machine); }
std::string version(Machine&) { return fmt::format("{}\n", kVersion); }
std::string name(Machine& machine) { return machine.options().name.empty() ? "" : machine.options().name + "\n"; }
std::string cpus(Machine& machine) {
  std::string text;
  for (unsigned n = 0; n < machine.processors().count(); n++)
    text +=
        fmt::format("{} CPU #{}: thread_id={}\n", n == machine.looked_at() ? '*' : ' ', n, machine.host_thread_of(n));
  return text;
}
std::string kvm(Machine&) { return "kvm support: disabled\n"; }
std::string mice(Machine& machine) {
  const Pointer& pointer = machine.board().pointer();
  const std::string mouse = "Mouse #0: PS/2 Mouse\n", tablet = "Mouse #1: HID Tablet (absolute)\n";
  const std::string vmware = pointer.absolute() ? "Mouse #2: vmmouse (absolute)\n" : "Mouse #2: vmmouse\n";
  if (pointer.uses_tablet()) return "* " + tablet + "  " + mouse;
  const std::string others = pointer.has_tablet() ? "  " + tablet : "";
  if (pointer.uses_vmware_mouse()) return "* " + vmware + "  " + mouse + others;
  return "* " + mouse + others;
}

std::string uuid(Machine& machine) {
  const std::string& text = machine.options().uuid;
  return (text.empty() ? "00000000-0000-0000-0000-000000000000" : text) + "\n";
}
std::string memory_size(Machine& machine) {
  return fmt::format("base memory: {}\nplugged memory: 0\n", machine.options().ram_bytes);
}
std::string balloon(Machine& machine) {
  const CommandReply reply = run_command("query-balloon", machine);
  if (!reply) return fmt::format("Error: {}\n", reply.error().message);
  return fmt::format("balloon: actual={}\n", reply.value()["actual"].get<u64>() >> 20);
}
std::string network(Machine& machine) { return machine.network().describe(); }
std::string usernet(Machine& machine) { return machine.network().describe_connections(); }

// Who is connected to what, as the command line says it.
std::string char_devices(Machine& machine) {
  const Options& options = machine.options();
  std::string text;
  const auto ports = [&](const char* kind, const std::vector<std::string>& devices) {
    for (std::size_t i = 0; i < devices.size(); i++) text += fmt::format("{}{}: filename={}\n", kind, i, devices[i]);
  };
  ports("serial", options.serials);
  ports("parallel", options.parallels);
  if (!options.debugcon.empty()) text += fmt::format("debugcon0: filename={}\n", options.debugcon);
  for (const MonitorOption& monitor : options.monitors)
    text += fmt::format("{}: filename={}\n", monitor.control ? "qmp" : "monitor", monitor.device);
  for (const CharDeviceOption& device : options.char_devices)
    text += fmt::format("{}: filename={}\n", device.id, device.spec);
  return text;
}

std::string qtree(Machine& machine) {
  StateDumper dumper;
  machine.state(dumper);
  return dumper.text();
}

struct Topic {
  std::string_view name;
  std::string_view help;
  std::string (*text)(Machine&);
  std::string (*text_about)(Machine&, Words) = nullptr;  // of a topic whose name more words may follow
};
constexpr Topic kTopics[] = {
    {"status", "running or paused", status},
    {"registers", "a processor's registers; -a: of all", nullptr, registers},
    {"lapic", "a processor's local APIC", nullptr, local_apic},
    {"mem", "mapped ranges of linear memory", info_mem},
    {"tlb", "linear to physical, page by page", info_tlb},
    {"pic", "interrupt controllers", pic},
    {"irq", "interrupt controllers", pic},
    {"block", "drives and their media", block},
    {"block-jobs", "jobs that copy disks", info_block_jobs},
    {"blockstats", "what was read and written of each drive", info_blockstats},
    {"pci", "PCI functions", pci},
    {"mtree", "who answers which memory and ports", mtree},
    {"jit", "the execution engine's statistics", jit},
    {"qtree", "the same as info state", qtree},
    {"chardev", "character devices", char_devices},
    {"balloon", "how much memory the guest keeps, in MiB", balloon},
    {"network", "network cards and what they are plugged into", network},
    {"usernet", "connections of -netdev user", usernet},
    {"uuid", "the machine's UUID (-uuid)", uuid},
    {"memory_size_summary", "bytes of guest RAM", memory_size},
    {"state", "every field of the machine's state", qtree},
    {"statehash", "a hash of the whole machine", statehash},
    {"snapshots", "saved machines", snapshots},
    {"migrate", "how a migration gets on", migrate},
    {"name", "the machine's name (-name)", name},
    {"cpus", "processors and their host threads", cpus},
    {"kvm", "whether the host's virtualization is used: never", kvm},
    {"mice", "the mouse that gets host events", mice},
    {"usb", "USB devices", describe_usb},
    {"vnc", "the VNC server and its clients", info_vnc},
    {"version", "the emulator's version", version},
};

}  // namespace

std::string info(Machine& machine, Words words) {
  if (words.size() > 1) {
    for (const Topic& topic : kTopics) {
      if (topic.name != words[1]) continue;
      return topic.text_about != nullptr ? topic.text_about(machine, words) : topic.text(machine);
    }
  }
  std::string text = words.size() > 1 ? fmt::format("unknown command: 'info {}'; known are:\n", words[1]) : "";
  for (const Topic& topic : kTopics) text += fmt::format("info {} -- {}\n", topic.name, topic.help);
  return text;
}

}  // namespace relic86::monitor
