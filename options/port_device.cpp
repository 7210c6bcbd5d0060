#include "options/port_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/nearest.h"
#include "options/option_text.h"

namespace relic86 {

namespace {

using Text = std::string_view;

struct PortRow {
  Text name;
  Text properties;
};
constexpr PortRow kPorts[] = {
    {"isa-serial", "chardev id index iobase irq wakeup"},
    {"isa-parallel", "chardev id index iobase irq"},
    {"isa-debugcon", "chardev id iobase readback"},
    {"VGA", "id addr bus vgamem_mb edid xres yres xmax ymax mmio qemu-extended-regs romfile"},
    {"cirrus-vga", "id addr bus vgamem_mb blitter global-vmstate romfile"},
};

using Words = std::map<std::string, std::string>;

Result<Words> read_words(const DeviceOption& device) {
  const auto known = split_words(port_device_properties(device.name), ' ');
  const std::vector<Text> names(known.begin(), known.end());
  Words words;
  for (const auto& [key, word] : device.properties) {
    if (std::find(names.begin(), names.end(), key) == names.end())
      return Error{fmt::format("-device {}: {}={}: unknown property; the nearest is {}; '-device {},help' lists all",
                               device.name, key, word, nearest_word(key, names), device.name)};
    words[key] = word;
  }
  return words;
}

Result<std::optional<u64>> number(const DeviceOption& device, const Words& words, const char* key, u64 most) {
  const auto at = words.find(key);
  if (at == words.end()) return std::optional<u64>();
  const auto value = parse_number(at->second);
  if (!value || value.value() > most)
    return Error{fmt::format("-device {}: {}={} is not a number from 0 to {:#x}", device.name, key, at->second, most)};
  return std::optional<u64>(value.value());
}

// A port by its number, or by the address that it has on every PC.
Result<> add_port(std::vector<std::string>& ports, const DeviceOption& device, const Words& words,
                  std::initializer_list<u64> addresses) {
  const auto index = number(device, words, "index", addresses.size() - 1);
  if (!index) return index.error();
  const auto address = number(device, words, "iobase", 0xFFFF);
  if (!address) return address.error();
  std::size_t place = ports.size();
  if (index.value()) place = static_cast<std::size_t>(*index.value());
  if (address.value()) {
    const auto* at = std::find(addresses.begin(), addresses.end(), *address.value());
    if (at == addresses.end())
      return Error{fmt::format("-device {}: iobase={:#x}: the ports are at {:#x}", device.name, *address.value(),
                               fmt::join(addresses, ", "))};
    place = static_cast<std::size_t>(at - addresses.begin());
  }
  if (place >= ports.size()) ports.resize(place + 1, "none");
  if (ports[place] != "none")
    return Error{fmt::format("-device {}: port {} is there already; give another index", device.name, place)};
  const auto chardev = words.find("chardev");
  ports[place] = chardev == words.end() ? "null" : "chardev:" + chardev->second;
  return {};
}

Result<> set_debug_console(Options& options, const DeviceOption& device, const Words& words) {
  if (!options.debugcon.empty()) return Error{"-device isa-debugcon: there is one already; only one is possible"};
  const auto port = number(device, words, "iobase", 0xFFFF);
  if (!port) return port.error();
  const auto chardev = words.find("chardev");
  if (chardev == words.end()) return Error{"-device isa-debugcon: chardev=ID is missing; name a -chardev"};
  options.debugcon = "chardev:" + chardev->second;
  options.debugcon_port = static_cast<u16>(port.value().value_or(0xE9));
  return {};
}

Result<> set_cirrus(Options& options, const DeviceOption& device, const Words& words) {
  constexpr u64 kMegabytes = 4, kMost = 256;
  const auto size = number(device, words, "vgamem_mb", kMost);
  if (!size) return size.error();
  if (size.value().value_or(kMegabytes) != kMegabytes)
    return Error{
        "-device cirrus-vga: vgamem_mb: the GD5446 has 4 MiB of video memory; leave it out or say vgamem_mb=4"};
  options.vga = "cirrus";
  return {};
}

}  // namespace

std::string_view port_device_properties(std::string_view name) {
  const auto* row =
      std::find_if(std::begin(kPorts), std::end(kPorts), [&](const PortRow& r) { return r.name == name; });
  return row == std::end(kPorts) ? Text{} : row->properties;
}

Result<bool> attach_port_device(Options& options, const DeviceOption& device) {
  if (port_device_properties(device.name).empty()) return false;
  const auto words = read_words(device);
  if (!words) return words.error();
  Result<> done;
  if (device.name == "isa-serial")
    done = add_port(options.serials, device, words.value(), {0x3F8, 0x2F8, 0x3E8, 0x2E8});
  if (device.name == "isa-parallel") done = add_port(options.parallels, device, words.value(), {0x378, 0x278, 0x3BC});
  if (device.name == "isa-debugcon") done = set_debug_console(options, device, words.value());
  if (device.name == "VGA") options.vga = "std";
  if (device.name == "cirrus-vga") done = set_cirrus(options, device, words.value());
  if (!done) return done.error();
  return true;
}

}  // namespace relic86
