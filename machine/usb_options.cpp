#include "machine/usb_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "machine/board_options.h"
#include "options/option_text.h"

namespace relic86 {

namespace {

using Text = std::string_view;

using Kind = UsbDeviceConfig::Kind;

constexpr Text kController = "piix3-usb-uhci";
constexpr Text kControllerProperties = "addr bus id multifunction";
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

const Row* find_row(Text name) {
  const auto* row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& each) { return each.name == name; });
  return row == std::end(kRows) ? nullptr : row;
}

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
  const Row* const row = find_row(name);
  return row == nullptr ? Text{} : row->properties;
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
