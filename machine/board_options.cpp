#include "machine/board_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "base/log.h"
#include "base/nearest.h"
#include "block/drive_medium.h"
#include "block/folder_disk.h"
#include "block/nbd_file.h"
#include "devices/board/pc_board.h"
#include "devices/chipset/fw_cfg.h"
#include "devices/chipset/i440fx.h"
#include "devices/chipset/q35_mch.h"
#include "devices/storage/floppy_image.h"
#include "loaders/kernel_loader.h"
#include "machine/host_time.h"
#include "machine/sound_options.h"
#include "machine/usb_options.h"
#include "machine/virtio_options.h"
#include "options/backing_node.h"
#include "options/drive_option.h"
#include "options/foreign_devices.h"
#include "options/network_option.h"
#include "options/option_text.h"
#include "options/pci_place_option.h"
#include "options/port_device.h"
#include "options/root_ports.h"
#include "roms/firmware.h"

namespace relic86 {

namespace {

constexpr u64 kMostSystemRom = 16u << 20;
constexpr i64 kIcountBase = 946684800;  // 2000-01-01T00:00:00Z: runs with -icount start alike

Result<i64> clock_base(const Options& options) {
  if (options.rtc_base.empty()) return options.icount ? kIcountBase : host_unix_seconds();
  if (options.rtc_base == "utc") return host_unix_seconds();
  if (options.rtc_base == "localtime") return host_unix_seconds() + host_utc_offset_seconds(host_unix_seconds());
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, date_end = 0, time_end = 0;
  const int fields = std::sscanf(options.rtc_base.c_str(), "%4d-%2d-%2d%nT%2d:%2d:%2d%n", &year, &month, &day,
                                 &date_end, &hour, &minute, &second, &time_end);
  const auto length = static_cast<int>(options.rtc_base.size());
  const bool whole = (fields == 3 && date_end == length) || (fields == 6 && time_end == length);
  if (!whole || year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
      minute > 59 || second > 59 || hour < 0 || minute < 0 || second < 0) {
    return Error{
        fmt::format("-rtc base={}: not a date; write utc, localtime or YYYY-MM-DDTHH:MM:SS", options.rtc_base)};
  }
  constexpr std::array kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (day > kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0))
    return Error{fmt::format("-rtc base={}: the month has no day {}; give another date", options.rtc_base, day)};
  // Days since 1970-01-01 in the Gregorian calendar, counting years from March.
  const i64 shifted_year = month <= 2 ? year - 1 : year;
  const i64 era = shifted_year / 400, year_of_era = shifted_year % 400;
  const i64 day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const i64 days = era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
  return days * 86400 + hour * 3600 + minute * 60 + second;
}

constexpr unsigned kDefaultCdromPlace = 2;

IdeSlot& slot_at(BoardConfig& config, unsigned place) {
  if (place < PcBoard::kIdePlaces) return config.ide[place];
  if (!config.ahci) config.ahci.emplace();
  return config.ahci->ports[place - PcBoard::kIdePlaces];
}

Result<> add_drives(const Options& options, BoardPlan& plan) {
  BoardConfig& config = plan.config;
  std::array<bool, PcBoard::kDrivePlaces> ata_taken{};
  std::array<bool, 2> floppy_taken{};
  std::map<unsigned, bool> virtio_taken, flash_taken;
  for (const DriveOption& drive : options.drives) {
    if (drive.interface == DriveOption::Interface::None) continue;
    const bool floppy = drive.interface == DriveOption::Interface::Floppy;
    const bool virtio = drive.interface == DriveOption::Interface::Virtio;
    const bool usb = drive.interface == DriveOption::Interface::Usb;
    const bool scsi = drive.interface == DriveOption::Interface::Scsi;
    const bool flash = drive.interface == DriveOption::Interface::Flash;
    bool nowhere = false;
    bool& taken = usb || scsi ? nowhere
                  : virtio    ? virtio_taken[drive.index]
                  : flash     ? flash_taken[drive.index]
                  : floppy    ? floppy_taken[drive.index]
                              : ata_taken[drive_place(options, drive)];
    if (taken)
      return Error{fmt::format("{} {}: there is another drive at this place already; give it another index",
                               drive.option, drive.file)};
    taken = true;
    const bool cdrom = !floppy && drive.media == DriveOption::Media::Cdrom;
    std::unique_ptr<BlockDevice> image;
    if (!drive.file.empty()) {
      ImageSource source = image_source(options.block_nodes, drive.node, drive.file, drive.format);
      source.unlocked = !options.incoming.empty();  // the program from which the machine comes still has it
      auto opened =
          open_medium(drive.option, source, cdrom || drive.read_only, !cdrom && (drive.snapshot || options.snapshot));
      if (!opened) return opened.error();
      image = DriveMedium::device(opened.value());
      plan.media[drive_name(options, drive)] = std::move(opened).value();
    }
    if (floppy) {
      config.floppies[drive.index].present = true;
      config.floppies[drive.index].image = std::move(image);
      config.floppies[drive.index].file = drive.option + " " + drive.file;
      config.floppies[drive.index].write_protected = drive.read_only;
      continue;
    }
    if ((!cdrom || virtio) && !image) return Error{fmt::format("{}: a disk needs a file; name an image", drive.option)};
    if (usb) continue;  // its -device takes the medium
    if (scsi) {
      plan.scsi_disks.emplace_back(drive, ScsiUnitConfig{drive.scsi_place->target, drive.scsi_place->unit,
                                                         std::move(image), drive.serial, drive.boot_index});
      continue;
    }
    if (flash) {
      config.flash[drive.index] = {std::move(image), drive.option + " " + drive.file};
      continue;
    }
    if (virtio) {
      config.virtio.push_back(virtio_disk(drive, drive_name(options, drive), std::move(image)));
      continue;
    }
    IdeSlot& slot = slot_at(config, drive_place(options, drive));
    slot.boot_index = drive.boot_index;
    slot.kind = cdrom ? IdeSlot::Kind::Cdrom : IdeSlot::Kind::Disk;
    slot.image = std::move(image);
    slot.serial = drive.serial;
    slot.model = drive.model;
    if (drive.geometry) slot.geometry = DiskGeometry{(*drive.geometry)[0], (*drive.geometry)[1], (*drive.geometry)[2]};
  }
  if (!options.no_defaults) {
    DriveOption default_cdrom;
    default_cdrom.index = kDefaultCdromPlace;
    const unsigned place = drive_place(options, default_cdrom);
    if (options.default_cdrom && !ata_taken[place]) slot_at(config, place).kind = IdeSlot::Kind::Cdrom;
    if (options.default_floppy && !options.floppy_drive_a_absent) config.floppies[0].present = true;
  }
  return {};
}

Result<u64> property_number(const std::string& device, const std::string& key, const std::string& text, u64 most) {
  u64 value = 0;
  const bool hex = text.starts_with("0x");
  const char* begin = text.data() + (hex ? 2 : 0);
  const auto [end, failure] = std::from_chars(begin, text.data() + text.size(), value, hex ? 16 : 10);
  if (failure != std::errc{} || end != text.data() + text.size() || value > most) {
    return Error{fmt::format("-device {}: {}={} is not a number from 0 to {:#x}", device, key, text, most)};
  }
  return value;
}

Result<> add_debug_exit(const DeviceOption& device, BoardConfig& config) {
  DebugExitConfig exit;
  for (const auto& [key, text] : device.properties) {
    const auto number = property_number(device.name, key, text, 0xFFFF);
    if (!number) return number.error();
    if (key == "iobase") {
      exit.port = static_cast<u16>(number.value());
    } else if (key == "iosize") {
      if (number.value() < 1 || number.value() > 4) return Error{"-device isa-debug-exit: iosize must be 1 to 4"};
      exit.size = static_cast<u32>(number.value());
    } else {
      return Error{fmt::format("-device isa-debug-exit: unknown property '{}'; iobase and iosize are known", key)};
    }
  }
  config.debug_exits.push_back(exit);
  return {};
}

Result<> add_test_device(const DeviceOption&, BoardConfig& config) {
  config.test_device = true;
  return {};
}

// A SATA controller on a pc. Its drives may have been there before it.
Result<> add_ahci(const DeviceOption& device, BoardConfig& config) {
  if (config.chipset == BoardConfig::Chipset::Q35)
    return Error{"-device ich9-ahci: a q35 has one already; attach drives to its buses ide.0 to ide.5"};
  if (std::exchange(config.ahci_card, true)) return Error{"-device ich9-ahci: only one is possible; leave one out"};
  if (!config.ahci) config.ahci.emplace();
  for (const auto& [key, text] : device.properties) {
    if (key == "id" || key == "bus" || key == "multifunction") continue;
    if (key != "addr")
      return Error{fmt::format("-device ich9-ahci: unknown property '{}'; id and addr are known", key)};
    constexpr u64 kMostSlots = 31;
    const auto number = property_number(device.name, key, text, kMostSlots);
    if (!number) return number.error();
    config.ahci->slot = static_cast<unsigned>(number.value());
  }
  return {};
}

Result<> add_ib700(const DeviceOption& device, BoardConfig& config) {
  for (const auto& [key, text] : device.properties) {
    if (key != "id") return Error{fmt::format("-device ib700: unknown property '{}'; id is known", key)};
  }
  if (std::exchange(config.watchdogs.ib700, true)) return Error{"-device ib700: only one is possible; leave one out"};
  return {};
}

Result<> add_i6300esb(const DeviceOption& device, BoardConfig& config) {
  if (config.watchdogs.i6300esb) return Error{"-device i6300esb: only one is possible; leave one out"};
  config.watchdogs.i6300esb.emplace();
  for (const auto& [key, text] : device.properties) {
    if (key == "id" || key == "bus" || key == "multifunction") continue;
    if (key != "addr") return Error{fmt::format("-device i6300esb: unknown property '{}'; id and addr are known", key)};
    const auto slot = parse_pci_slot("-device i6300esb", text);
    if (!slot) return slot.error();
    config.watchdogs.i6300esb->slot = slot.value();
  }
  return {};
}

Result<> add_pvpanic(const DeviceOption& device, BoardConfig& config) {
  if (config.panic_port) return Error{"-device pvpanic: only one is possible; leave one out"};
  constexpr u16 kUsualPort = 0x505;
  config.panic_port = kUsualPort;
  for (const auto& [key, text] : device.properties) {
    if (key == "id" || key == "events") continue;
    if (key != "ioport")
      return Error{fmt::format("-device pvpanic: unknown property '{}'; ioport and events are known", key)};
    const auto port = property_number(device.name, key, text, 0xFFFF);
    if (!port) return port.error();
    config.panic_port = static_cast<u16>(port.value());
  }
  return {};
}

Result<> add_root_port(const DeviceOption& device, BoardConfig& config) {
  const RootPortOption port = root_port_option(device);
  config.root_ports.push_back(
      {port.id, port.slot, port.function, port.multifunction, port.link, port.card_slot, port.hotplug});
  return {};
}

// Devices that only test harnesses ask for and whose absence they tolerate.
Result<> accept(const DeviceOption&, BoardConfig&) { return {}; }

// The headings of QEMU's -device help, which programs look for.
enum class Category { Controller, Usb, Storage, Network, Input, Display, Sound, Misc };
constexpr std::array kCategoryNames = std::to_array<std::string_view>(
    {"Controller/Bridge/Hub", "USB", "Storage", "Network", "Input", "Display", "Sound", "Misc"});

struct DeviceRow {
  Category category;
  std::string_view name;
  std::string_view bus;
  std::string_view help;
  Result<> (*add)(const DeviceOption&, BoardConfig&);  // null: the command line's parser has carried it out
};
constexpr DeviceRow kDevices[] = {
    {Category::Storage, "ide-hd", "IDE",
     "drive=ID,bus=ide.0|ide.1,unit=0|1,bootindex=N: a disk; a q35 has ide.0 to ide.5", nullptr},
    {Category::Storage, "ide-cd", "IDE",
     "drive=ID,bus=ide.0|ide.1,unit=0|1,bootindex=N: a CD-ROM drive; a q35 has ide.0 to ide.5", nullptr},
    {Category::Storage, "ich9-ahci", "PCI",
     "id=ID,addr=SLOT: a SATA controller of six ports, buses ID.0 to ID.5; a q35 has its own", add_ahci},
    {Category::Storage, "virtio-blk-pci", "PCI",
     "drive=ID,addr=SLOT,bootindex=N,serial=S: a virtio disk, legacy and modern", nullptr},
    {Category::Storage, "virtio-scsi-pci", "PCI", "id=ID,addr=SLOT: a virtio SCSI controller, bus ID.0", nullptr},
    {Category::Storage, "scsi-hd", "SCSI", "drive=ID,bus=ID.0,scsi-id=N,lun=N,bootindex=N,serial=S: a disk", nullptr},
    {Category::Misc, "virtio-rng-pci", "PCI", "rng=ID,max-bytes=N,period=MS: random numbers for the guest", nullptr},
    {Category::Misc, "virtio-balloon-pci", "PCI", "deflate-on-oom=on: memory that the guest gives back", nullptr},
    {Category::Input, "virtio-serial-pci", "PCI", "id=ID: a bus for the two that follow", nullptr},
    {Category::Input, "virtconsole", "virtio-serial-bus", "chardev=ID,bus=ID.0,nr=N: a terminal of the guest", nullptr},
    {Category::Input, "virtserialport", "virtio-serial-bus", "chardev=ID,name=NAME,bus=ID.0,nr=N: a named stream",
     nullptr},
    {Category::Storage, "floppy", "floppy-bus", "drive=ID,unit=0|1,bootindex=N: a floppy drive", nullptr},
    {Category::Display, "VGA", "PCI", "the display adapter of -vga std", nullptr},
    {Category::Display, "cirrus-vga", "PCI", "a Cirrus Logic GD5446, the display adapter of -vga cirrus", nullptr},
    {Category::Input, "isa-serial", "ISA", "chardev=ID,index=0..3: a serial port", nullptr},
    {Category::Input, "isa-parallel", "ISA", "chardev=ID,index=0..2: a parallel port", nullptr},
    {Category::Misc, "isa-debugcon", "ISA",
     "chardev=ID,iobase=PORT: bytes written to the port go to the character device", nullptr},
    {Category::Misc, "isa-debug-exit", "ISA",
     "iobase=PORT,iosize=N: a write of V ends the emulator with exit code (V << 1) | 1", add_debug_exit},
    {Category::Sound, "sb16", "ISA",
     "iobase=PORT,irq=N,dma=N,dma16=N,version=V,audiodev=ID: a Sound Blaster 16 with OPL3", add_sb16},
    {Category::Sound, "adlib", "ISA", "audiodev=ID: an AdLib (OPL2)", add_adlib},
    {Category::Sound, "mpu401", "ISA",
     "iobase=PORT,irq=N,audiodev=ID: a MIDI output (MPU-401 in UART mode); -midi says what plays it", add_mpu401},
    {Category::Input, "gameport", "ISA",
     "two joysticks at 201h, which are the host's game controllers; a sb16 has them too", add_game_port},
    {Category::Sound, "AC97", "PCI", "addr=SLOT,audiodev=ID: an Intel 82801AA AC'97 controller", add_ac97},
    {Category::Sound, "ES1370", "PCI", "addr=SLOT,audiodev=ID: an Ensoniq AudioPCI", add_es1370},
    {Category::Sound, "intel-hda", "PCI", "addr=SLOT,id=ID: an Intel High Definition Audio controller (ICH6)",
     add_hda_controller},
    {Category::Sound, "ich9-intel-hda", "PCI", "addr=SLOT,id=ID: an Intel High Definition Audio controller (ICH9)",
     add_hda_controller},
    {Category::Sound, "hda-output", "HDA", "audiodev=ID,cad=N,bus=ID.0: a codec with a line out", add_hda_codec},
    {Category::Sound, "hda-duplex", "HDA", "audiodev=ID,cad=N,bus=ID.0: a codec with a line out and a line in",
     add_hda_codec},
    {Category::Sound, "hda-micro", "HDA", "audiodev=ID,cad=N,bus=ID.0: a codec with a loudspeaker and a microphone",
     add_hda_codec},
    {Category::Controller, "pcie-root-port", "PCI",
     "id=ID,addr=SLOT.F,multifunction=on: a PCI Express port of a q35; its card, which may come and go, says bus=ID",
     add_root_port},
    {Category::Usb, "piix3-usb-uhci", "PCI", "the USB controller of -usb", add_usb_controller},
    {Category::Usb, "ich9-usb-ehci1", "PCI", "id=ID,addr=SLOT.7: an EHCI of an ICH9, with the companions that follow",
     add_usb_controller},
    {Category::Usb, "ich9-usb-uhci1", "PCI", "masterbus=ID.0,firstport=0,addr=SLOT: its first companion, two ports",
     add_usb_controller},
    {Category::Usb, "ich9-usb-uhci2", "PCI", "masterbus=ID.0,firstport=2,addr=SLOT.1: its second", add_usb_controller},
    {Category::Usb, "qemu-xhci", "PCI", "id=ID,addr=SLOT,p2=N,p3=N: an xHCI with N ports of USB 2 and of USB 3",
     add_usb_controller},
    {Category::Usb, "ich9-usb-uhci3", "PCI", "masterbus=ID.0,firstport=4,addr=SLOT.2: its third", add_usb_controller},
    {Category::Input, "usb-tablet", "usb-bus", "port=P: a pointer that follows the host's and needs no grab", nullptr},
    {Category::Input, "usb-mouse", "usb-bus", "port=P: a mouse", nullptr},
    {Category::Input, "usb-kbd", "usb-bus", "port=P: a keyboard", nullptr},
    {Category::Controller, "usb-hub", "usb-bus", "port=P: a hub of eight ports: 1.1 to 1.8 on port 1", nullptr},
    {Category::Storage, "usb-storage", "usb-bus", "drive=ID,port=P,removable=on|off,serial=S,bootindex=N: a disk",
     nullptr},
    {Category::Misc, "i6300esb", "PCI", "addr=SLOT: the watchdog timer of Intel's 6300ESB; -watchdog-action",
     add_i6300esb},
    {Category::Misc, "ib700", "ISA", "the watchdog timer of iBase's IB700; -watchdog-action", add_ib700},
    {Category::Misc, "pvpanic", "ISA",
     "ioport=PORT: by which the guest says that it has panicked; -action panic=", add_pvpanic},
    {Category::Misc, "pc-testdev", "ISA", "scratch ports, memory and interrupt lines of kvm-unit-tests",
     add_test_device},
    {Category::Misc, "pci-testdev", "PCI", "accepted for test harnesses", accept},
};

Error unknown_device(std::string_view name) {
  if (const std::string_view reason = foreign_device_reason(name); !reason.empty())
    return Error{fmt::format("-device {}: {}", name, reason)};
  std::vector<std::string_view> names;
  for (const DeviceRow& row : kDevices) names.push_back(row.name);
  for (const NicModel& model : nic_models()) names.push_back(model.name);
  return Error{fmt::format("-device {}: unknown device; the nearest is {}; '-device help' lists those that exist", name,
                           nearest_word(name, names))};
}

Result<> add_devices(const Options& options, RandomSource* random, BoardPlan& plan) {
  BoardConfig& config = plan.config;
  for (const DeviceOption& device : options.devices) {
    const auto virtio = add_virtio_device(options, device, random, config);
    if (!virtio) return virtio.error();
    const auto usb = add_usb_device(options, device, plan.media, config);
    if (!usb) return usb.error();
    bool found = virtio.value() || usb.value();
    for (const DeviceRow& row : kDevices) {
      if (row.name != device.name || row.add == nullptr) continue;
      found = true;
      if (auto added = row.add(device, config); !added) return added;
    }
    if (!found) return unknown_device(device.name);
  }
  if (auto checked = check_usb_controllers(config); !checked) return checked;
  if (auto named = name_scsi_buses(options, config); !named) return named;
  for (auto& [drive, unit] : plan.scsi_disks) add_scsi_disk(drive, std::move(unit), config);
  return {};
}

// Which ports exist: those that are named, and the first of each kind unless it is "none" or -nodefaults is given.
template <std::size_t count>
void add_ports(std::array<bool, count>& ports, const std::vector<std::string>& named, bool first_by_default) {
  for (std::size_t i = 0; i < count; i++)
    ports[i] = i < named.size() ? named[i] != "none" : named.empty() && i == 0 && first_by_default;
}

// The drives that have a bootindex, as firmware paths (IEEE 1275) in the order in which they are tried.
void add_boot_order(const Options& options, BoardConfig& config) {
  for (const DriveOption& drive : options.drives) {
    if (!drive.boot_index || drive.interface == DriveOption::Interface::None ||
        drive.interface == DriveOption::Interface::Usb || drive.interface == DriveOption::Interface::Flash ||
        drive.interface == DriveOption::Interface::Virtio ||
        drive.interface == DriveOption::Interface::Scsi)  // the board knows its slot, or port
      continue;
    const bool floppy = drive.interface == DriveOption::Interface::Floppy;
    if (!floppy && drive_place(options, drive) >= PcBoard::kIdePlaces) continue;  // so it does of AHCI
    config.boot_indexes.emplace(
        *drive.boot_index, floppy
                               ? fmt::format("/pci@i0cf8/isa@1/fdc@03f0/floppy@{}", drive.index)
                               : fmt::format("/pci@i0cf8/ide@1,1/drive@{}/disk@{}", drive.index / 2, drive.index % 2));
  }
  config.boot_strict = options.boot_strict;
}

// UEFI firmware takes the ACPI tables that SeaBIOS would make, and has no suspend to RAM here.
Result<> look_at_firmware(BoardConfig& config) {
  std::vector<u8> code = config.bios;
  if (BlockDevice* const flash = config.flash[0].image.get(); flash != nullptr) {
    code.resize(std::min<u64>(flash->size_bytes(), kMostSystemRom));
    if (auto read = flash->read(0, code); !read) return read;
  }
  config.acpi_tables = holds_uefi_firmware(code);
  if (!config.acpi_tables) return {};
  constexpr u8 kExists = 0x80;
  config.firmware_files.emplace_back("etc/system-states", std::vector<u8>{kExists, 0, 0, 0, 0, kExists});
  return {};
}

Result<std::vector<u8>> read_whole_file(const std::string& path) {
  constexpr std::size_t kMost = 64u << 20;
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure)) return Error{path + ": is a directory; name a file"};
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return Error{path + ": cannot be opened; check the path and its permissions"};
  std::vector<u8> bytes;
  char buffer[4096];
  while (stream.read(buffer, sizeof buffer) || stream.gcount() > 0) {
    bytes.insert(bytes.end(), buffer, buffer + stream.gcount());
    if (bytes.size() > kMost) return Error{path + ": larger than 64 MiB; give a smaller file"};
  }
  return bytes;
}

