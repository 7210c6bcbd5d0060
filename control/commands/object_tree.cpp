#include "control/commands/object_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpu/cpu_model_list.h"
#include "devices/pci_bus.h"
#include "devices/video/cirrus_vga.h"
#include "devices/video/vga.h"
#include "machine/board_options.h"
#include "options/machine_option.h"

namespace relic86 {

namespace {

constexpr const char* kMachine = "/machine";
constexpr const char* kPeripheral = "/machine/peripheral";
constexpr const char* kUnattached = "/machine/unattached";
constexpr const char* kPcType = "pc-i440fx-7.2-machine";
constexpr const char* kQ35Type = "pc-q35-7.2-machine";

// Devices of the board that libvirt and others look up by their types, besides what -device takes.
constexpr const char* kBoardTypes[] = {"PIIX4_PM",       "ICH9-LPC", "piix3-ide", "PIIX3",      "i440FX",
                                       "i440FX-pcihost", "isa-fdc",  "i8042",     "mc146818rtc"};

// As QEMU numbers what belongs to nobody: the bootstrap processor is first, the other processors come after one device.
constexpr unsigned kSecondProcessor = 2;

const char* machine_type(const Machine& machine) {
  return machine.options().board == Options::Board::Q35 ? kQ35Type : kPcType;
}

std::string unattached_path(unsigned number) { return fmt::format("{}/device[{}]", kUnattached, number); }

class Tree {
 public:
  explicit Tree(Machine& machine) : machine_(machine) {
    nodes_.push_back({"/", "container", {}});
    build_machine();
    add("/objects", "container");
    for (const ObjectOption& object : machine_.objects()) {
      ObjectNode& node = add("/objects/" + object.id, object.type);
      // What a secret keeps is not told.
      if (object.type == "secret") continue;
      for (const auto& [key, word] : object.properties) node.properties.push_back({key, "str", word});
    }
    add("/chardevs", "container");
    for (const CharDeviceInfo& device : machine_.char_devices()) add("/chardevs/" + device.label, "chardev");
  }
  std::vector<ObjectNode> take() { return std::move(nodes_); }

 private:
  // Adds an object and makes it a child of the one over it.
  ObjectNode& add(const std::string& path, const std::string& type) {
    const auto slash = path.rfind('/');
    const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
    for (ObjectNode& node : nodes_) {
      if (node.path == parent) node.properties.push_back({path.substr(slash + 1), "child<" + type + ">", path});
    }
    nodes_.push_back({path, type, {{"type", "string", type}}});
    return nodes_.back();
  }

  void build_machine() {
    const Options& options = machine_.options();
    ObjectNode& machine = add(kMachine, machine_type(machine_));
    const auto set = [&](const char* name, const char* type, Json value) {
      machine.properties.push_back({name, type, std::move(value)});
    };
    set("kernel", "string", options.kernel);
    set("initrd", "string", options.initrd);
    set("append", "string", options.append);
    set("firmware", "string", options.bios);
    set("smm", "OnOffAuto", options.smm ? "on" : "off");
    set("graphics", "bool", !options.nographic);
    set("usb", "bool", machine_.board().usb() != nullptr);
    set("memory-backend", "string", options.memory_backend.empty() ? "pc.ram" : options.memory_backend);
    add(kUnattached, "container");
    add(kPeripheral, "container");
    add("/machine/peripheral-anon", "container");
    for (unsigned number = 0; number < machine_.processors().count(); number++) add_processor(number);
    add_pci_functions();
    std::size_t unnamed = 0;
    for (const DeviceOption& device : options.all_devices) {
      std::string id;
      for (const auto& [key, word] : device.properties) {
        if (key == "id") id = word;
      }
      ObjectNode& node = add(id.empty() ? fmt::format("/machine/peripheral-anon/device[{}]", unnamed++)
                                        : fmt::format("{}/{}", kPeripheral, id),
                             device.name);
      add_device_properties(node, device);
    }
  }

  void add_processor(unsigned number) {
    const Cpu& cpu = machine_.processors()[number].cpu();
    ObjectNode& node = add(processor_path(number), processor_type(machine_, cpu.model().name));
    for (const auto& [name, on] : cpu_feature_states(cpu.model())) node.properties.push_back({name, "bool", on});
    node.properties.push_back({"family", "int", cpu.model().family});
    node.properties.push_back({"model", "int", cpu.model().model});
    node.properties.push_back({"stepping", "int", cpu.model().stepping});
    node.properties.push_back({"vendor", "string", std::string(cpu.model().vendor.data())});
    node.properties.push_back({"model-id", "string", cpu.model().brand});
    node.properties.push_back({"feature-words", "X86CPUFeatureWordInfo", feature_words(cpu.model())});
    node.properties.push_back({"filtered-features", "X86CPUFeatureWordInfo", Json::array()});
  }

