#include "options/root_ports.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/nearest.h"
#include "base/pci_place.h"
#include "options/option_text.h"
#include "options/pci_place_option.h"
#include "options/virtio_option.h"

namespace relic86 {

namespace {

using Text = std::string_view;

constexpr Text kName = "pcie-root-port", kBus = "pcie.0";
constexpr Text kProperties = "addr bus chassis hotplug id multifunction port slot";

Result<> check_property(const std::string& key, const std::string& word) {
  const auto wrong = [&](Text mend) { return Error{fmt::format("-device {}: {}={}: {}", kName, key, word, mend)}; };
  const auto known = split_words(std::string(kProperties), ' ');
  const std::vector<Text> names(known.begin(), known.end());
  if (std::find(names.begin(), names.end(), key) == names.end())
    return wrong(fmt::format("unknown property; the nearest is {}; '-device {},help' lists all",
                             nearest_word(key, names), kName));
  if (key == "bus" && word != kBus) return wrong("root ports are on pcie.0");
  if (key == "addr" && !parse_pci_function(word)) return wrong("not a place on the bus; give SLOT or SLOT.FUNCTION");
  if (key == "multifunction" || key == "hotplug") {
    if (const auto on = parse_switch(word); !on) return wrong(on.message());
  }
  constexpr u64 kMostByte = 255, kMostSlot = 8191;
  const u64 most = key == "port" || key == "chassis" ? kMostByte : key == "slot" ? kMostSlot : 0;
  if (const auto number = parse_number(word); most != 0 && (!number || number.value() > most))
    return wrong(fmt::format("not a number from 0 to {}", most));
  return {};
}

Result<> check_root_port(const DeviceOption& device) {
  for (const auto& [key, word] : device.properties) {
    if (auto checked = check_property(key, word); !checked) return checked;
  }
  return {};
}

bool is_first_slot(const std::string& word) {
  const auto place = parse_pci_function(word);
  return place && place->slot == 0 && place->function == 0;
}

void forget(DeviceOption& device, Text key) {
  std::erase_if(device.properties, [key](const auto& property) { return property.first == key; });
}

// The number of the port that the card names; nothing: it names none.
std::optional<unsigned> port_of(std::span<const DeviceOption> devices, const DeviceOption& card) {
  const Text bus = card.property("bus");
  if (bus.empty() || is_root_port(card)) return std::nullopt;
  unsigned number = 0;
  for (const DeviceOption& device : devices) {
    if (!is_root_port(device)) continue;
    if (device.property("id") == bus) return number;
    number++;
  }
  return std::nullopt;
}

Result<> put_behind_port(DeviceOption& card, unsigned port) {
  if (const std::string place(card.property("addr")); !place.empty() && !is_first_slot(place))
    return Error{fmt::format("-device {}: addr={}: a root port has one slot; write addr=0", card.name, place)};
  forget(card, "bus");
  forget(card, "addr");
  card.properties.emplace_back("addr", word_behind_port(port));
  // As in QEMU the older interface, which needs I/O ports, is not there on PCI Express unless somebody asks for it.
  VirtioOption named;
  const bool virtio = !virtio_base_name(card.name, named).empty();
  const Text legacy = card.property("disable-legacy");
  if (!virtio || (!legacy.empty() && legacy != "auto") || card.name.ends_with("-transitional")) return {};
  forget(card, "disable-legacy");
  card.properties.emplace_back("disable-legacy", "on");
  return {};
}

}  // namespace

bool is_root_port(const DeviceOption& device) { return device.name == kName; }

std::string_view root_port_properties(std::string_view name) { return name == kName ? kProperties : Text{}; }

RootPortOption root_port_option(const DeviceOption& device) {
  RootPortOption port;
  port.id = device.property("id");
  if (const auto place = parse_pci_function(std::string(device.property("addr")))) {
    port.slot = place->slot;
    port.function = place->function;
  }
  const auto number = [&](Text key) {
    const auto value = parse_number(std::string(device.property(key)));
    return value ? static_cast<unsigned>(value.value()) : 0;
  };
  const auto is = [&](Text key, bool usual) {
    const auto on = parse_switch(std::string(device.property(key)));
    return on ? on.value() : usual;
  };
  port.link = number("port");
  port.card_slot = number("slot");
  port.multifunction = is("multifunction", false);
  port.hotplug = is("hotplug", true);
  return port;
}

Result<> resolve_root_ports(Options& options) {
  const auto count =
      static_cast<std::size_t>(std::count_if(options.devices.begin(), options.devices.end(), is_root_port));
  if (options.board != Options::Board::Q35 && count != 0)
    return Error{fmt::format("-device {}: a pc has no PCI Express; -machine q35 has", kName)};
  if (count > kMostRootPorts)
    return Error{fmt::format("-device {}: there are {}; at most {} are possible", kName, count, kMostRootPorts)};
  std::map<unsigned, Text> cards;  // by port
  for (DeviceOption& device : options.devices) {
    if (is_root_port(device)) {
      if (auto checked = check_root_port(device); !checked) return checked;
      continue;
    }
    if (options.board == Options::Board::Q35 && device.property("bus") == kBus) forget(device, "bus");
    const auto port = port_of(options.all_devices, device);
    if (!port) continue;
    const std::string bus(device.property("bus"));
    if (auto put = put_behind_port(device, *port); !put) return put;
    const auto [there, free] = cards.emplace(*port, device.name);
    if (!free)
      return Error{fmt::format("-device {}: bus={}: {} is there already; give each card a root port of its own",
                               device.name, bus, there->second)};
  }
  return {};
}

Result<DeviceOption> resolve_root_port(const Options& options, const DeviceOption& card) {
  DeviceOption placed = card;
  if (options.board == Options::Board::Q35 && card.property("bus") == kBus) forget(placed, "bus");
  const auto port = port_of(options.all_devices, card);
  if (!port) return placed;
  if (auto put = put_behind_port(placed, *port); !put) return put.error();
  return placed;
}

}  // namespace relic86