// SeaBIOS writes what a pc can do into its ACPI tables: bit 7 of byte n says that state Sn exists, the lower bits are
// its value in PM1_CNT (SLP_TYP). S4 is a power-off that the guest has prepared.
void add_sleep_states(const Options& options, BoardConfig& config) {
  config.suspend_to_ram = options.suspend_to_ram;
  config.suspend_to_disk = options.suspend_to_disk;
  if (options.suspend_to_ram && options.suspend_to_disk) return;  // as SeaBIOS takes it to be
  constexpr u8 kExists = 0x80, kSuspend = 1;
  std::vector<u8> states{kExists, 0, 0, kSuspend, 0, kExists};
  if (options.suspend_to_ram) states[3] |= kExists;
  if (options.suspend_to_disk) states[4] |= kExists;
  config.firmware_files.emplace_back("etc/system-states", std::move(states));
}

Result<> add_firmware_files(const Options& options, BoardConfig& config) {
  add_sleep_states(options, config);
  for (const FirmwareFileOption& option : options.firmware_files) {
    std::vector<u8> bytes(option.string.begin(), option.string.end());
    if (!option.file.empty()) {
      auto read = read_whole_file(option.file);
      if (!read) return Error{fmt::format("-fw_cfg name={}: {}", option.name, read.message())};
      bytes = std::move(read).value();
    }
    config.firmware_files.emplace_back(option.name, std::move(bytes));
  }
  if (options.uuid.empty()) return {};
  std::vector<u8> uuid;
  std::string digits;
  for (const char c : options.uuid) {
    if (c != '-') digits += c;
  }
  for (std::size_t i = 0; i < digits.size(); i += 2)
    uuid.push_back(static_cast<u8>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  config.firmware_items.emplace_back(u16{kFwCfgUuid}, std::move(uuid));
  return {};
}

Result<> add_kernel(const Options& options, BoardConfig& config) {
  if (options.kernel.empty()) {
    if (!options.initrd.empty()) return Error{"-initrd only allowed with -kernel option"};
    if (!options.append.empty()) return Error{"-append only allowed with -kernel option"};
    return {};
  }
  const bool q35 = options.board == Options::Board::Q35;
  const u64 low = q35 ? Q35Mch::ram_below_4g(options.ram_bytes) : I440fx::ram_below_4g(options.ram_bytes);
  auto loaded =
      load_kernel({options.kernel, options.initrd, options.append, low, config.display != BoardConfig::Display::None});
  if (!loaded) return loaded.error();
  LoadedKernel kernel = std::move(loaded).value();
  for (auto& item : kernel.items) config.firmware_items.push_back(std::move(item));
  config.firmware_files.emplace_back(kernel.boot_file, std::move(kernel.boot_rom));
  config.first_boot.push_back("/rom@" + kernel.boot_file);
  return {};
}

}  // namespace