  // CPUID leaves whose registers hold features, as whoever compares processors reads them.
  static Json feature_words(const CpuModel& model) {
    Json words = Json::array();
    const auto word = [&](u32 leaf, const char* where, u32 value) {
      words.push_back({{"cpuid-input-eax", leaf}, {"cpuid-register", where}, {"features", value}});
      constexpr u32 kStructured = 7;
      if (leaf == kStructured) words.back()["cpuid-input-ecx"] = 0;
    };
    word(1, "EDX", model.features_edx);
    word(1, "ECX", model.features_ecx);
    word(7, "EBX", model.structured_ebx);
    word(7, "ECX", model.structured_ecx);
    word(7, "EDX", model.structured_edx);
    word(0x80000001, "EDX", model.extended_edx);
    return words;
  }

  void add_pci_functions() {
    const PciBus& bus = machine_.board().pci();
    unsigned number = 0;
    const auto next_path = [&] {
      number++;
      if (number == kSecondProcessor) number += machine_.processors().count() - 1;
      return unattached_path(number);
    };
    for (unsigned slot = 0; slot < PciBus::kSlots; slot++) {
      for (unsigned function = 0; function < PciBus::kFunctions; function++) {
        const PciDevice* device = bus.at(slot, function);
        if (device == nullptr) continue;
        ObjectNode& node = add(next_path(), std::string(device->name()));
        node.properties.push_back({"addr", "str", fmt::format("{:02x}.{}", slot, function)});
        node.properties.push_back({"multifunction", "bool", device->identity().multifunction});
      }
    }
  }

  void add_device_properties(ObjectNode& node, const DeviceOption& device) {
    for (const std::string& name : device_property_names(device.name)) {
      const auto given = std::find_if(device.properties.begin(), device.properties.end(),
                                      [&](const auto& property) { return property.first == name; });
      if (given != device.properties.end()) node.properties.push_back({name, "str", given->second});
    }
    // Whoever manages the machine asks for what it did not say.
    constexpr u32 kMebibyte = 1u << 20;
    if (device.name == "VGA" || device.name == "cirrus-vga") {
      std::erase_if(node.properties, [](const ObjectProperty& property) { return property.name == "vgamem_mb"; });
      const u32 bytes = device.name == "VGA" ? Vga::kVideoMemory : CirrusVga::kVideoMemory;
      node.properties.push_back({"vgamem_mb", "uint32", bytes / kMebibyte});
    }
  }

  Machine& machine_;
  std::vector<ObjectNode> nodes_;
};

}  // namespace

std::string processor_path(unsigned number) { return unattached_path(number == 0 ? 0 : kSecondProcessor + number - 1); }

std::vector<ObjectNode> object_tree(Machine& machine) { return Tree(machine).take(); }

std::string architecture(Machine& machine) { return machine.cpu().model().has_long_mode() ? "x86_64" : "i386"; }

std::string processor_type(Machine& machine, std::string_view model) {
  return fmt::format("{}-{}-cpu", model, architecture(machine));
}

std::vector<ObjectTypeRow> object_type_table(Machine& machine) {
  std::vector<ObjectTypeRow> types{{"object", "", true},        {"container", "object"},
                                   {"device", "object", true},  {"accel", "object", true},
                                   {"tcg-accel", "accel"},      {"interp-accel", "accel"},
                                   {"machine", "object", true}, {machine_type(machine), "machine"},
                                   {"none-machine", "machine"}, {"chardev", "object", true},
                                   {"cpu", "device", true}};
  for (const std::string& name : device_names()) types.push_back({name, "device", false, true});
  for (const char* name : kBoardTypes) types.push_back({name, "device", false, true});
  for (const ObjectType& type : object_types()) types.push_back({std::string(type.name), "object"});
  for (const std::string& name : cpu_model_names()) types.push_back({processor_type(machine, name), "cpu"});
  return types;
}

std::optional<std::vector<std::string>> type_properties(Machine& machine, const std::string& type) {
  const auto types = object_type_table(machine);
  if (std::none_of(types.begin(), types.end(), [&](const ObjectTypeRow& row) { return row.name == type; }))
    return std::nullopt;
  if (type == "PIIX4_PM" || type == "ICH9-LPC") return std::vector<std::string>{"disable_s3", "disable_s4"};
  if (type == "isa-fdc") return std::vector<std::string>{"fdtypeA"};
  if (type.ends_with("-machine")) return machine_property_names();
  if (const std::string ending = processor_type(machine, ""); type.ends_with(ending)) {
    std::vector<std::string> names;
    const auto model = make_cpu_model(type.substr(0, type.size() - ending.size()));
    for (const auto& [name, on] : cpu_feature_states(model.value())) names.push_back(name);
    for (const char* name : {"family", "model", "stepping", "vendor", "model-id", "feature-words", "filtered-features"})
      names.emplace_back(name);
    return names;
  }
  for (const ObjectType& object : object_types()) {
    if (object.name == type) return split_words(object.properties, ' ');
  }
  return device_property_names(type);
}

}  // namespace relic86
