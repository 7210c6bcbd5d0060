#include "machine/virtio_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/nearest.h"
#include "options/json_properties.h"
#include "options/option_text.h"
#include "options/scsi_buses.h"

namespace relic86 {

namespace {

using Text = std::string_view;
using Kind = VirtioConfig::Kind;

struct Row {
  Text name;  // without the ending that tells interfaces
  Kind kind;
  unsigned vectors;  // of MSI-X, as QEMU's device has
  Text properties;   // beside those of every virtio device
};
constexpr Row kRows[] = {
    {"virtio-rng", Kind::Random, 2, "id rng max-bytes period "},
    {"virtio-balloon", Kind::Balloon, 0,
     "id deflate-on-oom free-page-reporting free-page-hint page-poison guest-stats-polling-interval iothread "},
    {"virtio-serial", Kind::Serial, 2, "id max_ports emergency-write "},
    {"virtio-scsi", Kind::Scsi, 4,
     "id num_queues virtqueue_size seg_max_adjust max_sectors cmd_per_lun hotplug param_change iothread "},
};
constexpr Text kPortProperties = "id bus nr chardev name";

const Row* find_row(Text name, VirtioOption& virtio) {
  const Text base = virtio_base_name(name, virtio);
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.name == base; });
  return row == std::end(kRows) ? nullptr : row;
}

bool is_port(Text name) { return name == "virtconsole" || name == "virtserialport"; }

Result<> check_names(const DeviceOption& device) {
  const auto known = split_words(virtio_device_properties(device.name), ' ');
  const std::vector<Text> names(known.begin(), known.end());
  for (const auto& [key, word] : device.properties) {
    if (std::find(names.begin(), names.end(), key) == names.end())
      return Error{fmt::format("-device {}: {}={}: unknown property; the nearest is {}; '-device {},help' lists all",
                               device.name, key, word, nearest_word(key, names), device.name)};
  }
  return {};
}

Result<u64> number(const DeviceOption& device, Text key, const std::string& word, u64 most) {
  const auto value = parse_number(word);
  if (!value || value.value() > most)
    return Error{fmt::format("-device {}: {}={} is not a number from 0 to {}", device.name, key, word, most)};
  return value;
}

Result<> set_random(const Options& options, const DeviceOption& device, VirtioConfig& config) {
  constexpr u64 kMostPeriod = 1000 * 3600;  // ms
  constexpr GuestTime kMillisecond = 1'000'000;
  GuestTime period = 1 << 16;  // ms
  for (const auto& [key, word] : device.properties) {
    if (key == "max-bytes") {
      const auto bytes = number(device, key, word, INT64_MAX);
      if (!bytes) return bytes.error();
      config.random.most_bytes = bytes.value();
    } else if (key == "period") {
      const auto value = number(device, key, word, kMostPeriod);
      if (!value || value.value() == 0)
        return value ? Result<>(Error{"-device virtio-rng-pci: period=0: give milliseconds"}) : value.error();
      period = static_cast<GuestTime>(value.value());
    } else if (key == "rng") {
      const bool known = std::any_of(
          options.objects.begin(), options.objects.end(),
          [&id = word](const ObjectOption& object) { return object.id == id && object.type.starts_with("rng-"); });
      if (!known)
        return Error{fmt::format("-device {}: rng={}: there is no -object rng-builtin or rng-random with id={}",
                                 device.name, word, word)};
    }
  }
  config.random.period = period * kMillisecond;
  return {};
}

Result<> set_balloon(const DeviceOption& device, VirtioConfig& config) {
  for (const auto& [key, word] : device.properties) {
    const bool named = key == "deflate-on-oom" || key.starts_with("free-page") || key == "page-poison";
    if (!named) continue;
    const auto on = parse_switch(word);
    if (!on) return Error{fmt::format("-device {}: {}={}: {}", device.name, key, word, on.message())};
    if (key == "deflate-on-oom") config.balloon.deflate_on_oom = on.value();
    if (key.starts_with("free-page") && on.value())
      return Error{fmt::format("-device {}: {}: does not exist here; leave it out", device.name, key)};
  }
  return {};
}

Result<> set_serial(const DeviceOption& device, VirtioConfig& config) {
  for (const auto& [key, word] : device.properties) {
    if (key == "id") config.bus = word;
    if (key != "max_ports") continue;
    const auto most = number(device, key, word, VirtioSerial::kMostPorts);
    if (!most) return most.error();
  }
  return {};
}

// The machine names its bus, and its disks come from the drives that are on it.
Result<> check_scsi(const DeviceOption& device) {
  for (const auto& [key, word] : device.properties) {
    if (key == "num_queues" && word != "1" && word != "auto")
      return Error{
          fmt::format("-device {}: num_queues={}: there is one queue of requests; leave it out", device.name, word)};
  }
  return {};
}