namespace {

// QEMU's ways to name an image that is no file: what stands before the first colon, unless a folder's name does.
struct ImageProtocol {
  std::string_view prefix;
  std::string_view mend;
};
constexpr ImageProtocol kProtocols[] = {
    {"http", "images are not fetched; download the file first"},
    {"https", "images are not fetched; download the file first"},
    {"ftp", "images are not fetched; download the file first"},
    {"ssh", "images are not fetched; copy the file with scp first"},
    {"iscsi", "there is no iSCSI initiator; attach the target to the host and name its /dev node"},
    {"rbd", "there is no Ceph client; map the image to the host with 'rbd map' and name its /dev node"},
    {"gluster", "there is no Gluster client; mount the volume and name the file"},
    {"nfs", "there is no NFS client; mount the share and name the file"},
    {"json", "write the properties with -blockdev or -drive instead"},
    {"blkdebug", "there is no fault injection; name the image itself"},
    {"blkverify", "there is no image comparison; name the image itself"},
    {"null-co", "there are no empty back ends; make an image: truncate -s 64M disk.img"},
};

Result<std::string> local_file(const std::string& option, const std::string& file) {
  std::error_code failure;
  const auto colon = file.find(':');
  if (colon == std::string::npos || file.find('/') < colon || std::filesystem::exists(file, failure)) return file;
  const std::string_view prefix = std::string_view(file).substr(0, colon);
  if (prefix == "file") return file.substr(colon + 1);
  if (names_nbd(file)) return file;
  for (const ImageProtocol& row : kProtocols) {
    if (prefix == row.prefix || (prefix.starts_with(row.prefix) && prefix[row.prefix.size()] == '+'))
      return Error{fmt::format("{} {}: {}", option, file, row.mend)};
  }
  return file;
}

}  // namespace

