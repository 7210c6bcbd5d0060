// Run control, processors, memory: what a machine does and is.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/output_file.h"
#include "control/commands/command.h"
#include "control/commands/object_tree.h"
#include "cpu/cpu_model_list.h"
#include "devices/pci_bus.h"
#include "devices/virtio/virtio_balloon.h"
#include "machine/guest_dump.h"
#include "machine/guest_inputs.h"
#include "machine/guest_memory.h"
#include "machine/migration.h"
#include "options/run_option.h"
#include "options/smp_option.h"
#include "options/version.h"

namespace relic86 {

namespace {

CommandReply query_status(Machine& machine, const Arguments&) {
  const std::string status = machine.status();
  const char* word = status == "running"                   ? "running"
                     : status == "paused (shutdown)"       ? "shutdown"
                     : status == "paused (suspended)"      ? "suspended"
                     : status == "paused (prelaunch)"      ? "prelaunch"
                     : status == "paused (watchdog)"       ? "watchdog"
                     : status == "paused (guest-panicked)" ? "guest-panicked"
                     : status == "paused (inmigrate)"      ? "inmigrate"
                     : status == "paused (postmigrate)"    ? "postmigrate"
                     : status == "paused (io-error)"       ? "io-error"
                     : status == "paused (finish-migrate)" ? "finish-migrate"
                                                           : "paused";
  return Json{{"status", word}, {"singlestep", false}, {"running", status == "running"}};
}

CommandReply query_name(Machine& machine, const Arguments&) {
  return machine.options().name.empty() ? Json::object() : Json{{"name", machine.options().name}};
}
CommandReply query_uuid(Machine& machine, const Arguments&) {
  const std::string& uuid = machine.options().uuid;
  return Json{{"UUID", uuid.empty() ? "00000000-0000-0000-0000-000000000000" : uuid}};
}
CommandReply query_kvm(Machine&, const Arguments&) { return Json{{"enabled", false}, {"present", false}}; }
// As QEMU's programs of these names say it; here the processor decides.
CommandReply query_target(Machine& machine, const Arguments&) { return Json{{"arch", architecture(machine)}}; }

CommandReply query_version(Machine&, const Arguments&) {
  return Json{
      {"qemu", {{"micro", kQemuMicro}, {"minor", kQemuMinor}, {"major", kQemuMajor}}},
      {"package", fmt::format("relic86 {}", kVersion)},
  };
}

CommandReply stop(Machine& machine, const Arguments&) {
  machine.pause();
  return Json::object();
}
CommandReply cont(Machine& machine, const Arguments&) {
  if (machine.status() == "paused (shutdown)")
    return CommandError{.message = "Resetting the Virtual Machine is required"};
  if (machine.migration().under_way() && machine.paused())
    return CommandError{.message = "Migration is not finalized yet"};
  // After a migration they are the other program's, as long as that runs.
  if (machine.incoming() == nullptr) {
    if (auto acquired = machine.acquire_disks(); !acquired) return acquired;
  }
  machine.resume();
  return Json::object();
}
CommandReply quit(Machine& machine, const Arguments&) {
  machine.post([&machine] { machine.quit(); });  // the reply comes before the end
  return Json::object();
}
CommandReply system_reset(Machine& machine, const Arguments&) { return machine.inputs().enter(input::Reset{}); }
CommandReply system_powerdown(Machine& machine, const Arguments&) {
  return machine.inputs().enter(input::PowerButton{});
}
CommandReply system_wakeup(Machine& machine, const Arguments&) { return machine.inputs().enter(input::Wake{}); }
CommandReply inject_nmi(Machine& machine, const Arguments&) { return machine.inputs().enter(input::Nmi{}); }
CommandReply set_action(Machine& machine, const Arguments& arguments) {
  if (arguments.has("reboot")) machine.end_at_reset(arguments.text("reboot") == "shutdown");
  if (arguments.has("shutdown")) machine.pause_at_power_off(arguments.text("shutdown") == "pause");
  if (arguments.has("panic")) machine.set_panic_action(*panic_action(arguments.text("panic")));
  if (arguments.has("watchdog")) machine.set_watchdog_action(*watchdog_action(arguments.text("watchdog")));
  return Json::object();
}
CommandReply watchdog_set_action(Machine& machine, const Arguments& arguments) {
  machine.set_watchdog_action(*watchdog_action(arguments.text("action")));
  return Json::object();
}
// "rtc-reset-reinjection": the guest has set its clock.
CommandReply reset_reinjection(Machine& machine, const Arguments&) {
  machine.board().forget_missed_ticks();
  return Json::object();
}

// --- Processors ---

Json processor_place(const ProcessorTopology& topology, unsigned number) {
  Json place{{"core-id", number / topology.threads % topology.cores},
             {"thread-id", number % topology.threads},
             {"socket-id", number / topology.in_package()}};
  if (topology.dies > 1) place["die-id"] = number / topology.threads / topology.cores % topology.dies;
  return place;
}

CommandReply query_cpus(Machine& machine, const Arguments&) {
  const ProcessorTopology& topology = machine.options().processors;
  Json list = Json::array();
  for (unsigned n = 0; n < topology.count; n++) {
    list.push_back({{"thread-id", machine.host_thread_of(n)},
                    {"props", processor_place(topology, n)},
                    {"qom-path", processor_path(n)},
                    {"cpu-index", n},
                    {"target", architecture(machine)}});
  }
  return list;
}
// The places from the last to the first, as QEMU lists them; those without a processor have no path.
CommandReply query_hotpluggable_cpus(Machine& machine, const Arguments&) {
  const ProcessorTopology& topology = machine.options().processors;
  const std::string type = processor_type(machine, machine.cpu().model().name);
  Json list = Json::array();
  for (unsigned n = topology.most; n-- > 0;) {
    Json entry{{"props", processor_place(topology, n)}, {"vcpus-count", 1}, {"type", type}};
    if (n < topology.count) entry["qom-path"] = processor_path(n);
    list.push_back(std::move(entry));
  }
  return list;
}
CommandReply query_cpu_definitions(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const std::string& name : cpu_model_names()) {
    list.push_back({{"name", name},
                    {"typename", processor_type(machine, name)},
                    {"unavailable-features", Json::array()},
                    {"static", false},
                    {"migration-safe", name != "max"},
                    {"deprecated", false}});
  }
  return list;
}
CommandReply expand_cpu_model(Machine&, const Arguments& arguments) {
  const Json& model = arguments.value("model");
  std::string description = model["name"].get<std::string>();
  // Whoever asks for "host" under pure software is told that it does not exist, and asks for "max" next.
  if (description == "host") return CommandError{.message = "CPU model 'host' requires KVM or HVF"};
  if (const auto props = model.find("props"); props != model.end()) {
    if (!props->is_object())
      return CommandError{.message = "Invalid parameter type for 'model.props', expected: object"};
    for (const auto& [name, value] : props->items()) {
      if (value.is_boolean()) description += fmt::format(",{}={}", name, value.get<bool>() ? "on" : "off");
      if (value.is_string()) description += fmt::format(",{}={}", name, value.get<std::string>());
    }
  }
  auto made = make_cpu_model(description == "base" ? "486" : description);
  if (!made) return made.error();
  Json props = Json::object();
  for (const auto& [name, on] : cpu_feature_states(made.value())) props[name] = on;
  props["family"] = made.value().family;
  props["model"] = made.value().model;
  props["stepping"] = made.value().stepping;
  props["vendor"] = std::string(made.value().vendor.data());
  if (!made.value().brand.empty()) props["model-id"] = made.value().brand;
  const bool is_static = arguments.text("type") == "static";
  return Json{
      {"model", {{"name", is_static ? "base" : model["name"].get<std::string>()}, {"props", std::move(props)}}}};
}

CommandReply query_machines(Machine& machine, const Arguments&) {
  constexpr std::string_view kLongModeModel = "qemu64";  // of the program called as relic86-system-x86_64
  const bool long_mode = machine.cpu().model().has_long_mode();
  const std::string default_type = processor_type(machine, long_mode ? kLongModeModel : kDefaultCpuModel);
  const auto row = [&](const char* name) {
    return Json{{"hotpluggable-cpus", false},           {"name", name},
                {"numa-mem-supported", false},          {"default-cpu-type", default_type},
                {"cpu-max", SmpWords::kMostProcessors}, {"deprecated", false},
                {"default-ram-id", "pc.ram"},           {"acpi", true}};
  };
  Json versioned = row("pc-i440fx-7.2");
  versioned["alias"] = "pc";
  versioned["is-default"] = true;
  Json list = Json::array({std::move(versioned)});
  for (const char* name : {"pc-i440fx-7.1", "pc-i440fx-7.0", "pc-i440fx-6.2", "pc-i440fx-6.1", "pc-i440fx-6.0",
                           "pc-i440fx-5.2", "pc-i440fx-5.0", "pc-i440fx-4.2"})
    list.push_back(row(name));
  Json newer = row("pc-q35-7.2");
  newer["alias"] = "q35";
  list.push_back(std::move(newer));
  for (const char* name :
       {"pc-q35-7.1", "pc-q35-7.0", "pc-q35-6.2", "pc-q35-6.1", "pc-q35-6.0", "pc-q35-5.2", "pc-q35-5.0", "pc-q35-4.2"})
    list.push_back(row(name));
  // A machine without anything, for those who only ask.
  Json none = row("none");
  none.erase("default-cpu-type");
  none["acpi"] = false;
  list.push_back(std::move(none));
  return list;
}
CommandReply query_current_machine(Machine&, const Arguments&) { return Json{{"wakeup-suspend-support", true}}; }

// --- Memory ---

CommandReply query_memory(Machine& machine, const Arguments&) {
  return Json{{"base-memory", machine.options().ram_bytes}, {"plugged-memory", 0}};
}
CommandReply query_memdev(Machine& machine, const Arguments&) {
  const std::string& id = machine.options().memory_backend;
  return Json::array({{{"share", false},
                       {"reserve", true},
                       {"prealloc", false},
                       {"host-nodes", Json::array()},
                       {"size", machine.options().ram_bytes},
                       {"merge", true},
                       {"dump", true},
                       {"policy", "default"},
                       {"id", id.empty() ? "pc.ram" : id}}});
}
CommandReply empty_list(Machine&, const Arguments&) { return Json::array(); }

CommandError no_balloon() { return {"DeviceNotActive", "No balloon device has been activated"}; }

CommandReply query_balloon(Machine& machine, const Arguments&) {
  const VirtioBalloon* const balloon = machine.board().balloon();
  if (balloon == nullptr) return no_balloon();
  return Json{{"actual", balloon->actual()}};
}

CommandReply set_balloon(Machine& machine, const Arguments& arguments) {
  VirtioBalloon* const balloon = machine.board().balloon();
  if (balloon == nullptr) return no_balloon();
  const i64 target = arguments.number("value");
  if (target <= 0) return CommandError{.message = "Parameter 'target' expects a size"};
  balloon->set_target(static_cast<u64>(target));
  return Json::object();
}

CommandReply save_memory(Machine& machine, const Arguments& arguments, bool physical) {
  return save_guest_memory(machine, physical, arguments.number("val"), arguments.number("size"),
                           arguments.text("filename"));
}
CommandReply memsave(Machine& machine, const Arguments& arguments) {
  const u64 index = arguments.number("cpu-index");
  if (index >= machine.processors().count())
    return CommandError{.message = "Parameter 'cpu-index' expects a CPU number"};
  const LookAt guard(machine, static_cast<unsigned>(index));
  return save_memory(machine, arguments, false);
}
CommandReply pmemsave(Machine& machine, const Arguments& arguments) { return save_memory(machine, arguments, true); }

CommandReply query_iothreads(Machine& machine, const Arguments&) {
  Json list = Json::array();
  for (const ObjectOption& object : machine.objects()) {
    if (object.type != "iothread") continue;
    // Image files are read and written by the machine's own thread.
    list.push_back({{"id", object.id},
                    {"thread-id", gettid()},
                    {"poll-max-ns", 0},
                    {"poll-grow", 0},
                    {"poll-shrink", 0},
                    {"aio-max-batch", 0}});
  }
  return list;
}
CommandReply query_stats(Machine&, const Arguments&) { return Json::array(); }
CommandReply query_dirty_rate(Machine&, const Arguments&) {
  return Json{
      {"status", "unstarted"}, {"sample-pages", 0}, {"mode", "page-sampling"}, {"start-time", 0}, {"calc-time", 0}};
}
CommandReply query_dump(Machine&, const Arguments&) { return Json{{"total", 0}, {"status", "none"}, {"completed", 0}}; }
CommandReply query_replay(Machine&, const Arguments&) { return Json{{"icount", 0}, {"mode", "none"}}; }

CommandReply query_dump_formats(Machine&, const Arguments&) { return Json{{"formats", Json::array({"elf"})}}; }

// Where the dump goes: a file, or a descriptor that getfd has handed over.
Result<> dump_to(Machine& machine, const std::string& protocol) {
  if (protocol.starts_with("file:")) {
    const std::string path = protocol.substr(5);
    auto file = OutputFile::create(path);
    if (!file) return Error{fmt::format("could not open '{}': {}", path, file.message())};
    auto dumped = dump_guest(machine, [&](std::span<const u8> bytes) { return file.value().write(bytes); });
    return dumped ? file.value().commit() : dumped;
  }
  if (!protocol.starts_with("fd:")) return Error{"parameter 'protocol' must start with 'file:' or 'fd:'"};
  const int fd = machine.take_descriptor(protocol.substr(3));
  if (fd < 0) return Error{fmt::format("File descriptor named '{}' has not been found", protocol.substr(3))};
  auto dumped = dump_guest(machine, [&](std::span<const u8> bytes) -> Result<> {
    while (!bytes.empty()) {
      const ssize_t put = ::write(fd, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return Error{fmt::format("dump: failed to save memory: {}", std::strerror(errno))};
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
  });
  ::close(fd);
  return dumped;
}

// It is complete when this answers. Who wants it in the background is told so afterwards, too.
CommandReply dump_guest_memory(Machine& machine, const Arguments& arguments) {
  if (arguments.flag("paging") || arguments.has("begin") || arguments.has("length"))
    return CommandError{.message = "a dump has all of the physical memory here; leave paging, begin and length out"};
  auto dumped = dump_to(machine, arguments.text("protocol"));
  if (dumped && arguments.flag("detach")) machine.post([&machine] { machine.tell_dump(); });
  return dumped;
}

CommandReply query_colo(Machine&, const Arguments&) {
  return Json{{"mode", "none"}, {"last-mode", "none"}, {"reason", "none"}};
}
CommandReply query_xen(Machine&, const Arguments&) { return Json{{"error", false}}; }
CommandReply no_rocker(Machine&, const Arguments& arguments) {
  return CommandError{.message = fmt::format("rocker {} not found", arguments.text("name"))};
}
CommandReply query_sev(Machine&, const Arguments&) {
  return Json{{"enabled", false}, {"api-major", 0},    {"api-minor", 0}, {"build-id", 0},
              {"policy", 0},      {"state", "uninit"}, {"handle", 0}};
}
CommandReply no_sev(Machine&, const Arguments&) { return CommandError{.message = "KVM not enabled"}; }
CommandReply no_sgx(Machine&, const Arguments&) { return CommandError{.message = "SGX is not enabled in KVM"}; }
CommandReply no_generation_id(Machine&, const Arguments&) {
  return CommandError{.message = "VM Generation ID device not found"};
}

// PCI 2.1, appendix D: those that a PC of the time has.
const char* class_name(u32 device_class) {
  switch (device_class) {
    case 0x0100: return "SCSI controller";
    case 0x0101: return "IDE controller";
    case 0x0200: return "Ethernet controller";
    case 0x0300: return "VGA controller";
    case 0x0401: return "Audio controller";
    case 0x0600: return "Host bridge";
    case 0x0601: return "ISA bridge";
    case 0x0680: return "Bridge";
    case 0x0C03: return "USB controller";
    default: return nullptr;
  }
}

Json describe_bridge(const PciBridge& bridge);

Json describe_function(const PciDevice& device, unsigned bus) {
  const PciIdentity& identity = device.identity();
  Json regions = Json::array();
  constexpr unsigned kBars = 7, kRom = 6;
  for (unsigned bar = 0; bar < kBars; bar++) {
    if (device.bar_size(bar) == 0) continue;
    Json row = {{"bar", bar},
                {"type", device.bar_is_io(bar) ? "io" : "memory"},
                {"address", device.mapped_at(bar)},
                {"size", device.bar_size(bar)}};
    if (!device.bar_is_io(bar)) {
      constexpr u32 kPrefetchable = 8;
      const u8 offset = static_cast<u8>(kPciBar0 + bar * 4);
      row["prefetch"] = bar != kRom && (device.config_read(offset, 4) & kPrefetchable) != 0;
      row["mem_type_64"] = device.bar_is_wide(bar);
    }
    regions.push_back(std::move(row));
  }
  const u32 device_class = identity.class_code >> 8;
  Json class_info = {{"class", device_class}};
  if (const char* words = class_name(device_class); words != nullptr) class_info["desc"] = words;
  Json row = {{"bus", bus},
              {"slot", device.slot()},
              {"function", device.function()},
              {"class_info", std::move(class_info)},
              {"id",
               {{"device", identity.device},
                {"vendor", identity.vendor},
                {"subsystem", identity.subsystem},
                {"subsystem-vendor", identity.subsystem_vendor}}},
              {"irq_pin", identity.interrupt_pin},
              {"qdev_id", ""},
              {"regions", std::move(regions)}};
  if (identity.interrupt_pin != 0) row["irq"] = device.config_read(kPciInterruptLine, 1);
  if (const auto* const bridge = dynamic_cast<const PciBridge*>(&device); bridge != nullptr)
    row["pci_bridge"] = describe_bridge(*bridge);
  return row;
}

Json describe_bridge(const PciBridge& bridge) {
  Json cards = Json::array();
  if (bridge.card() != nullptr) cards.push_back(describe_function(*bridge.card(), bridge.secondary_bus()));
  const auto range = [](const PciBridge::Window& window) {
    return Json{{"base", window.first}, {"limit", window.last}};
  };
  Json bus = {{"number", 0},
              {"secondary", bridge.secondary_bus()},
              {"subordinate", bridge.subordinate_bus()},
              {"io_range", range(bridge.io_window())},
              {"memory_range", range(bridge.memory_window())},
              {"prefetchable_range", range(bridge.prefetchable_window())}};
  return {{"bus", std::move(bus)}, {"devices", std::move(cards)}};
}

CommandReply query_pci(Machine& machine, const Arguments&) {
  const PciBus& bus = machine.board().pci();
  Json devices = Json::array();
  for (unsigned slot = 0; slot < PciBus::kSlots; slot++) {
    for (unsigned function = 0; function < PciBus::kFunctions; function++) {
      if (const PciDevice* device = bus.at(slot, function); device != nullptr)
        devices.push_back(describe_function(*device, 0));
    }
  }
  return Json::array({{{"bus", 0}, {"devices", std::move(devices)}}});
}

constexpr Command kCommands[] = {
    {"query-status", "", "StatusInfo", query_status},
    {"query-version", "", "VersionInfo", query_version},
    {"query-name", "", "NameInfo", query_name},
    {"query-uuid", "", "UuidInfo", query_uuid},
    {"query-kvm", "", "KvmInfo", query_kvm},
    {"query-target", "", "TargetInfo", query_target},
    {"stop", "", "", stop},
    {"cont", "", "", cont},
    {"quit", "", "", quit},
    {"system_reset", "", "", system_reset},
    {"system_powerdown", "", "", system_powerdown},
    {"system_wakeup", "", "", system_wakeup},
    {"inject-nmi", "", "", inject_nmi},
    {"set-action", "*reboot:RebootAction *shutdown:ShutdownAction *panic:PanicAction *watchdog:WatchdogAction", "",
     set_action},
    {"watchdog-set-action", "action:WatchdogAction", "", watchdog_set_action},
    {"rtc-reset-reinjection", "", "", reset_reinjection},
    {"query-cpus-fast", "", "[CpuInfoFast]", query_cpus},
    {"query-hotpluggable-cpus", "", "[HotpluggableCPU]", query_hotpluggable_cpus},
    {"query-cpu-definitions", "", "[CpuDefinitionInfo]", query_cpu_definitions},
    {"query-cpu-model-expansion", "type:CpuModelExpansionType model:CpuModelInfo", "CpuModelExpansionInfo",
     expand_cpu_model},
    {"query-machines", "", "[MachineInfo]", query_machines},
    {"query-current-machine", "", "CurrentMachineParams", query_current_machine},
    {"query-memory-size-summary", "", "MemoryInfo", query_memory},
    {"query-memdev", "", "[Memdev]", query_memdev},
    {"query-memory-devices", "", "[any]", empty_list},
    {"query-acpi-ospm-status", "", "[any]", empty_list},
    {"query-balloon", "", "BalloonInfo", query_balloon},
    {"balloon", "value:int", "", set_balloon},
    {"memsave", "val:size size:size filename:str *cpu-index:size", "", memsave},
    {"pmemsave", "val:size size:size filename:str", "", pmemsave},
    {"query-iothreads", "", "[IOThreadInfo]", query_iothreads},
    {"query-stats", "target:StatsTarget *vcpus:[str] *providers:[StatsRequest]", "[any]", query_stats},
    {"query-stats-schemas", "*provider:StatsProvider", "[any]", empty_list},
    {"query-dirty-rate", "", "DirtyRateInfo", query_dirty_rate},
    {"query-vcpu-dirty-limit", "", "[any]", empty_list},
    {"query-dump", "", "DumpQueryResult", query_dump},
    {"query-replay", "", "ReplayInfo", query_replay},
    {"dump-guest-memory", "paging:bool protocol:str *detach:bool *begin:int *length:int *format:DumpGuestMemoryFormat",
     "", dump_guest_memory},
    {"query-dump-guest-memory-capability", "", "DumpGuestMemoryCapability", query_dump_formats},
    {"query-colo-status", "", "COLOStatus", query_colo},
    {"query-xen-replication-status", "", "ReplicationStatus", query_xen},
    {"query-rocker", "name:str", "any", no_rocker},
    {"query-rocker-ports", "name:str", "[any]", no_rocker},
    {"query-rocker-of-dpa-flows", "name:str *tbl-id:int", "[any]", no_rocker},
    {"query-rocker-of-dpa-groups", "name:str *type:int", "[any]", no_rocker},
    {"query-sev", "", "SevInfo", query_sev},
    {"query-sev-attestation-report", "mnonce:str", "any", no_sev},
    {"query-sev-capabilities", "", "any", no_sev},
    {"query-sev-launch-measure", "", "any", no_sev},
    {"query-sgx", "", "any", no_sgx},
    {"query-sgx-capabilities", "", "any", no_sgx},
    {"query-vm-generation-id", "", "any", no_generation_id},
    {"query-pci", "", "[PciInfo]", query_pci},
};

}  // namespace

CommandTable machine_commands() { return kCommands; }

}  // namespace relic86
