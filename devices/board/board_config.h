// What a PC board is built from: plain data and the host's sinks, no options and no files.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/pci_place.h"
#include "base/processor_topology.h"
#include "block/block_device.h"
#include "devices/board/cmos_map.h"
#include "devices/chipset/mc146818.h"
#include "devices/host_sinks.h"
#include "devices/network_link.h"
#include "devices/sound/hda_codec.h"
#include "devices/sound/mpu401_card.h"
#include "devices/sound/sb16.h"
#include "devices/sound_sinks.h"
#include "devices/storage/disk_geometry.h"
#include "devices/storage/floppy_timing.h"
#include "devices/virtio/virtio_balloon.h"
#include "devices/virtio/virtio_random.h"
#include "devices/virtio/virtio_serial.h"

namespace relic86 {

struct DebugConsoleConfig {
  u16 port = 0xE9;  // 402h: SeaBIOS
  CharSink* sink = nullptr;
};

struct DebugExitConfig {
  u16 port = 0x501;
  u32 size = 2;  // ports
};

// One of the four IDE places: primary master, primary slave, secondary master, secondary slave.
struct IdeSlot {
  enum class Kind : u8 { None, Disk, Cdrom } kind = Kind::None;
  std::unique_ptr<BlockDevice> image;    // a disk always has one; a CD-ROM drive may be empty
  std::optional<DiskGeometry> geometry;  // a disk's, set by the user; else guessed
  std::string serial, model;             // a disk's; empty: the board's own
  std::optional<unsigned> boot_index;    // of a drive on AHCI, whose place the board knows
};

// A SATA controller with the AHCI interface, whose ports take drives as IDE places do.
struct AhciConfig {
  static constexpr unsigned kPorts = 6;
  std::string name = "ich9_ahci";  // unique in the machine
  std::optional<unsigned> slot;    // of an i440FX's PCI bus; else the first free one
  std::array<IdeSlot, kPorts> ports;
};

// Floppy drives A and B.
struct FloppySlot {
  bool present = false;
  std::unique_ptr<BlockDevice> image;  // null: no disk in the drive
  std::string file;                    // the image's name, for messages
  bool write_protected = false;
};

// Flash memory below 4 GiB: unit 0 at the top, with the firmware, unit 1 below it. image: a multiple of 4 KiB; null:
// there is no such chip.
struct FlashSlot {
  std::unique_ptr<BlockDevice> image;
  std::string file;  // the image's name, for messages
};

// A network card. The link must outlive the board.
struct NetworkCardConfig {
  enum class Model : u8 { E1000, Ne2000Isa, Pcnet, Rtl8029, Rtl8139, Virtio } model = Model::E1000;
  // "e1000", to which the board adds the slot; of a card on the ISA bus unique in the machine: "ne2k_isa.0".
  std::string name;
  std::string id;   // the user's name for it; may be empty
  std::string key;  // by which the link's owner knows it
  MacAddress address{};
  NetworkLink* link = nullptr;
  std::optional<unsigned> slot;  // of the PCI bus; else the first free one
  std::optional<unsigned> boot_index;
  u16 port = 0x300;  // of a card on the ISA bus
  u8 irq = 9;
  VirtioInterfaces interfaces;  // of a virtio card
  std::vector<u8> rom;          // expansion ROM of a PCI card, at most PciDevice::kMostOptionRom; may be empty
};

// A disk on a SCSI bus.
struct ScsiUnitConfig {
  unsigned target = 0, unit = 0;
  std::unique_ptr<BlockDevice> image;
  std::string serial;  // may be empty
  std::optional<unsigned> boot_index;
};

// A virtio device on the PCI bus. Which members count depends on its kind.
struct VirtioConfig {
  enum class Kind : u8 { Block, Random, Balloon, Serial, Scsi } kind = Kind::Block;
  std::string name;              // "virtio-blk-pci", to which the board adds the slot
  std::string id;                // the user's name for it; may be empty
  std::string key;               // of a disk: the machine's name for the drive
  std::optional<unsigned> slot;  // else the first free one
  std::optional<unsigned> boot_index;
  VirtioInterfaces interfaces;
  // Block
  std::unique_ptr<BlockDevice> image;
  std::optional<DiskGeometry> geometry;  // set by the user; else guessed
  std::string serial;                    // may be empty
  VirtioRandomOptions random;
  VirtioBalloonOptions balloon;
  // What ports call a Serial: by the user's id, which may be empty, or as QEMU does. What disks call a Scsi: default_bus.
  std::string bus, default_bus;
  std::vector<VirtioPortConfig> ports;
  std::vector<ScsiUnitConfig> units;  // of a Scsi
};

// Sound cards. audiodev: the name by which the user calls the host's side; host: that side, null: nothing is heard.
struct SoundCardConfig {
  std::string audiodev;
  SoundHost* host = nullptr;
};
struct Sb16CardConfig : SoundCardConfig {
  Sb16Config chip;
  MidiInstrument* instrument = nullptr;  // null: nothing is heard of its MIDI
};
struct MidiCardConfig {
  std::string audiodev;
  Mpu401CardConfig card;
  MidiInstrument* instrument = nullptr;
};
// A codec of a High Definition Audio controller.
struct HdaCodecConfig : SoundCardConfig {
  HdaCodec::Model model = HdaCodec::Model::Output;
  unsigned address = 0;  // on the link
};
struct PciSoundCardConfig : SoundCardConfig {
  enum class Model : u8 { Ac97, Es1370, Ich6Hda, Ich9Hda } model = Model::Ac97;
  std::optional<unsigned> slot;        // absent: the next one that is free
  std::string id;                      // the user's name for it; may be empty
  std::vector<HdaCodecConfig> codecs;  // of an HDA controller, which itself makes no sound
  bool msi = true;                     // such a one has MSI, if the processor has a local APIC

