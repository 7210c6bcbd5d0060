#include "options/drive_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/nearest.h"
#include "options/blockdev_option.h"
#include "options/option_text.h"
#include "options/scsi_buses.h"

namespace relic86 {

namespace {

using Text = std::string_view;
using Interface = DriveOption::Interface;
using Media = DriveOption::Media;

constexpr unsigned kIdePlaces = 4, kSataPorts = 6;

unsigned place_count(Interface interface) {
  constexpr unsigned kVirtioDisks = 28;  // slots of the PCI bus, about
  constexpr unsigned kUsbDisks = 127;    // addresses
  constexpr unsigned kScsiDisks = 1024;  // of all buses
  switch (interface) {
    case Interface::Floppy:
    case Interface::Flash: return 2;
    case Interface::Virtio: return kVirtioDisks;
    case Interface::Usb: return kUsbDisks;
    case Interface::Scsi: return kScsiDisks;
    case Interface::Ide:  // of the larger board; resolve_drive_places() looks at which it is
    case Interface::Ahci: return kSataPorts;
    default: return kIdePlaces;
  }
}

// What changes how QEMU does host I/O or what it does about host errors, with the words that it accepts. Here a write
// that the guest flushes is on the host's disk, and the guest is told of errors.
struct HostProperty {
  Text name;
  Text words;  // separated by blanks; empty: anything
};
constexpr HostProperty kHostProperties[] = {
    {"cache", "none writeback writethrough directsync unsafe"},
    {"cache.direct", "on off"},
    {"cache.no-flush", "on off"},
    {"cache.writeback", "on off"},
    {"aio", "threads native io_uring"},
    {"discard", "ignore unmap on off"},
    {"detect-zeroes", "on off unmap"},
    {"copy-on-read", "on off"},
    {"auto-read-only", "on off"},
    {"node-name", ""},
    {"serial", ""},
};
constexpr Text kOwnProperties[] = {"file",     "format", "driver",   "if",        "id",    "media",
                                   "snapshot", "index",  "readonly", "read-only", "bus",   "unit",
                                   "cyls",     "heads",  "secs",     "werror",    "rerror"};

Error bad(Text key, Text word, Text mend) { return Error{fmt::format("-drive {}={}: {}", key, word, mend)}; }

Result<> check_host_property(Text key, Text word) {
  for (const HostProperty& row : kHostProperties) {
    if (row.name != key) continue;
    if (row.words.empty()) return {};
    const auto words = split_words(row.words, ' ');
    if (std::find(words.begin(), words.end(), word) != words.end()) return {};
    return bad(key, word, fmt::format("unknown word; {} are known", fmt::join(words, ", ")));
  }
  std::vector<Text> names(std::begin(kOwnProperties), std::end(kOwnProperties));
  const std::string known = fmt::format("{}", fmt::join(names, ", "));
  for (const HostProperty& row : kHostProperties) names.push_back(row.name);
  return bad(key, word,
             fmt::format("unknown property; the nearest is {}; known are {}", nearest_word(key, names), known));
}

// werror= and rerror=, which a -device may have, too. auto: QEMU's word for its defaults.
bool is_error_property(Text key) { return key == "werror" || key == "rerror"; }

Result<> read_error_policy(DriveOption& drive, Text key, const std::string& word) {
  const bool writes = key == "werror";
  constexpr Text kWriteWords[] = {"report", "ignore", "enospc", "stop", "auto"};
  constexpr Text kReadWords[] = {"report", "ignore", "stop", "auto"};
  const std::span<const Text> words = writes ? std::span<const Text>(kWriteWords) : kReadWords;
  if (std::find(words.begin(), words.end(), word) == words.end())
    return Error{fmt::format("unknown word; {} are known", fmt::join(words, ", "))};
  (writes ? drive.write_error : drive.read_error) = word == "auto" ? "" : word;
  return {};
}

// Where on the command line's numbers a drive goes, as far as it says so.
struct Place {
  std::optional<u64> index, bus, unit;
  std::array<u32, 3> geometry{};
};

Result<> read_number(Place& place, Text key, Text word) {
  const auto number = parse_number(word);
  if (!number) return bad(key, word, number.message());
  if (number.value() > 0xFFFF) return bad(key, word, "the number must be 0 to 65535");
  if (key == "index") place.index = number.value();
  if (key == "bus") place.bus = number.value();
  if (key == "unit") place.unit = number.value();
  constexpr Text kGeometry[] = {"cyls", "heads", "secs"};
  for (unsigned i = 0; i < 3; i++) {
    if (key == kGeometry[i]) place.geometry[i] = static_cast<u32>(number.value());
  }
  return {};
}

// QEMU's interfaces that a PC of the time does not have.
Text missing_interface(Text word) {
  if (word == "scsi")
    return "there is no such controller by itself; if=ide (or no if=) attaches the image to IDE, if=virtio to the PCI "
           "bus, and if=none with -device virtio-scsi-pci and scsi-hd to SCSI";
  if (word == "sd") return "there is no SD card slot; if=ide attaches the image to IDE";
  if (word == "mtd") return "there is no such memory; if=pflash is flash memory with firmware";
  if (word == "xen") return "relic86 never uses Xen; if=ide attaches the image to IDE";
  return "unknown interface; ide, virtio, floppy, pflash and none exist";
}

Result<> read_property(DriveOption& drive, Place& place, const std::string& key, const std::string& word) {
  if (key == "file") {
    drive.file = word;
  } else if (key == "id") {
    drive.id = word;
  } else if (key == "format" || key == "driver") {
    if (!is_image_format(word))
      return bad(key, word, fmt::format("unknown format; {} can be opened", fmt::join(image_formats(), ", ")));
    drive.format = word;
  } else if (is_error_property(key)) {
    if (auto read = read_error_policy(drive, key, word); !read) return bad(key, word, read.message());
  } else if (key == "if") {
    if (word == "floppy") {
      drive.interface = Interface::Floppy;
    } else if (word == "virtio") {
      drive.interface = Interface::Virtio;
    } else if (word == "pflash") {
      drive.interface = Interface::Flash;
    } else if (word == "none") {
      drive.interface = Interface::None;
    } else if (word != "ide" && !word.empty()) {
      return bad(key, word, missing_interface(word));
    }
  } else if (key == "media") {
    if (word != "disk" && word != "cdrom") return bad(key, word, "unknown medium; disk and cdrom exist");
    drive.media = word == "cdrom" ? Media::Cdrom : Media::Disk;
  } else if (key == "snapshot" || key == "readonly" || key == "read-only") {
    const auto on = parse_switch(word);
    if (!on) return bad(key, word, on.message());
    (key == "snapshot" ? drive.snapshot : drive.read_only) = on.value();
  } else if (std::find(std::begin(kOwnProperties), std::end(kOwnProperties), key) != std::end(kOwnProperties)) {
    return read_number(place, key, word);
  } else {
    return check_host_property(key, word);
  }
  return {};
}

Result<> set_geometry(DriveOption& drive, const std::array<u32, 3>& chs, Text option) {
  if (chs == std::array<u32, 3>{}) return {};
  if (chs[0] < 1 || chs[0] > 65535 || chs[1] < 1 || chs[1] > 16 || chs[2] < 1 || chs[2] > 63)
    return Error{fmt::format("{}: geometry must have cyls 1 to 65535, heads 1 to 16 and secs 1 to 63", option)};
  drive.geometry = chs;
  return {};
}

// --- -device ---

// What -device says about a drive.
struct DriveDevice {
  std::string drive, id;
  std::string bus_name;  // "ide" of "ide.1"
  std::optional<u64> bus, unit;
  std::optional<unsigned> boot_index;
  std::string serial, model;
  std::array<u32, 3> geometry{};
  VirtioOption virtio;
  DriveOption errors{};  // werror= and rerror= alone
};

bool is_virtio(Text name) {
  VirtioOption ignored;
  return !virtio_base_name(name, ignored).empty();
}

Result<> read_device_property(DriveDevice& result, const DeviceOption& device, Text known, const std::string& key,
                              const std::string& word) {
  const auto wrong = [&](Text mend) {
    return Error{fmt::format("-device {}: {}={}: {}", device.name, key, word, mend)};
  };
  const auto names = split_words(known, ' ');
  if (std::find(names.begin(), names.end(), key) == names.end()) {
    const std::vector<Text> all(names.begin(), names.end());
    return wrong(fmt::format("unknown property; the nearest is {}; '-device {},help' lists all", nearest_word(key, all),
                             device.name));
  }
  if (is_virtio(device.name)) {
    auto taken = set_virtio_property(result.virtio, "-device " + device.name, key, word);
    if (!taken) return taken.error();
    if (taken.value()) return {};
  }
  if (is_error_property(key)) {
    auto read = read_error_policy(result.errors, key, word);
    return read ? read : wrong(read.message());
  }
  if (key == "drive") result.drive = word;
  if (key == "id") result.id = word;
  if (key == "serial" || key == "model") {
    const std::size_t most = key == "serial" ? 20 : 40;
    if (word.size() > most) return wrong(fmt::format("at most {} characters fit", most));
    (key == "serial" ? result.serial : result.model) = word;
  }
  if (key == "bus") {
    // "ide.1", "floppy-bus.0": what comes after the last point counts.
    const auto number = parse_number(Text(word).substr(word.rfind('.') + 1));
    const u64 most = device.name == "floppy" ? 0 : kSataPorts - 1;
    if (!number || number.value() > most)
      return wrong(most != 0 ? "unknown bus; a pc has ide.0 and ide.1, a q35 ide.0 to ide.5"
                             : "unknown bus; floppy-bus.0 exists");
    result.bus = number.value();
    result.bus_name = word.substr(0, word.rfind('.'));
  }
  constexpr Text kNumbers[] = {"unit", "bootindex", "cyls", "heads", "secs", "logical_block_size"};
  const auto* at = std::find(std::begin(kNumbers), std::end(kNumbers), key);
  if (at == std::end(kNumbers)) return {};
  const auto number = parse_number(word);
  if (!number || number.value() > 0xFFFF) return wrong("a number from 0 to 65535 is expected");
  if (key == "unit" && number.value() > 1) return wrong("a bus has the units 0 and 1");
  if (key == "logical_block_size" && number.value() != 512) return wrong("only sectors of 512 bytes exist");
  if (key == "unit") result.unit = number.value();
  if (key == "bootindex") result.boot_index = static_cast<unsigned>(number.value());
  if (at - kNumbers >= 2 && at - kNumbers <= 4)
    result.geometry[static_cast<std::size_t>(at - kNumbers - 2)] = static_cast<u32>(number.value());
  return {};
}

constexpr Text kDiskProperties =
    "drive id bus unit bootindex serial model ver cyls heads secs bios-chs-trans logical_block_size "
    "physical_block_size min_io_size opt_io_size discard_granularity write-cache share-rw rerror werror wwn lcyls "
    "lheads lsecs rotation_rate";
constexpr Text kVirtioDiskProperties =
    "drive id bootindex serial cyls heads secs logical_block_size physical_block_size min_io_size opt_io_size "
    "discard_granularity write-cache share-rw rerror werror config-wce scsi discard write-zeroes num-queues queue-size "
    "seg-max-adjust request-merging iothread max-discard-sectors max-write-zeroes-sectors lcyls lheads lsecs ";
constexpr Text kScsiDiskProperties =
    "drive id bus channel scsi-id lun bootindex serial ver vendor product device_id wwn port_wwn port_index "
    "scsi_version rotation_rate removable dpofua max_unmap_size max_io_size logical_block_size physical_block_size "
    "min_io_size opt_io_size discard_granularity write-cache share-rw rerror werror";
constexpr Text kFloppyProperties =
    "drive id bus unit bootindex drive-type logical_block_size physical_block_size write-cache share-rw rerror werror";

void take_error_policy(DriveOption& drive, const DriveOption& said) {
  if (!said.write_error.empty()) drive.write_error = said.write_error;
  if (!said.read_error.empty()) drive.read_error = said.read_error;
}

// The drive that a -device names, or a new one without a medium.
Result<DriveOption*> find_drive(Options& options, const DeviceOption& device, const std::string& id) {
  if (id.empty()) {
    DriveOption empty;
    empty.option = "-device " + device.name;
    empty.interface = Interface::None;
    options.drives.push_back(empty);
    return &options.drives.back();
  }
  if (const BlockNode* node = find_block_node(options.block_nodes, id); node != nullptr) {
    for (const DriveOption& other : options.drives) {
      if (other.node == id)
        return Error{
            fmt::format("-device {}: drive={} is the node of another device; give each its own", device.name, id)};
    }
    DriveOption drive;
    drive.option = "-blockdev " + id;
    drive.file = node->file;
    drive.node = id;
    drive.interface = Interface::None;
    drive.read_only = node->read_only;
    options.drives.push_back(drive);
    return &options.drives.back();
  }
  for (DriveOption& drive : options.drives) {
    if (drive.id != id) continue;
    if (drive.interface != Interface::None)
      return Error{
          fmt::format("-device {}: drive={} belongs to another device already; give that -drive if=none, and each "
                      "device a drive of its own",
                      device.name, id)};
    return &drive;
  }
  return Error{fmt::format("-device {}: drive={}: there is no -drive with id={}, nor a -blockdev with this node-name",
                           device.name, id, id)};
}

bool is_scsi_disk(Text name) { return name == "scsi-hd" || name == "scsi-disk"; }

Result<u64> scsi_number(const DeviceOption& device, Text key, u64 most, u64 otherwise) {
  const std::string word(device.property(key));
  if (word.empty()) return otherwise;
  const auto number = parse_number(word);
  if (number && number.value() <= most) return number;
  return Error{fmt::format("-device {}: {}={}: a number from 0 to {} is expected", device.name, key, word, most)};
}

// A disk on a SCSI bus. Without scsi-id= it is the first target that has no such unit yet.
Result<bool> attach_scsi_disk(Options& options, const DeviceOption& device) {
  constexpr u64 kMostTarget = 255, kMostUnit = 16383, kMostBootIndex = 0xFFFF, kAnyTarget = kMostTarget + 1;
  DriveDevice wanted;
  for (const auto& [key, word] : device.properties) {
    if (key == "bus" || key == "product" || key == "vendor") continue;
    if (auto read = read_device_property(wanted, device, kScsiDiskProperties, key, word); !read) return read.error();
  }
  if (wanted.drive.empty())
    return Error{fmt::format("-device {}: drive= is missing; name the id of a -drive with if=none", device.name)};
  const auto channel = scsi_number(device, "channel", 0, 0),
             target = scsi_number(device, "scsi-id", kMostTarget, kAnyTarget),
             unit = scsi_number(device, "lun", kMostUnit, 0),
             boot_index = scsi_number(device, "bootindex", kMostBootIndex, 0);
  for (const auto* number : {&channel, &target, &unit, &boot_index}) {
    if (!*number) return number->error();
  }
  auto found = find_drive(options, device, wanted.drive);
  if (!found) return found.error();
  DriveOption& drive = *found.value();
  if (drive.media == Media::Cdrom)
    return Error{fmt::format("-device {}: drive={}: a disk is needed; CD-ROM drives exist on IDE (-device ide-cd)",
                             device.name, wanted.drive)};
  auto bus = find_scsi_bus(options.all_devices, device);
  if (!bus) return bus.error();
  DriveOption::ScsiPlace place{.bus = std::move(bus).value(), .target = 0, .unit = static_cast<unsigned>(unit.value())};
  const auto taken = [&](unsigned at) {
    return std::any_of(options.drives.begin(), options.drives.end(), [&](const DriveOption& other) {
      return other.scsi_place && other.scsi_place->bus == place.bus && other.scsi_place->target == at &&
             other.scsi_place->unit == place.unit;
    });
  };
  place.target = static_cast<unsigned>(target.value() == kAnyTarget ? 0 : target.value());
  while (target.value() == kAnyTarget && place.target < kMostTarget && taken(place.target)) place.target++;
  if (taken(place.target))
    return Error{fmt::format("-device {}: scsi-id={},lun={}: another disk is there; give each its own", device.name,
                             place.target, place.unit)};
  drive.index = free_drive_place(options, Interface::Scsi, 0);
  drive.interface = Interface::Scsi;
  drive.scsi_place = std::move(place);
  drive.device_id = wanted.id;
  if (drive.id.empty()) drive.id = wanted.id;
  drive.boot_index = wanted.boot_index;
  drive.serial = wanted.serial;
  take_error_policy(drive, wanted.errors);
  return true;
}

// The drive of a -device usb-storage. The device itself is the machine's.
Result<bool> take_usb_drive(Options& options, const DeviceOption& device) {
  const std::string named(device.property("drive"));
  if (named.empty())
    return Error{fmt::format("-device {}: drive= is missing; name the id of a -drive with if=none", device.name)};
  auto found = find_drive(options, device, named);
  if (!found) return found.error();
  if (!keep_for_usb(options, *found.value()))
    return Error{
        fmt::format("-device {}: drive={}: a disk with a file is needed; CD-ROM drives exist on IDE (-device ide-cd)",
                    device.name, named)};
  return false;
}

}  // namespace

// What other interfaces do with an error is up to the guest.
Result<> check_error_policy(const DriveOption& drive) {
  const bool watched = drive.interface != Interface::Floppy && drive.interface != Interface::Flash;
  const auto told = [](const std::string& word) { return word.empty() || word == "report"; };
  if (watched || (told(drive.write_error) && told(drive.read_error))) return {};
  const Text key = told(drive.write_error) ? "rerror" : "werror";
  return Error{
      fmt::format("{} {}={}: this kind of drive reports every error to the guest; leave it off, or use a disk "
                  "on IDE, virtio, SCSI or USB",
                  drive.option, key, key == "werror" ? drive.write_error : drive.read_error)};
}

bool keep_for_usb(const Options& options, DriveOption& drive) {
  if (drive.file.empty() || drive.media != Media::Disk) return false;
  drive.index = free_drive_place(options, Interface::Usb, 0);
  drive.interface = Interface::Usb;
  return true;
}

std::string_view drive_device_properties(std::string_view name) {
  if (name == "ide-hd" || name == "ide-cd") return kDiskProperties;
  if (is_scsi_disk(name)) return kScsiDiskProperties;
  static const std::string virtio = std::string(kVirtioDiskProperties) + std::string(virtio_property_names());
  VirtioOption ignored;
  if (virtio_base_name(name, ignored) == "virtio-blk") return virtio;
  return name == "floppy" ? kFloppyProperties : Text{};
}

Result<> set_drive_property(DriveOption& drive, const std::string& key, const std::string& word) {
  constexpr Text kPlaces[] = {"if", "id", "index", "bus", "unit"};
  if (std::find(std::begin(kPlaces), std::end(kPlaces), key) != std::end(kPlaces))
    return bad(key, word, "a drive's name and place are said by the -drive itself");
  Place place;
  if (drive.geometry) place.geometry = *drive.geometry;
  if (auto read = read_property(drive, place, key, word); !read) return read;
  return set_geometry(drive, place.geometry, "-set");
}

std::vector<std::string> drive_property_names() {
  std::vector<std::string> names(std::begin(kOwnProperties), std::end(kOwnProperties));
  for (const HostProperty& row : kHostProperties) names.emplace_back(row.name);
  return names;
}

unsigned free_drive_place(const Options& options, Interface interface, unsigned first) {
  const unsigned most = place_count(interface);
  for (unsigned place = first; place < most; place++) {
    if (std::none_of(options.drives.begin(), options.drives.end(),
                     [&](const DriveOption& d) { return d.interface == interface && d.index == place; }))
      return place;
  }
  return most;
}

Result<> add_drive_option(Options& options, std::string_view value) {
  DriveOption drive;
  drive.option = "-drive";
  Place place;
  for (const auto& [key, word] : parse_properties(value)) {
    if (auto read = read_property(drive, place, key, word); !read) return read;
  }
  if (auto set = set_geometry(drive, place.geometry, "-drive"); !set) return set;
  if (!drive.id.empty() &&
      std::any_of(options.drives.begin(), options.drives.end(), [&](const DriveOption& d) { return d.id == drive.id; }))
    return Error{fmt::format("-drive id={}: another drive has this id; give each its own", drive.id)};
  if (auto checked = check_error_policy(drive); !checked) return checked;
  if (drive.interface == Interface::None) {  // the -device says the place; index=, bus= and unit= change nothing
    options.drives.push_back(drive);
    return {};
  }
  const unsigned most = place_count(drive.interface);
  const u64 first = place.bus.value_or(0) * 2;
  const bool by_bus = !place.index && (place.bus || place.unit);
  if (!place.index && place.unit) place.index = first + *place.unit;
  if (!place.index) place.index = free_drive_place(options, drive.interface, static_cast<unsigned>(first));
  if (by_bus && drive.interface == Interface::Ide) {
    // How many units a bus has depends on the board, which another option may choose later.
    using BusPlace = DriveOption::BusPlace;
    drive.bus_place = *place.index < most ? BusPlace{*place.index / 2, *place.index % 2}
                                          : BusPlace{place.bus.value_or(0), place.unit.value_or(0)};
    place.index = std::min<u64>(*place.index, most - 1);
  }
  if (*place.index >= most)
    return Error{fmt::format("-drive: index {} is out of range; there are {} places of this kind", *place.index, most)};
  drive.index = static_cast<unsigned>(*place.index);
  options.drives.push_back(drive);
  return {};
}

Result<> resolve_drive_places(Options& options) {
  const bool q35 = options.board == Options::Board::Q35;
  for (DriveOption& drive : options.drives) {
    if (drive.interface != Interface::Ide) continue;
    // A channel has two units, a port of AHCI one.
    const unsigned most = q35 ? kSataPorts : kIdePlaces;
    if (drive.bus_place) {
      const auto [bus, unit] = *drive.bus_place;
      const u64 units = q35 ? 1 : 2;
      if (unit >= units || bus >= most / units)
        return Error{fmt::format("{}: bus={},unit={}: there are {} buses of {} of this kind", drive.option, bus, unit,
                                 most / units, units == 1 ? "one unit" : "two units")};
      drive.index = static_cast<unsigned>(bus * units + unit);
    }
    if (drive.index >= most)
      return Error{fmt::format("{}: index {} is out of range; there are {} places of this kind", drive.option,
                               drive.index, most)};
  }
  return {};
}

namespace {

// Where -device ide-hd and ide-cd put a drive: the board's own IDE or SATA, or the ports of an ich9-ahci that has an
// id.
struct AtaBuses {
  Interface interface = Interface::Ide;
  unsigned places = kIdePlaces, units = 2;  // of a bus
};
Result<AtaBuses> ata_buses(const Options& options, const DeviceOption& device, const std::string& name) {
  const bool card = std::any_of(options.all_devices.begin(), options.all_devices.end(), [&](const DeviceOption& d) {
    return d.name == "ich9-ahci" && !name.empty() && d.property("id") == name;
  });
  if (card) return AtaBuses{Interface::Ahci, kSataPorts, 1};
  const bool q35 = options.board == Options::Board::Q35;
  if (!name.empty() && name != "ide")
    return Error{fmt::format("-device {}: bus={}: unknown bus; {} exist", device.name, device.property("bus"),
                             q35 ? "ide.0 to ide.5" : "ide.0 and ide.1")};
  return q35 ? AtaBuses{Interface::Ide, kSataPorts, 1} : AtaBuses{};
}

}  // namespace

Result<bool> attach_drive_device(Options& options, const DeviceOption& device) {
  if (device.name == "usb-storage") return take_usb_drive(options, device);
  if (is_scsi_disk(device.name)) return attach_scsi_disk(options, device);
  const Text known = drive_device_properties(device.name);
  if (known.empty()) return false;
  DriveDevice wanted;
  const bool virtio = !virtio_base_name(device.name, wanted.virtio).empty();
  for (const auto& [key, word] : device.properties) {
    if (auto read = read_device_property(wanted, device, known, key, word); !read) return read.error();
  }
  if (auto checked = check_virtio(wanted.virtio, "-device " + device.name); !checked) return checked.error();
  const bool floppy = device.name == "floppy";
  if ((device.name == "ide-hd" || virtio) && wanted.drive.empty())
    return Error{fmt::format("-device {}: drive= is missing; name the id of a -drive with if=none", device.name)};
  auto found = find_drive(options, device, wanted.drive);
  if (!found) return found.error();
  DriveOption& drive = *found.value();
  AtaBuses buses;
  if (floppy || virtio) {
    buses.interface = floppy ? Interface::Floppy : Interface::Virtio;
    buses.places = place_count(buses.interface);
  } else {
    const auto found_buses = ata_buses(options, device, wanted.bus_name);
    if (!found_buses) return found_buses.error();
    buses = found_buses.value();
    if (wanted.bus && *wanted.bus >= buses.places / buses.units)
      return Error{fmt::format("-device {}: bus={}: unknown bus; the last one is {}.{}", device.name,
                               device.property("bus"), wanted.bus_name, buses.places / buses.units - 1)};
    if (wanted.unit && *wanted.unit >= buses.units)
      return Error{
          fmt::format("-device {}: unit={}: a SATA bus has unit 0 alone; say bus=", device.name, *wanted.unit)};
  }
  const Interface interface = buses.interface;
  const unsigned first = floppy ? 0 : static_cast<unsigned>(wanted.bus.value_or(0)) * buses.units;
  unsigned place =
      wanted.unit ? first + static_cast<unsigned>(*wanted.unit) : free_drive_place(options, interface, first);
  if (place >= buses.places || (wanted.bus && !floppy && place / buses.units != *wanted.bus))
    return Error{fmt::format("-device {}: there is no free place left{}", device.name,
                             virtio             ? ""
                             : buses.units == 1 ? "; a bus has one"
                                                : "; a channel has two")};
  if (auto set = set_geometry(drive, wanted.geometry, "-device " + device.name); !set) return set.error();
  drive.interface = interface;
  drive.index = place;
  if (!floppy) drive.media = device.name == "ide-cd" ? Media::Cdrom : Media::Disk;
  drive.device_id = wanted.id;
  if (drive.id.empty()) drive.id = wanted.id;
  drive.boot_index = wanted.boot_index;
  drive.serial = wanted.serial;
  drive.model = wanted.model;
  drive.virtio = wanted.virtio;
  take_error_policy(drive, wanted.errors);
  if (auto checked = check_error_policy(drive); !checked) return checked.error();
  if (!virtio) (floppy ? options.default_floppy : options.default_cdrom) = false;
  return true;
}

}  // namespace relic86
