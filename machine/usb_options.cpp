#include "machine/usb_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "options/option_text.h"

namespace relic86 {

namespace {

using Text = std::string_view;

constexpr Text kController = "piix3-usb-uhci", kTablet = "usb-tablet";
constexpr Text kControllerProperties = "addr bus id multifunction";
constexpr Text kDeviceProperties = "bus display head id port serial usb_version";

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

// The controller is a function of the PIIX3, as management programs write it, too.
bool is_its_place(Text address) {
  constexpr Text kWays[] = {"1.2", "01.2", "0x1.2", "0x1.0x2", "0x01.0x2", "0x01.2"};
  return std::find(std::begin(kWays), std::end(kWays), address) != std::end(kWays);
}

}  // namespace

Text usb_device_properties(Text name) {
  if (name == kController) return kControllerProperties;
  return name == kTablet ? kDeviceProperties : Text{};
}

Result<> add_usb_controller(const DeviceOption& device, BoardConfig& config) {
  for (const auto& [key, word] : device.properties) {
    if (!knows(device, key)) return unknown_property(device, key, word);
    if (key == "addr" && !is_its_place(word))
      return Error{fmt::format("-device {}: addr={}: it is function 2 of the PIIX3; write addr=1.2 or leave it out",
                               device.name, word)};
  }
  if (config.usb_controller)
    return Error{fmt::format("-device {}: there is one already (-usb); only one is possible", device.name)};
  config.usb_controller = true;
  return {};
}

Result<> add_usb_tablet(const DeviceOption& device, BoardConfig& config) {
  if (!config.usb_controller)
    return Error{fmt::format("-device {}: there is no USB controller before it; add -usb", device.name)};
  UsbDeviceConfig tablet;
  for (const auto& [key, word] : device.properties) {
    if (!knows(device, key)) return unknown_property(device, key, word);
    if (key == "id") tablet.id = word;
    if (key != "port") continue;
    const auto port = parse_number(word);
    if (!port || port.value() < 1 || port.value() > BoardConfig::kUsbPorts)
      return Error{fmt::format("-device {}: port={}: ports 1 to {} exist", device.name, word, BoardConfig::kUsbPorts)};
    tablet.port = static_cast<unsigned>(port.value());
  }
  const auto taken = [&](unsigned port) {
    return std::any_of(config.usb_devices.begin(), config.usb_devices.end(),
                       [port](const UsbDeviceConfig& other) { return other.port == port; });
  };
  if (tablet.port != 0 && taken(tablet.port))
    return Error{
        fmt::format("-device {}: port={}: there is a device already; give it another port", device.name, tablet.port)};
  if (tablet.port == 0) {
    tablet.port = 1;
    while (taken(tablet.port)) tablet.port++;
    if (tablet.port > BoardConfig::kUsbPorts)
      return Error{
          fmt::format("-device {}: both USB ports are taken, and there is no hub; leave a device out", device.name)};
  }
  const bool twice = std::any_of(config.usb_devices.begin(), config.usb_devices.end(),
                                 [&](const UsbDeviceConfig& other) { return other.kind == tablet.kind; });
  if (twice) return Error{fmt::format("-device {}: there is one already; only one is possible", device.name)};
  config.usb_devices.push_back(std::move(tablet));
  return {};
}

}  // namespace relic86