// A node that names a file gives the file's bytes as they are.
ImageSource image_source(const std::vector<BlockNode>& nodes, const std::string& node, const std::string& file,
                         const std::string& format) {
  ImageSource source{.file = file, .format = image_format(format).value_or(ImageFormat::Probe)};
  const BlockNode* const found = find_block_node(nodes, node);
  if (found == nullptr) return source;
  source = {.file = found->file,
            .format = image_format(found->driver).value_or(ImageFormat::Raw),
            .reconnect_seconds = found->reconnect_seconds};
  if (found->backing == kNoBacking) source.below = ImageSource::Below::Nothing;
  if (found->backing.empty() || found->backing == kNoBacking) return source;
  source.below = ImageSource::Below::Given;
  source.given = std::make_shared<const ImageSource>(image_source(nodes, found->backing, "", ""));
  return source;
}

Result<std::shared_ptr<DriveMedium>> open_medium(const std::string& option, const ImageSource& source, bool read_only,
                                                 bool snapshot) {
  const auto local = local_file(option, source.file);
  if (!local) return local.error();
  ImageSource here = source;
  here.file = local.value();
  // What a guest writes to a folder's disk is dropped at the end.
  const bool kept = !snapshot && !names_folder_disk(here.file);
  const auto access = read_only ? DriveMedium::Access::ReadOnly
                      : kept    ? DriveMedium::Access::ReadWrite
                                : DriveMedium::Access::Overlay;
  auto medium = DriveMedium::open(here, access);
  if (!medium) return Error{fmt::format("{} {}", option, medium.message())};
  return medium;
}

