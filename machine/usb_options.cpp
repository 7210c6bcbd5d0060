#include "machine/usb_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "machine/board_options.h"
#include "options/drive_option.h"
#include "options/option_text.h"
#include "options/pci_place_option.h"

namespace relic86 {

namespace {

using Text = std::string_view;

using Kind = UsbDeviceConfig::Kind;
using ControllerKind = UsbControllerConfig::Kind;

// What changes nothing here is QEMU's for the speed of its emulation.
struct ControllerRow {
  Text name;
  enum class Role : u8 { Chipset, Ehci, Companion, Xhci } role;
  unsigned function;  // of its slot
  Text properties;
};
using Role = ControllerRow::Role;
constexpr Text kUhciProperties = "addr bandwidth bus firstport id masterbus maxframes multifunction";
constexpr ControllerRow kControllers[] = {
    {"piix3-usb-uhci", Role::Chipset, 2, "addr bandwidth bus id maxframes multifunction"},
    {"ich9-usb-ehci1", Role::Ehci, 7, "addr bus id maxframes multifunction"},
    {"ich9-usb-uhci1", Role::Companion, 0, kUhciProperties},
    {"ich9-usb-uhci2", Role::Companion, 1, kUhciProperties},
    {"ich9-usb-uhci3", Role::Companion, 2, kUhciProperties},
    {"qemu-xhci", Role::Xhci, 0, "addr bus id intrs multifunction p2 p3 slots"},
};
constexpr unsigned kMostXhciPorts = 15;                         // of each kind, as QEMU's has
constexpr std::size_t kMostDiskSerial = 20, kMostSerial = 126;  // a string descriptor has 255 bytes

// Properties that change nothing here are QEMU's for hosts and faster buses.
struct Row {
  Text name;
  Kind kind;
  Text properties;
};
constexpr Row kRows[] = {
    {"usb-tablet", Kind::Tablet, "bus display head id port serial usb_version"},
    {"usb-mouse", Kind::Mouse, "bus id port serial usb_version"},
    {"usb-kbd", Kind::Keyboard, "bus display id port serial usb_version"},
    {"usb-hub", Kind::Hub, "bus id port serial"},
    {"usb-storage", Kind::Storage,
     "bootindex bus discard_granularity drive id logical_block_size min_io_size opt_io_size physical_block_size port "
     "removable rerror serial share-rw usb_version werror write-cache"},
};

template <class Table>
auto find_in(const Table& rows, Text name) {
  const auto* const row = std::find_if(std::begin(rows), std::end(rows), [&](const auto& r) { return r.name == name; });
  return row == std::end(rows) ? nullptr : row;
}
const Row* find_row(Text name) { return find_in(kRows, name); }

Error unknown_property(const DeviceOption& device, Text key, Text word) {
  const auto known = split_words(usb_device_properties(device.name), ' ');
  const std::vector<Text> names(known.begin(), known.end());
  return Error{fmt::format("-device {}: {}={}: unknown property; the nearest is {}; '-device {},help' lists all",
                           device.name, key, word, nearest_word(key, names), device.name)};
}

bool knows(const DeviceOption& device, const std::string& key) {
  const auto known = split_words(usb_device_properties(device.name), ' ');
  return std::find(known.begin(), known.end(), key) != known.end();
}

// p2=, p3=.
Result<unsigned> port_count(const DeviceOption& device, Text key, unsigned least, unsigned usual) {
  const std::string word(device.property(key));
  if (word.empty()) return usual;
  const auto number = parse_number(word);
  if (number && number.value() >= least && number.value() <= kMostXhciPorts)
    return static_cast<unsigned>(number.value());
  return Error{fmt::format("-device {}: {}={}: a number from {} to {} is expected", device.name, key, word, least,
                           kMostXhciPorts)};
}

Result<> add_companion(const DeviceOption& device, unsigned number, BoardConfig& config) {
  if (!config.usb_controller || config.usb_controller->kind != ControllerKind::Ehci)
    return Error{fmt::format("-device {}: it is a companion of an EHCI; add -device ich9-usb-ehci1,id=usb before it",
                             device.name)};
  UsbControllerConfig& controller = *config.usb_controller;
  if (const Text bus = device.property("masterbus"); controller.id.empty() || bus != controller.id + ".0")
    return Error{
        fmt::format("-device {}: masterbus={}: it is a companion of an EHCI; give that one an id, ID, and "
                    "write masterbus=ID.0",
                    device.name, bus)};
  if (controller.companions != number)
    return Error{fmt::format("-device {}: ich9-usb-uhci{} is the next companion", device.name,
                             std::min(controller.companions + 1, 3u))};
  const std::string first(device.property("firstport"));
  const auto port = first.empty() ? Result<u64>(0) : parse_number(first);
  if (!port || port.value() != number * 2)
    return Error{fmt::format("-device {}: firstport={}: this companion has the ports from {} on", device.name, first,
                             number * 2)};
  controller.companions++;
  return {};
}

}  // namespace

Text usb_device_properties(Text name) {
  if (const ControllerRow* const row = find_in(kControllers, name); row != nullptr) return row->properties;
  const Row* const row = find_row(name);
  return row == nullptr ? Text{} : row->properties;
}

Result<> add_usb_controller(const DeviceOption& device, BoardConfig& config) {
  const ControllerRow& row = *find_in(kControllers, device.name);
  std::optional<unsigned> slot;
  for (const auto& [key, word] : device.properties) {
    if (!knows(device, key)) return unknown_property(device, key, word);
    if (key != "addr") continue;
    if (row.role == Role::Xhci) {
      const auto at = parse_pci_slot("-device " + device.name, word);
      if (!at) return at.error();
      slot = at.value();
      continue;
    }
    const auto place = parse_pci_function(word);
    if (row.role == Role::Chipset && (!place || place->slot != 1 || place->function != row.function))
      return Error{fmt::format("-device {}: addr={}: it is function 2 of the PIIX3; write addr=1.2 or leave it out",
                               device.name, word)};
    if (!place || place->function != row.function)
      return Error{fmt::format("-device {}: addr={}: it is function {} of a slot; write addr=SLOT.{}", device.name,
                               word, row.function, row.function)};
    slot = place->slot;
  }
  if (row.role == Role::Companion) {
    if (auto added = add_companion(device, row.function, config); !added) return added;
    if (slot && config.usb_controller->slot && slot != config.usb_controller->slot)
      return Error{fmt::format("-device {}: addr={}: it is in the slot of its EHCI, {:x}", device.name,
                               device.property("addr"), *config.usb_controller->slot)};
    if (slot) config.usb_controller->slot = slot;
    return {};
  }
  if (config.usb_controller)
    return Error{
        fmt::format("-device {}: there is a USB controller already (-usb, or another -device); only one is "
                    "possible",
                    device.name)};
  UsbControllerConfig& controller = config.usb_controller.emplace();
  if (row.role == Role::Chipset) return {};
  controller.kind = row.role == Role::Ehci ? ControllerKind::Ehci : ControllerKind::Xhci;
  controller.id = device.property("id");
  controller.slot = slot;
  if (row.role == Role::Ehci) return {};
  const auto usb2 = port_count(device, "p2", 1, controller.usb2_ports);
  const auto usb3 = port_count(device, "p3", 0, controller.usb3_ports);
  if (!usb2) return usb2.error();
  if (!usb3) return usb3.error();
  controller.usb2_ports = usb2.value();
  controller.usb3_ports = usb3.value();
  return {};
}

Result<> check_usb_controllers(const BoardConfig& config) {
  if (!config.usb_controller || config.usb_controller->kind != ControllerKind::Ehci ||
      config.usb_controller->companions > 0)
    return {};
  return Error{
      "-device ich9-usb-ehci1: all devices are of USB 1.1, and an EHCI leaves them to its companions; add "
      "-device ich9-usb-uhci1,masterbus=ID.0,firstport=0"};
}

Result<std::optional<UsbDeviceConfig>> usb_device_config(const Options& options, const DeviceOption& device,
                                                         const DriveMedia& media) {
  const Row* const row = find_row(device.name);
  if (row == nullptr) return std::optional<UsbDeviceConfig>();
  UsbDeviceConfig config;
  config.kind = row->kind;
  for (const auto& [key, word] : device.properties) {
    const auto wrong = [&, &name = key, &given = word](Text mend) {
      return Error{fmt::format("-device {}: {}={}: {}", device.name, name, given, mend)};
    };
    if (!knows(device, key)) return unknown_property(device, key, word);
    if (key == "id") config.id = word;
    if (key == "port") config.port = word;
    if (key == "drive") config.drive = word;
    if (key == "serial") {
      const std::size_t most = row->kind == Kind::Storage ? kMostDiskSerial : kMostSerial;
      if (word.size() > most) return wrong(fmt::format("at most {} characters fit", most));
      config.serial = word;
    } else if (key == "removable") {
      const auto on = parse_switch(word);
      if (!on) return wrong(on.message());
      config.removable = on.value();
    } else if (key == "bootindex") {
      const auto number = parse_number(word);
      if (!number || number.value() > 0xFFFF) return wrong("a number from 0 to 65535 is expected");
      config.boot_index = static_cast<unsigned>(number.value());
    } else if (key == "logical_block_size" && word != "512") {
      return wrong("only sectors of 512 bytes exist");
    }
  }
  if (row->kind != Kind::Storage) return std::optional(std::move(config));
  const auto drive = std::find_if(options.drives.begin(), options.drives.end(), [&](const DriveOption& each) {
    return each.interface == DriveOption::Interface::Usb && (each.id == config.drive || each.node == config.drive);
  });
  const auto medium = drive == options.drives.end() ? media.end() : media.find(drive_name(options, *drive));
  if (config.drive.empty() || medium == media.end())
    return Error{fmt::format("-device {}: drive={}: name the id of a -drive with if=none and a file", device.name,
                             config.drive)};
  for (const auto& [key, said] : {std::pair("werror", drive->write_error), std::pair("rerror", drive->read_error)}) {
    const Text word = device.property(key);
    if (!word.empty() && word != "auto" && word != said)
      return Error{fmt::format("-device {}: {}={}: write it in the -drive of the disk", device.name, key, word)};
  }
  config.drive = drive_name(options, *drive);
  config.image = DriveMedium::device(medium->second);
  return std::optional(std::move(config));
}

Result<bool> add_usb_device(const Options& options, const DeviceOption& device, const DriveMedia& media,
                            BoardConfig& config) {
  auto made = usb_device_config(options, device, media);
  if (!made) return made.error();
  if (!made.value()) return false;
  if (!config.usb_controller)
    return Error{fmt::format("-device {}: there is no USB controller before it; add -usb", device.name)};
  config.usb_devices.push_back(std::move(*made.value()));
  return true;
}

}  // namespace relic86