// A port on the bus that it names ("ID.0"), or on the first one.
Result<> add_port(const DeviceOption& device, BoardConfig& config) {
  VirtioPortConfig port;
  port.console = device.name == "virtconsole";
  std::string bus;
  std::optional<u32> wanted;
  for (const auto& [key, word] : device.properties) {
    if (key == "bus") bus = word.substr(0, word.rfind(".0"));
    if (key == "name") port.name = word;
    if (key != "nr") continue;
    const auto place = number(device, key, word, VirtioSerial::kMostPorts - 1);
    if (!place) return place.error();
    wanted = static_cast<u32>(place.value());
  }
  constexpr std::size_t kLongestName = 255;
  if (port.name.size() > kLongestName)
    return Error{fmt::format("-device {}: name=: at most {} characters fit", device.name, kLongestName)};
  const auto at = std::find_if(config.virtio.begin(), config.virtio.end(), [&](const VirtioConfig& each) {
    return each.kind == Kind::Serial && (bus.empty() || each.bus == bus || each.default_bus == bus);
  });
  if (at == config.virtio.end())
    return Error{
        fmt::format("-device {}: there is no virtio-serial bus{}; -device virtio-serial-pci before it makes one",
                    device.name, bus.empty() ? "" : " " + bus)};
  const auto taken = [&](u32 place) {
    return std::any_of(at->ports.begin(), at->ports.end(),
                       [place](const VirtioPortConfig& p) { return p.number == place; });
  };
  // Place 0 is the first console's.
  u32 place = wanted.value_or(port.console ? 0 : 1);
  while (!wanted && place < VirtioSerial::kMostPorts && taken(place)) place++;
  if (wanted == 0u && !port.console)
    return Error{fmt::format("-device {}: nr=0: is kept for a virtconsole; give 1 to {}", device.name,
                             VirtioSerial::kMostPorts - 1)};
  if (place >= VirtioSerial::kMostPorts || taken(place))
    return Error{fmt::format("-device {}: port {} is taken; give another nr", device.name, place)};
  port.number = place;
  port.order = static_cast<u32>(config.virtio_ports++);
  at->ports.push_back(port);
  return {};
}

}  // namespace

VirtioInterfaces virtio_interfaces(const VirtioOption& option, unsigned vectors) {
  return {.legacy = option.legacy,
          .modern = option.modern,
          .indirect = option.indirect,
          .event_index = option.event_index,
          .vectors = option.vectors.value_or(vectors)};
}

VirtioConfig virtio_disk(const DriveOption& drive, std::string name, std::unique_ptr<BlockDevice> image) {
  constexpr unsigned kVectors = 2;  // as QEMU's: the queue and configuration
  VirtioConfig disk;
  disk.kind = Kind::Block;
  disk.name = "virtio-blk-pci";
  disk.id = drive.device_id;
  disk.key = std::move(name);
  disk.slot = drive.virtio.slot;
  disk.boot_index = drive.boot_index;
  disk.interfaces = virtio_interfaces(drive.virtio, kVectors);
  disk.image = std::move(image);
  if (drive.geometry) disk.geometry = DiskGeometry{(*drive.geometry)[0], (*drive.geometry)[1], (*drive.geometry)[2]};
  disk.serial = drive.serial;
  return disk;
}

std::string_view virtio_device_properties(std::string_view name) {
  if (is_port(name)) return kPortProperties;
  VirtioOption ignored;
  const Row* const row = find_row(name, ignored);
  if (row == nullptr) return {};
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> all;
    for (const Row& each : kRows) all.push_back(std::string(each.properties) + std::string(virtio_property_names()));
    return all;
  }();
  return texts[static_cast<std::size_t>(row - kRows)];
}

Result<bool> add_virtio_device(const Options& options, const DeviceOption& device, RandomSource* random,
                               BoardConfig& config) {
  VirtioOption virtio;
  const Row* const row = find_row(device.name, virtio);
  if (row == nullptr && !is_port(device.name)) return false;
  if (auto checked = check_names(device); !checked) return checked.error();
  if (row == nullptr) {
    if (auto added = add_port(device, config); !added) return added.error();
    return true;
  }
  const std::string option = "-device " + device.name;
  for (const auto& [key, word] : device.properties) {
    if (auto taken = set_virtio_property(virtio, option, key, word); !taken) return taken.error();
  }
  if (auto checked = check_virtio(virtio, option); !checked) return checked.error();
  VirtioConfig made;
  made.kind = row->kind;
  made.name = fmt::format("{}-pci", row->name);
  made.id = device.property("id");
  made.slot = virtio.slot;
  made.interfaces = virtio_interfaces(virtio, row->vectors);
  made.random.source = random;
  if (made.kind == Kind::Serial) made.default_bus = "virtio-serial-bus";
  const bool another = std::any_of(config.virtio.begin(), config.virtio.end(),
                                   [&](const VirtioConfig& each) { return each.kind == row->kind; });
  if (made.kind == Kind::Balloon && another)
    return Error{fmt::format("{}: there is a balloon already; only one is possible", option)};
  auto set = made.kind == Kind::Random    ? set_random(options, device, made)
             : made.kind == Kind::Balloon ? set_balloon(device, made)
             : made.kind == Kind::Scsi    ? check_scsi(device)
                                          : set_serial(device, made);
  if (!set) return set.error();
  config.virtio.push_back(std::move(made));
  return true;
}

Result<> name_scsi_buses(const Options& options, BoardConfig& config) {
  const auto buses = scsi_buses(options.all_devices);
  if (!buses) return buses.error();
  auto name = buses.value().begin();
  for (VirtioConfig& each : config.virtio) {
    if (each.kind == Kind::Scsi) each.default_bus = *name++;
  }
  return {};
}

void add_scsi_disk(const DriveOption& drive, ScsiUnitConfig unit, BoardConfig& config) {
  const auto at = std::find_if(config.virtio.begin(), config.virtio.end(), [&](const VirtioConfig& each) {
    return each.kind == Kind::Scsi && each.default_bus == drive.scsi_place->bus;
  });
  RELIC86_ASSERT(at != config.virtio.end());  // the drive's bus was looked up
  at->units.push_back(std::move(unit));
}

std::vector<std::string> virtio_port_backends(const Options& options) {
  std::vector<std::string> backends;
  for (const DeviceOption& device : options.devices) {
    if (is_port(device.name)) backends.push_back(property_value(device.properties, "chardev"));
  }
  return backends;
}

}  // namespace relic86
