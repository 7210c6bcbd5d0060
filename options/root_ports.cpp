#include "options/root_ports.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/nearest.h"
#include "options/option_text.h"

namespace relic86 {

namespace {

using Text = std::string_view;

constexpr Text kName = "pcie-root-port", kBus = "pcie.0";
constexpr Text kProperties = "addr bus chassis hotplug id multifunction port slot";

Result<> check_root_port(const DeviceOption& device) {
  const auto known = split_words(std::string(kProperties), ' ');
  const std::vector<Text> names(known.begin(), known.end());
  for (const auto& [key, word] : device.properties) {
    if (std::find(names.begin(), names.end(), key) == names.end())
      return Error{fmt::format("-device {}: {}={}: unknown property; the nearest is {}; '-device {},help' lists all",
                               kName, key, word, nearest_word(key, names), kName)};
    if (key == "bus" && word != kBus)
      return Error{fmt::format("-device {}: bus={}: root ports are on {}", kName, word, kBus)};
  }
  return {};
}

bool is_first_slot(const std::string& word) {
  const std::size_t dot = word.find('.');
  const auto zero = [](const std::string& part) {
    const auto number = parse_number(part);
    return number && number.value() == 0;
  };
  return zero(word.substr(0, dot)) && (dot == std::string::npos || zero(word.substr(dot + 1)));
}

void forget(DeviceOption& device, Text key) {
  std::erase_if(device.properties, [key](const auto& property) { return property.first == key; });
}

}  // namespace

bool is_root_port(const Options& options, std::string_view name) {
  return std::any_of(options.all_devices.begin(), options.all_devices.end(), [name](const DeviceOption& device) {
    return device.name == kName && !name.empty() && device.property("id") == name;
  });
}

std::string_view root_port_properties(std::string_view name) { return name == kName ? kProperties : Text{}; }

Result<> resolve_root_ports(Options& options) {
  if (options.board != Options::Board::Q35) {
    const auto named = [](const DeviceOption& device) { return device.name == kName; };
    if (std::none_of(options.devices.begin(), options.devices.end(), named)) return {};
    return Error{fmt::format("-device {}: a pc has no PCI Express; -machine q35 has", kName)};
  }
  std::map<std::string, const DeviceOption*, std::less<>> ports;  // and the card at each
  for (const DeviceOption& device : options.devices) {
    if (device.name != kName) continue;
    if (auto checked = check_root_port(device); !checked) return checked;
    if (const std::string id(device.property("id")); !id.empty()) ports.emplace(id, nullptr);
  }
  std::erase_if(options.devices, [](const DeviceOption& device) { return device.name == kName; });
  for (DeviceOption& device : options.devices) {
    const std::string bus(device.property("bus")), place(device.property("addr"));
    if (bus == kBus) forget(device, "bus");
    const auto port = ports.find(bus);
    if (port == ports.end()) continue;
    if (!place.empty() && !is_first_slot(place))
      return Error{fmt::format("-device {}: addr={}: a root port has one slot; write addr=0", device.name, place)};
    if (port->second != nullptr)
      return Error{fmt::format("-device {}: bus={}: {} is there already; give each card a root port of its own",
                               device.name, bus, port->second->name)};
    port->second = &device;
    forget(device, "bus");
    forget(device, "addr");
  }
  return {};
}

}  // namespace relic86