  bool is_hda() const { return model == Model::Ich6Hda || model == Model::Ich9Hda; }
};
// "AC97": what -device calls it.
std::string_view pci_sound_card_name(PciSoundCardConfig::Model model);

// A device on USB.
struct UsbDeviceConfig {
  enum class Kind : u8 { Tablet, Mouse, Keyboard, Hub, Storage } kind = Kind::Tablet;
  std::string port;                    // "1", or "1.2": port 2 of the hub at port 1; empty: the next one that is free
  std::string id;                      // the user's name for it; may be empty
  std::string serial;                  // its serial number; empty: its own
  std::string drive;                   // of a disk: the machine's name for it
  std::unique_ptr<BlockDevice> image;  // of a disk
  bool removable = false;              // of a disk: its medium can be taken out
  std::optional<unsigned> boot_index;  // of a disk
};
// The controllers of the USB, of which a machine has one: the chipset's UHCI, or the EHCI of an ICH9 as a card, with UHCIs
// of two ports each as its companions, or an xHCI as a card.
struct UsbControllerConfig {
  enum class Kind : u8 { Uhci, Ehci, Xhci } kind = Kind::Uhci;
  std::string id;                           // of an EHCI: how companions name it; may be empty
  std::optional<unsigned> slot;             // of a card, and the companions of an EHCI; else the first free one
  unsigned companions = 0;                  // of an EHCI: 1 to 3
  unsigned usb2_ports = 4, usb3_ports = 4;  // of an xHCI
};
// "usb-tablet".
std::string_view usb_device_name(UsbDeviceConfig::Kind kind);

// Watchdog timers. slot: of the PCI bus, else the first free one.
struct WatchdogConfig {
  bool ib700 = false;
  struct Esb6300 {
    std::optional<unsigned> slot;
  };
  std::optional<Esb6300> i6300esb;
};

// A root port of a q35, by which one card comes and goes.
struct RootPortConfig {
  std::string id;                // the user's name for it
  std::optional<unsigned> slot;  // of bus 0; else the first free one
  unsigned function = 0;
  bool multifunction = false;
  unsigned link = 0, card_slot = 0;  // numbers that it tells of itself
  bool hotplug = true;
};

struct BoardConfig {
  // I440fx: with PIIX3 and the PIIX4's power management. Q35: with ICH9.
  enum class Chipset : u8 { I440fx, Q35 } chipset = Chipset::I440fx;
  bool hpet = false;
  bool suspend_to_ram = true, suspend_to_disk = true;  // in a Q35's ACPI tables
  std::vector<u8> bios;                                // 1 byte to 16 MiB; not used where there is flash memory
  std::array<FlashSlot, 2> flash{};                    // the second only with the first
  bool acpi_tables = false;                            // the firmware takes ACPI tables from the board
  enum class Display : u8 { None, Std, Cirrus } display = Display::Std;
  std::vector<u8> vga_bios;  // its option ROM; may be empty
  // What the processors' local APICs have; absent: there are none.
  struct LocalApicConfig {
    bool x2apic = false;
    bool tsc_deadline = false;
    bool keeps_ticks = false;  // LocalApic::Features
  };
  std::optional<LocalApicConfig> local_apic;
  ProcessorTopology processors;  // several need local APICs