unsigned drive_place(const Options& options, const DriveOption& drive) {
  const bool ahci = options.board == Options::Board::Q35 || drive.interface == DriveOption::Interface::Ahci;
  return drive.index + (ahci ? PcBoard::kIdePlaces : 0);
}

DriveOption::Interface interface_of_place(const Options& options, unsigned place) {
  const bool ide = options.board == Options::Board::Q35 || place < PcBoard::kIdePlaces;
  return ide ? DriveOption::Interface::Ide : DriveOption::Interface::Ahci;
}

std::string drive_place_name(const Options& options, unsigned place, DriveOption::Media media) {
  const char* const kind = media == DriveOption::Media::Cdrom ? "cd" : "hd";
  if (place < PcBoard::kIdePlaces) return fmt::format("ide{}-{}{}", place / 2, kind, place % 2);
  const char* const bus = options.board == Options::Board::Q35 ? "ide" : "ahci";
  return fmt::format("{}{}-{}0", bus, place - PcBoard::kIdePlaces, kind);
}

std::string drive_name(const Options& options, const DriveOption& drive) {
  switch (drive.interface) {
    case DriveOption::Interface::Floppy: return fmt::format("floppy{}", drive.index);
    case DriveOption::Interface::Virtio: return fmt::format("virtio{}", drive.index);
    case DriveOption::Interface::Usb: return fmt::format("usb{}", drive.index);
    case DriveOption::Interface::Scsi: return fmt::format("scsi{}", drive.index);
    case DriveOption::Interface::Flash: return fmt::format("pflash{}", drive.index);
    default: return drive_place_name(options, drive_place(options, drive), drive.media);
  }
}

