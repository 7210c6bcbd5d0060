#include "options/device_option.h"

#include <fmt/format.h>

#include <algorithm>

#include "options/drive_option.h"
#include "options/flash_option.h"
#include "options/json_properties.h"
#include "options/machine_option.h"
#include "options/network_option.h"
#include "options/option_text.h"
#include "options/options.h"
#include "options/port_device.h"
#include "options/root_ports.h"

namespace relic86 {

std::string_view DeviceOption::property(std::string_view key) const {
  const auto found =
      std::find_if(properties.rbegin(), properties.rend(), [key](const auto& each) { return each.first == key; });
  return found == properties.rend() ? std::string_view() : found->second;
}

namespace {

using Text = std::string_view;

// QEMU knows some devices by two names.
std::string device_name(const std::string& word) { return word == "ahci" ? "ich9-ahci" : word; }

}  // namespace

Result<> set_property(Options& options, Text value) {
  const auto equals = value.find('=');
  const auto parts = split_words(value.substr(0, equals), '.');
  if (equals == Text::npos || parts.size() < 3)
    return Error{fmt::format("-set {}: write GROUP.ID.PROPERTY=VALUE, such as drive.d0.file=disk.img", value)};
  const std::string key = fmt::format("{}", fmt::join(parts.begin() + 2, parts.end(), "."));
  const std::string word(value.substr(equals + 1));
  if (parts[0] == "device") {
    for (DeviceOption& device : options.devices) {
      if (device.property("id") != parts[1]) continue;
      device.properties.emplace_back(key, word);
      return {};
    }
  } else if (parts[0] == "drive") {
    for (DriveOption& drive : options.drives) {
      if (drive.id == parts[1] && !parts[1].empty()) return set_drive_property(drive, key, word);
    }
  } else {
    return Error{fmt::format("-set {}: only device and drive exist as groups; write the property where the {} stands",
                             value, parts[0])};
  }
  return Error{fmt::format("-set {}: there is no -{} with id={} before it; -set stands after what it changes", value,
                           parts[0], parts[1])};
}

Result<> add_device(Options& options, Text value) {
  const auto properties = option_properties("-device", value, "driver");
  if (!properties) return properties.error();
  DeviceOption device;
  for (const auto& [key, word] : properties.value()) {
    if (key == "driver") {
      device.name = device_name(word);
    } else {
      device.properties.emplace_back(key, word);
    }
  }
  if (device.name.empty()) return Error{"-device: a device's name is missing; -device help lists them"};
  options.devices.push_back(device);
  return {};
}

Result<> add_usb_device(Options& options, Text value) {
  struct Row {
    Text word, device;
  };
  constexpr Row kRows[] = {{"tablet", "usb-tablet"}, {"mouse", "usb-mouse"}, {"keyboard", "usb-kbd"}};
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.word == value; });
  if (row == std::end(kRows))
    return Error{
        fmt::format("-usbdevice {}: there is no such USB device; tablet, mouse and keyboard exist, and more "
                    "with -usb -device",
                    value)};
  set_usb(options, true);
  return add_device(options, row->device);
}

Result<> resolve_devices(Options& options) {
  std::vector<DeviceOption> others;
  options.all_devices = options.devices;
  if (auto resolved = resolve_root_ports(options); !resolved) return resolved;
  if (auto resolved = resolve_drive_places(options); !resolved) return resolved;
  for (const DeviceOption& device : options.devices) {
    const bool wants_help = std::any_of(device.properties.begin(), device.properties.end(),
                                        [](const auto& property) { return asks_for_help(property.first); });
    auto taken = wants_help ? Result<bool>(false) : attach_drive_device(options, device);
    if (taken && !taken.value() && !wants_help) taken = attach_port_device(options, device);
    if (taken && !taken.value() && !wants_help) taken = attach_network_device(options, device);
    if (!taken) return taken.error();
    if (!taken.value()) others.push_back(device);
  }
  options.devices = std::move(others);
  if (auto resolved = resolve_flash(options); !resolved) return resolved;
  const bool usb = std::any_of(options.devices.begin(), options.devices.end(), [](const DeviceOption& device) {
    return device.name == "piix3-usb-uhci" || device.name == "ich9-usb-ehci1" || device.name == "qemu-xhci";
  });
  for (DriveOption& drive : options.drives) {
    if (drive.interface != DriveOption::Interface::None) continue;
    if (usb && keep_for_usb(options, drive)) continue;
    options.warnings.push_back(
        fmt::format("-drive if=none,id={}: no -device uses it; -device ide-hd,drive={} does", drive.id, drive.id));
  }
  return {};
}

}  // namespace relic86