  std::array<IdeSlot, 4> ide;      // of an i440FX
  std::optional<AhciConfig> ahci;  // a Q35 has one in any case
  bool ahci_card = false;          // the user has asked for one on an i440FX's bus
  std::array<FloppySlot, 2> floppies;
  FloppySpeed floppy_speed = FloppySpeed::Fast;

  // Firmware configuration beyond what the board adds itself.
  std::vector<std::pair<u16, std::vector<u8>>> firmware_items;
  std::vector<std::pair<std::string, std::vector<u8>>> firmware_files;
  // Lines of the "bootorder" file, tried before boot_order: "/rom@genroms/linuxboot.bin". Those that have a number are
  // tried in its order after the others; the board adds its network cards to them.
  std::vector<std::string> first_boot;
  std::multimap<unsigned, std::string> boot_indexes;
  bool boot_strict = false;        // nothing else is tried after them
  std::string boot_order = "cda";  // letters a, c, d, n
  bool boot_menu = false;

  // Date at power-on: seconds since 1970-01-01 00:00 of the calendar the clock keeps (UTC or local).
  i64 clock_base = 0;
  MissedTicks clock_missed_ticks = MissedTicks::Lost;
  // Drives and options for the CMOS; ram_size, boot_order and processors are filled in by the board.
  CmosConfig cmos;
  std::vector<NetworkCardConfig> network_cards;
  std::vector<VirtioConfig> virtio;
  std::size_t virtio_ports = 0;                 // of all together; each has its order below this
  std::array<bool, 4> serial_ports = {true};    // COM1 to COM4
  std::array<bool, 3> parallel_ports = {true};  // LPT1 to LPT3
  std::vector<DebugConsoleConfig> debug_consoles;
  std::vector<DebugExitConfig> debug_exits;
  bool test_device = false;              // pc-testdev
  std::optional<SoundCardConfig> adlib;  // beside a Sound Blaster 16 its synthesizer is the one that there is
  std::optional<Sb16CardConfig> sb16;
  std::optional<MidiCardConfig> mpu401;
  bool game_port = false;  // a Sound Blaster 16 has one in any case
  std::vector<PciSoundCardConfig> pci_sound;
  SoundHost* cd_sound = nullptr;  // where the audio tracks of CDs are heard; null: nowhere

  bool serial_console = false;  // the BIOS uses COM1 as its screen and keyboard, too (-nographic)

  // Of a q35, at most kMostRootPorts. Cards that name one of them have place_behind_port() of its index as their slot.
  std::vector<RootPortConfig> root_ports;

  WatchdogConfig watchdogs;
  std::optional<u16> panic_port;  // of a pvpanic device
  bool vmware_port = true;

  std::optional<UsbControllerConfig> usb_controller;
  std::vector<UsbDeviceConfig> usb_devices;
};

}  // namespace relic86