Result<CpuModel> cpu_model_for(const Options& options) {
  auto model = make_cpu_model(options.cpu_model);
  if (model && options.bios.empty() && (model.value().instructions & feature_bit(Feature::I80486)) == 0) {
    log::warning(fmt::format(
        "-cpu {}: SeaBIOS uses BSWAP, an instruction of the 486, and will not get far; give a BIOS for this "
        "processor with -bios, or -cpu 486",
        options.cpu_model));
  }
  return model;
}

Result<BoardPlan> board_plan_for(const Options& options, RandomSource* random) {
  BoardPlan plan;
  BoardConfig& config = plan.config;
  const bool q35 = options.board == Options::Board::Q35;
  config.chipset = q35 ? BoardConfig::Chipset::Q35 : BoardConfig::Chipset::I440fx;
  config.hpet = options.hpet.value_or(q35);
  if (q35) config.ahci.emplace();
  const Firmware firmware(options.firmware_dirs);
  const bool flash = std::any_of(options.drives.begin(), options.drives.end(), [](const DriveOption& drive) {
    return drive.interface == DriveOption::Interface::Flash;
  });
  auto bios = flash                  ? Result<std::vector<u8>>(std::vector<u8>{})
              : options.bios.empty() ? firmware.system_bios("")
                                     : firmware.system_bios(options.bios);
  if (!bios) return bios.error();
  config.bios = std::move(bios).value();
  if (config.bios.size() > kMostSystemRom) return Error{fmt::format("-bios {}: larger than 16 MiB", options.bios)};
  using Display = BoardConfig::Display;
  const bool none = options.vga == "none" || (options.vga.empty() && options.no_defaults);
  config.display = none ? Display::None : options.vga == "cirrus" ? Display::Cirrus : Display::Std;
  if (config.display != Display::None) {
    auto vga_bios = firmware.vga_bios(config.display == Display::Cirrus ? kCirrusBios : kVgaBios);
    // A machine with its own system ROM may well do without a video BIOS.
    if (!vga_bios && options.bios.empty() && !flash) return vga_bios.error();
    if (vga_bios) config.vga_bios = std::move(vga_bios).value();
  }
  for (const std::string& file : options.option_roms) {
    auto rom = firmware.option_rom(file);
    if (!rom) return rom.error();
    const auto slash = file.rfind('/');
    config.firmware_files.emplace_back("genroms/" + (slash == std::string::npos ? file : file.substr(slash + 1)),
                                       std::move(rom).value());
  }
  const auto base = clock_base(options);
  if (!base) return base.error();
  config.clock_base = base.value();
  config.floppy_speed = options.real_floppy_speed ? FloppySpeed::Real : FloppySpeed::Fast;
  config.vmware_port = options.vmware_port;
  config.clock_missed_ticks = options.rtc_slew ? MissedTicks::Reinjected : MissedTicks::Lost;
  if (!options.boot_order.empty()) config.boot_order = options.boot_order;
  if (!options.boot_once.empty()) config.boot_order = options.boot_once;
  config.cmos.check_floppy_signature = options.check_floppy_signature;
  config.boot_menu = options.boot_menu;
  config.serial_console = options.nographic;
  if (auto done = add_kernel(options, config); !done) return done.error();
  // What --expect-serial watches is there in any case.
  const bool watched = !options.expect_serial.empty() || !options.fail_serial.empty();
  add_ports(config.serial_ports, options.serials, !options.no_defaults || watched);
  add_ports(config.parallel_ports, options.parallels, !options.no_defaults);
  add_boot_order(options, config);
  if (auto done = add_firmware_files(options, config); !done) return done.error();
  if (auto done = add_drives(options, plan); !done) return done.error();
  if (auto done = add_devices(options, random, plan); !done) return done.error();
  if (auto done = look_at_firmware(config); !done) return done.error();
  return plan;
}

std::string device_help_text() {
  std::string text;
  for (std::size_t i = 0; i < kCategoryNames.size(); i++) {
    const auto category = static_cast<Category>(i);
    text += fmt::format("{}{} devices:\n", i == 0 ? "" : "\n", kCategoryNames[i]);
    for (const DeviceRow& row : kDevices) {
      if (row.category == category)
        text += fmt::format("name \"{}\", bus {}, desc \"{}\"\n", row.name, row.bus, row.help);
    }
    if (category != Category::Network) continue;
    for (const NicModel& model : nic_models())
      text += fmt::format("name \"{}\", bus {}, desc \"netdev=ID,mac=A,addr=SLOT: {}\"\n", model.name,
                          model.pci ? "PCI" : "ISA", model.help);
  }
  return text;
}

std::vector<std::string> device_names() {
  std::vector<std::string> names;
  for (const DeviceRow& row : kDevices) names.emplace_back(row.name);
  for (const NicModel& model : nic_models()) names.emplace_back(model.name);
  // The other names of virtio devices, by which libvirt knows that these fit PCI Express.
  const std::vector<std::string> listed = names;
  for (const std::string& name : listed) {
    VirtioOption ignored;
    if (!name.ends_with("-pci") || virtio_base_name(name, ignored).empty()) continue;
    for (const char* kind : {"-transitional", "-non-transitional"}) names.push_back(name + kind);
  }
  return names;
}

std::vector<std::string> device_property_names(const std::string& name) {
  std::string_view names = drive_device_properties(name);
  if (names.empty()) names = port_device_properties(name);
  if (names.empty()) names = network_device_properties(name);
  if (names.empty()) names = sound_device_properties(name);
  if (names.empty()) names = virtio_device_properties(name);
  if (names.empty()) names = usb_device_properties(name);
  if (names.empty()) names = root_port_properties(name);
  if (names.empty() && name == "isa-debug-exit") names = "iobase iosize";
  if (names.empty() && (name == "ich9-ahci" || name == "i6300esb")) names = "id bus addr multifunction";
  if (names.empty() && name == "ib700") names = "id";
  if (names.empty() && name == "pvpanic") names = "id ioport events";
  return names.empty() ? std::vector<std::string>() : split_words(names, ' ');
}

Result<std::string> device_properties_text(const std::string& name) {
  const auto* row =
      std::find_if(std::begin(kDevices), std::end(kDevices), [&](const DeviceRow& r) { return r.name == name; });
  if (row == std::end(kDevices) && network_device_properties(name).empty()) return unknown_device(name);
  std::string text = fmt::format("{} options:\n", name);
  for (const std::string& word : device_property_names(name)) {
    if (!word.empty()) text += fmt::format("  {}=<value>\n", word);
  }
  return text;
}

}  // namespace relic86
