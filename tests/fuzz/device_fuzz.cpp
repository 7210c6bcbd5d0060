// relic86_device_fuzz [--seconds N] [--seed S] [OWNER...]: a whole board without a processor, whose registers (ports
// and memory) are read and written at random, with time passing, host input, DMA everywhere, resets and saved states in
// between. Whatever happens, nothing may crash, hang or touch host memory it should not (run it under ASan and UBSan).
// Without owners: all in turn.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <set>

#include "base/state_loading.h"
#include "devices/board/pc_board.h"
#include "devices/character/uart16550.h"
#include "devices/input/keyboard.h"
#include "devices/input/pointer.h"
#include "devices/processor_registers.h"
#include "devices/virtio/virtio_balloon.h"
#include "tests/block/late_disk.h"
#include "tests/block/memory_disk.h"

namespace relic86 {
namespace {

using test::LateAnswers;
using test::LateDisk;

// The host's disk, as all devices see it: it fails for a while or answers late, and the machine would stop.
struct HostDisk {
  std::vector<LateAnswers*> images;
};

struct FuzzDiskParts {
  explicit FuzzDiskParts(u64 size) : content(size) { answers.late = false; }
  test::MemoryDiskContent content;
  LateAnswers answers;
};

class FuzzDisk final : private FuzzDiskParts, public LateDisk {
 public:
  FuzzDisk(HostDisk& host, u64 size)
      : FuzzDiskParts(size), LateDisk(std::make_unique<test::MemoryDisk>(content), answers), host_(host) {
    host_.images.push_back(&answers);
  }
  ~FuzzDisk() override { std::erase(host_.images, &answers); }
  FuzzDisk(const FuzzDisk&) = delete;
  FuzzDisk& operator=(const FuzzDisk&) = delete;

 private:
  HostDisk& host_;
};

// A cable that brings frames of any kind.
class FuzzLink final : public NetworkLink {
 public:
  void connect(NetworkReceiver* receiver) override { receiver_ = receiver; }
  void send(std::span<const u8> frame) override { last_.assign(frame.begin(), frame.end()); }
  void receiver_ready() override {}
  bool up() const override { return up_; }

  // What was sent last comes back, or noise, asked for or not.
  void bring(std::mt19937& random) {
    if (receiver_ == nullptr) return;
    if (random() % 16 == 0) receiver_->link_changed(up_ = !up_);
    std::vector<u8> frame = random() % 2 == 0 ? last_ : std::vector<u8>(random() % 1600);
    if (frame != last_) std::generate(frame.begin(), frame.end(), [&] { return static_cast<u8>(random()); });
    constexpr std::size_t kShortest = 60, kAddress = 6;
    frame.resize(std::max(frame.size(), kShortest));
    if (random() % 2 == 0) std::fill_n(frame.begin(), kAddress, u8{0xFF});
    if (receiver_->listening() && (receiver_->can_receive() || random() % 4 == 0)) receiver_->receive(frame);
  }

 private:
  NetworkReceiver* receiver_ = nullptr;
  std::vector<u8> last_;
  bool up_ = true;
};

constexpr const char* kCirrus = "cirrus-vga";

// Which board has the owner's registers.
struct FuzzBoard {
  BoardConfig::Display display = BoardConfig::Display::Std;
  BoardConfig::Chipset chipset = BoardConfig::Chipset::I440fx;
  UsbControllerConfig::Kind usb = UsbControllerConfig::Kind::Uhci;
};
FuzzBoard board_for(const std::string& owner) {
  FuzzBoard board;
  if (owner.starts_with(kCirrus)) board.display = BoardConfig::Display::Cirrus;
  if (owner.starts_with("q35") || owner.starts_with("ich9_lpc") || owner.starts_with("ich9_smbus") ||
      owner.find(".port") != std::string::npos)
    board.chipset = BoardConfig::Chipset::Q35;
  if (owner.starts_with("ich9_ehci") || owner.starts_with("ich9_uhci")) board.usb = UsbControllerConfig::Kind::Ehci;
  if (owner.starts_with("xhci")) board.usb = UsbControllerConfig::Kind::Xhci;
  return board;
}

// What a guest that knows VMware's port, or does not, has in its registers.
class FuzzRegisters final : public ProcessorRegisters {
 public:
  u32 read_register(Register number) const override {
    constexpr u32 kMagic = 0x564D5868, kMouse[] = {0x45414552, 0x53424152, 0x4C455252, 0xF5, 1, 4, 6};
    const u32 dice = static_cast<u32>(random_());
    if (dice % 8 == 0) return static_cast<u32>(random_());
    if (number == Register::Eax) return kMagic;
    if (number == Register::Ecx) return dice % 4 == 0 ? dice >> 8 & 0x7F : 39 + dice / 8 % 3;
    return kMouse[dice / 8 % std::size(kMouse)];
  }
  void write_register(Register, u32) override {}

 private:
  mutable std::mt19937 random_{1};
};

class FuzzMachine final : public MachineControl, public GuestClock {
 public:
  explicit FuzzMachine(const FuzzBoard& wanted)
      : store_(BackingStore::create(kRam, PcBoard::kExtraMemory).value()), bus_(store_) {
    BoardConfig config;
    config.display = wanted.display;
    config.chipset = wanted.chipset;
    config.hpet = true;
    config.ahci.emplace();
    config.ahci->ports[0].kind = IdeSlot::Kind::Disk;
    config.ahci->ports[0].image = std::make_unique<FuzzDisk>(host_disk_, 4u << 20);
    config.ahci->ports[2].kind = IdeSlot::Kind::Cdrom;
    config.ahci->ports[2].image = std::make_unique<FuzzDisk>(host_disk_, 1u << 20);
    config.bios.assign(65536, 0xF4);
    config.vga_bios.assign(32768, 0);
    config.vga_bios[0] = 0x55;
    config.vga_bios[1] = 0xAA;
    config.serial_ports = {true, true, true, true};
    config.local_apic = {.x2apic = true, .tsc_deadline = true};
    config.test_device = true;
    config.debug_consoles.push_back({});
    config.debug_exits.push_back({});
    for (FlashSlot& chip : config.flash) chip.image = std::make_unique<FuzzDisk>(host_disk_, u64{64} << 10);
    config.ide[0].kind = IdeSlot::Kind::Disk;
    config.ide[0].image = std::make_unique<FuzzDisk>(host_disk_, 4u << 20);
    config.ide[2].kind = IdeSlot::Kind::Cdrom;
    config.ide[2].image = std::make_unique<FuzzDisk>(host_disk_, 1u << 20);
    for (FloppySlot& slot : config.floppies) {
      slot.present = true;
      slot.image = std::make_unique<FuzzDisk>(host_disk_, 1474560);
    }
    for (std::size_t i = 0; i < kCards; i++) config.network_cards.push_back(network_card(i));
    for (std::size_t i = 0; i < kVirtio; i++) {
      VirtioConfig device = virtio_device(i);
      if (device.kind == VirtioConfig::Kind::Serial) device.ports = {{true, 0, "", 0}, {false, 1, "port", 1}};
      config.virtio.push_back(std::move(device));
    }
    config.virtio_ports = 2;
    if (wanted.chipset == BoardConfig::Chipset::Q35) {
      config.root_ports.resize(kRootPorts);
      for (RootPortConfig& port : config.root_ports) port.slot = kFirstRootPort + (&port - config.root_ports.data());
      config.network_cards[0].slot = place_behind_port(0);
      config.virtio[0].slot = place_behind_port(1);
    }
    config.sb16.emplace().host = &sound_;
    config.mpu401.emplace().card.port = 0x332;
    for (const auto model : {PciSoundCardConfig::Model::Ac97, PciSoundCardConfig::Model::Es1370}) {
      config.pci_sound.emplace_back().model = model;
      config.pci_sound.back().host = &sound_;
    }
    PciSoundCardConfig& hda = config.pci_sound.emplace_back();
    hda.model = PciSoundCardConfig::Model::Ich6Hda;
    for (const auto model : {HdaCodec::Model::Output, HdaCodec::Model::Duplex, HdaCodec::Model::Micro}) {
      const auto address = static_cast<unsigned>(hda.codecs.size());
      HdaCodecConfig& codec = hda.codecs.emplace_back();
      codec.host = &sound_;
      codec.model = model;
      codec.address = address;
    }
    config.watchdogs = {.ib700 = true, .i6300esb = {{.slot = {}}}};
    config.usb_controller.emplace().kind = wanted.usb;
    const bool ehci = wanted.usb == UsbControllerConfig::Kind::Ehci,
               xhci = wanted.usb == UsbControllerConfig::Kind::Xhci;
    if (ehci) config.usb_controller->companions = 3;
    if (ehci || xhci) config.usb_controller->slot = kUsbSlot;
    for (const char* port : {"1", "2", "2.1", "2.2", "2.3"}) {
      using Kind = UsbDeviceConfig::Kind;
      constexpr Kind kKinds[] = {Kind::Tablet, Kind::Hub, Kind::Keyboard, Kind::Mouse, Kind::Storage};
      UsbDeviceConfig device;
      device.kind = kKinds[config.usb_devices.size()];
      device.port = port;
      if (device.kind == Kind::Storage) device.image = std::make_unique<FuzzDisk>(host_disk_, 1u << 20);
      config.usb_devices.push_back(std::move(device));
    }
    board_ = PcBoard::create(std::move(config), scheduler_, io_, bus_, *this).value();
    board_->connect_processor(0, {.intr = [this](bool level) { intr_ = level; }, .registers = &registers_});
    board_->connect_speaker(sound_);
    board_->reset(ResetKind::PowerOn);
    if (wanted.chipset == BoardConfig::Chipset::Q35) place_root_ports();
    place_cards();
    if (ehci) place_ehci();
    if (xhci) place_xhci();
    if (wanted.chipset == BoardConfig::Chipset::I440fx && !xhci) start_usb(ehci ? kUsbSlot << 11 : 1 << 11 | 2 << 8);
    if (wanted.chipset == BoardConfig::Chipset::Q35) place_q35();
  }

  GuestTime now() const override { return time_; }
  void request_reset() override { wants_reset_ = true; }
  void request_power_off() override {}
  void request_exit(u32) override {}
  void request_suspend() override {}
  void request_wake() override { wants_resume_ = true; }
  void request_cpu_init() override {}

  std::set<std::string> owners() const {
    std::set<std::string> all;
    for (const IoRange& range : io_.ranges()) all.insert(range.owner);
    for (const PhysRange& range : bus_.ranges()) {
      if (range.write.kind == PageTarget::Kind::Mmio) all.insert(range.owner);
    }
    return all;
  }

  // One random deed to the registers of owner.
  void step(const std::string& owner, std::mt19937& random) {
    const u32 dice = static_cast<u32>(random());
    if (dice % 64 < 56) {
      if (dice % 1024 < 8) return start_virtio(random);
      if (dice % 1024 < 16) return start_ahci(random);
      return dice % 2048 < 24 ? start_hda(random) : access(owner, random);
    }
    if (dice % 64 < 60) return pass(static_cast<GuestTime>(random() % (dice % 256 == 57 ? 100'000'000 : 20'000)));
    if (dice % 64 == 60) return dice % 1024 < 128 ? host_disk_event(random) : host_input(random);
    if (dice % 64 == 61 && intr_) board_->acknowledge_interrupt(0);
    if (dice % 4096 == 62) save_and_load(random);
    if (dice % 8192 == 63 || wants_reset_) {
      wants_reset_ = false;
      board_->reset(wants_resume_ && board_->suspended() ? ResetKind::Resume : ResetKind::Hard);
      wants_resume_ = false;
    }
  }

 private:
  static constexpr u64 kRam = 4u << 20;
  struct VirtioPlace {
    u32 address;                   // of its configuration space
    u32 legacy, messages, modern;  // a port, addresses
  };
  static constexpr std::size_t kCards = 6;
  static constexpr u32 kUsbSlot = 28, kRootPorts = 2, kFirstRootPort = 26;
  static constexpr u32 kVectors = 3;  // of MSI-X
  static constexpr VirtioConfig::Kind kVirtioKinds[] = {VirtioConfig::Kind::Block, VirtioConfig::Kind::Random,
                                                        VirtioConfig::Kind::Balloon, VirtioConfig::Kind::Serial,
                                                        VirtioConfig::Kind::Scsi};
  static constexpr std::size_t kVirtio = std::size(kVirtioKinds);

  NetworkCardConfig network_card(std::size_t i) {
    using Model = NetworkCardConfig::Model;
    constexpr Model kModels[] = {Model::E1000,   Model::Ne2000Isa, Model::Pcnet,
                                 Model::Rtl8029, Model::Rtl8139,   Model::Virtio};
    static_assert(std::size(kModels) == kCards);
    NetworkCardConfig card;
    card.model = kModels[i];
    card.name = card.key = fmt::format("card.{}", i);
    card.address = {0x52, 0x54, 0, 0x12, 0x34, static_cast<u8>(i)};
    card.link = &links_[i];
    card.interfaces.vectors = kVectors;
    return card;
  }
  VirtioConfig virtio_device(std::size_t i) {
    VirtioConfig device;
    device.kind = kVirtioKinds[i];
    device.name = device.key = fmt::format("virtio.{}", i);
    device.image = std::make_unique<FuzzDisk>(host_disk_, 1u << 20);
    device.interfaces.vectors = kVectors;
    for (unsigned unit = 0; device.kind == VirtioConfig::Kind::Scsi && unit < 2; unit++)
      device.units.push_back({0, unit, std::make_unique<FuzzDisk>(host_disk_, 1u << 20), "", {}});
    return device;
  }

  // A card is asked to go, or one that has gone comes again.
  void change_cards(std::mt19937& random) {
    board_->take_ejected();
    for (const auto& [place, card] : board_->cards()) {
      if (board_->can_unplug(place) && random() % 16 == 0) board_->request_unplug(place);
    }
    const auto missing = [&](const std::string& key) {
      return std::none_of(board_->cards().begin(), board_->cards().end(),
                          [&](const auto& card) { return card.second.key == key; });
    };
    NetworkCardConfig card = network_card(random() % kCards);
    if (!root_ports_.empty()) card.slot = place_behind_port(static_cast<u32>(random()) % kRootPorts);
    if (card.model != NetworkCardConfig::Model::Ne2000Isa && missing(card.key)) (void)board_->plug(std::move(card));
    VirtioConfig device = virtio_device(random() % kVirtio);
    using Kind = VirtioConfig::Kind;
    if (!root_ports_.empty()) device.slot = place_behind_port(static_cast<u32>(random()) % kRootPorts);
    const bool comes = device.kind == Kind::Block || device.kind == Kind::Random || device.kind == Kind::Scsi;
    if (comes && missing(device.key)) (void)board_->plug(std::move(device));
  }

  // As firmware does it: every BAR of a card and of the display has a place, and the card is bus master.
  void place_cards() {
    u32 memory = 0xE0000000, ports = 0xC000;
    constexpr u32 kBars = 5, kVirtioVendor = 0x1AF4, kDisplaySlot = 2, kAhci = 0x29228086, kHda = 0x26688086;
    io_.write(IoPort(0xCF8), 4, 0x80000000u | kDisplaySlot << 11 | 0x10);
    io_.write(IoPort(0xCFC), 4, 0xD0000000);
    std::vector<u32> addresses = root_ports_;
    for (u32 slot = kDisplaySlot; slot < 32; slot++) addresses.push_back(slot << 11);
    for (const u32 address : addresses) {
      const auto config = [&](u32 offset, u32 value) {
        io_.write(IoPort(0xCF8), 4, 0x80000000u | address | offset);
        io_.write(IoPort(0xCFC), 4, value);
      };
      config(0x0C, 0);
      constexpr u32 kHeaderType = 0x7F0000;
      if ((io_.read(IoPort(0xCFC), 4) & kHeaderType) != 0) continue;  // a bridge, or nobody
      io_.write(IoPort(0xCF8), 4, 0x80000000u | address);
      const u32 identity = io_.read(IoPort(0xCFC), 4);
      if (identity == ~0u) continue;
      u32 legacy = 0, messages = 0;
      for (u32 bar = address == kDisplaySlot << 11 ? 1 : 0; bar < kBars; bar++) {
        config(0x10 + bar * 4, ~0u);
        const u32 mask = io_.read(IoPort(0xCFC), 4);
        if (mask == 0) continue;
        const bool io = (mask & 1) != 0;
        config(0x10 + bar * 4, io ? ports += 0x100 : memory += 0x40000);
        if (bar == 0) legacy = ports;
        if (bar == 0 && identity == kHda) hda_ = memory;
        if (bar == 1) messages = memory;
      }
      config(0x24, identity == kAhci ? ahci_ = memory += 0x40000 : 0);
      config(4, 7);
      if ((identity & 0xFFFF) == kVirtioVendor) virtio_.push_back({address, legacy, messages, memory});
    }
  }

  // The head of a request to a SCSI host, with a command that disks know.
  void put_scsi_command(u64 address, std::mt19937& random) {
    constexpr u8 kOperations[] = {0x00, 0x03, 0x12, 0x1A, 0x25, 0x28, 0x2A, 0x35, 0x88, 0x8A, 0x9E, 0xA0};
    std::array<u8, 51> head{1, 0, 0x40, static_cast<u8>(random() % 3)};
    head[19] = kOperations[random() % std::size(kOperations)];
    for (std::size_t at = 23; at < 35; at++) head[at] = random() % 4 == 0 ? static_cast<u8>(random()) : u8{0};
    head[26] = head[27] = static_cast<u8>(random() % 4);
    bus_.write_block(PhysAddr(address), head);
  }

  // A driver that means well for a while: a virtio device with a queue in memory, in which anything may stand.
  void start_virtio(std::mt19937& random) {
    const VirtioPlace& place = virtio_[random() % virtio_.size()];
    constexpr u32 kQueue = 0x10000, kAvailable = 0x11000, kUsed = 0x12000, kDescriptors = 256;
    const auto store = [this](u64 at, u64 value, unsigned width) {
      std::array<u8, 8> bytes{};
      for (unsigned i = 0; i < width; i++) bytes[i] = static_cast<u8>(value >> (i * 8));
      bus_.write_block(PhysAddr(at), std::span(bytes).first(width));
    };
    if (random() % 2 == 0) aim_messages(place, random);
    for (u32 i = 0; i < kDescriptors; i++) {
      const bool wild = random() % 64 == 0;
      const u64 address = wild ? u64{random()} << 32 | random() : random() % kRam;
      store(kQueue + i * 16, address, 8);
      if (!wild && random() % 2 == 0) put_scsi_command(address, random);
      store(kQueue + i * 16 + 8, wild ? random() : random() % 2048, 4);
      store(kQueue + i * 16 + 12, random() % 16 == 0 ? random() % 8 : random() % 4, 2);
      store(kQueue + i * 16 + 14, wild ? random() : (i + random() % 3) % kDescriptors, 2);
    }
    for (u32 i = 0; i < kDescriptors; i++) store(kAvailable + 4 + i * 2, random() % 300, 2);
    store(kAvailable, random() % 2, 2);
    store(kAvailable + 2, random() % 280, 2);
    const u32 queue = static_cast<u32>(random() % 4);
    if (random() % 2 == 0) {
      const auto port = [&](u32 offset) { return IoPort(static_cast<u16>(place.legacy + offset)); };
      if (random() % 2 == 0) io_.write(port(0x12), 1, 0);
      io_.write(port(0x04), 4, static_cast<u32>(random()));
      io_.write(port(0x0E), 2, queue);
      io_.write(port(0x08), 4, kQueue >> 12);
      io_.write(port(0x12), 1, 7);
      io_.write(port(0x10), 2, queue);
      return;
    }
    const auto at = [&](u32 offset) { return PhysAddr(place.modern + offset); };
    if (random() % 2 == 0) bus_.write(at(0x14), 1, 0);
    bus_.write(at(0x14), 1, 3);
    for (u32 half = 0; half < 2; half++) {
      bus_.write(at(0x00), 4, half);
      bus_.write(at(0x08), 4, half);
      const u32 offered = static_cast<u32>(bus_.read(at(0x04), 4));
      bus_.write(at(0x0C), 4, half == 1 ? offered : offered & static_cast<u32>(random()));
    }
    bus_.write(at(0x14), 1, 11);
    bus_.write(at(0x16), 2, queue);
    for (const auto& [offset, value] : {std::pair{0x20u, kQueue}, {0x28u, kAvailable}, {0x30u, kUsed}})
      bus_.write(at(offset), 4, value);
    bus_.write(at(0x1C), 2, 1);
    bus_.write(at(0x14), 1, 15);
    bus_.write(at(0x3000 + queue * 4), 2, queue);
  }

  // Each root port passes everything down, to a bus of its own.
  void place_root_ports() {
    for (u32 port = 0; port < kRootPorts; port++) {
      const u32 bus = port + 1;
      const auto config = [&](u32 offset, u32 value) {
        io_.write(IoPort(0xCF8), 4, 0x80000000u | (kFirstRootPort + port) << 11 | offset);
        io_.write(IoPort(0xCFC), 4, value);
      };
      config(0x18, bus << 8 | bus << 16);
      config(0x1C, 0xF0C0);
      config(0x20, 0xFEB0E000);
      config(0x04, 7);
      root_ports_.push_back(bus << 16);
    }
  }

  // A Q35's blocks, as firmware places them.
  void place_q35() {
    const auto config = [&](u32 place, u32 value) {
      io_.write(IoPort(0xCF8), 4, 0x80000000u | place);
      io_.write(IoPort(0xCFC), 4, value);
    };
    constexpr u32 kBridge = 31 << 11, kAhciFunction = 2 << 8, kSmbusFunction = 3 << 8;
    config(0x60, 0xB0000001);
    config(kBridge | 0x40, 0x600);
    config(kBridge | 0x44, 0x80);
    config(kBridge | 0xF0, 0xFED1C001);
    config(kBridge | kSmbusFunction | 0x20, 0x700);
    config(kBridge | kSmbusFunction | 0x04, 1);
    config(kBridge | kAhciFunction | 0x24, ahci_ = 0xFEB00000);
    config(kBridge | kAhciFunction | 0x04, 6);
  }

  // A list of commands for AHCI, of which some are what drivers send.
  void start_ahci(std::mt19937& random) {
    constexpr u32 kList = 0x20000, kReceived = 0x21000, kTables = 0x22000, kSlots = 32, kTableBytes = 0x100;
    const auto store = [this](u64 at, u32 value) { bus_.write(PhysAddr(at), 4, value); };
    constexpr u32 kCodes[] = {0x25, 0x35, 0xEC, 0xA0, 0xA1, 0x24, 0x34, 0xC4, 0x90, 0x08, 0xE7, 0x60};
    for (u32 slot = 0; slot < kSlots; slot++) {
      const u32 table = kTables + slot * kTableBytes;
      store(kList + slot * 32, 5 | static_cast<u32>(random() % 6) << 16 | static_cast<u32>(random() % 2) << 6);
      store(kList + slot * 32 + 8, random() % 32 == 0 ? static_cast<u32>(random()) : table);
      store(kList + slot * 32 + 12, 0);
      const u32 code = kCodes[random() % std::size(kCodes)];
      store(table, random() % 16 == 0 ? static_cast<u32>(random()) : 0x27 | 0x8000 | code << 16);
      store(table + 4, 0x40000000 | static_cast<u32>(random() % 9000));
      store(table + 8, 0);
      store(table + 12, static_cast<u32>(random() % 40));
      store(table + 0x40, random() % 2 == 0 ? 0x28 : static_cast<u32>(random()));
      store(table + 0x44, static_cast<u32>(random() % 64) << 8);
      for (u32 entry = table + 0x80; entry < table + kTableBytes; entry += 16) {
        store(entry, random() % 16 == 0 ? static_cast<u32>(random()) : static_cast<u32>(random() % kRam));
        store(entry + 4, 0);
        store(entry + 12, static_cast<u32>(random() % 16384));
      }
    }
    const u32 port = ahci_ + 0x100 + static_cast<u32>(random() % 3) * 0x80;
    store(port + 0x18, 0);
    store(port, kList);
    store(port + 0x08, kReceived);
    store(port + 0x30, ~0u);
    store(port + 0x18, 0x11);
    store(port + 0x38, static_cast<u32>(random()));
  }

  // Streams that run over a list of buffers, of which some are the controller's own registers, and commands in a ring.
  void start_hda(std::mt19937& random) {
    if (hda_ == 0) return;
    constexpr u32 kList = 0x30000, kCommands = 0x31000, kResponses = 0x31800, kPositions = 0x32000, kEntries = 256;
    const auto store = [this](u64 at, u32 value) { bus_.write(PhysAddr(at), 4, value); };
    const auto pick = [&](u32 count) { return static_cast<u32>(random() % count); };
    for (u32 at = kList; at < kList + kEntries * 16; at += 16) {
      store(at, pick(32) == 0 ? hda_ + pick(0x400) * 4 : pick(64) == 0 ? static_cast<u32>(random()) : pick(kRam));
      store(at + 4, pick(256) == 0 ? static_cast<u32>(random()) : 0);
      store(at + 8, pick(8) == 0 ? pick(4) : pick(64) == 0 ? static_cast<u32>(random()) : pick(4096));
      store(at + 12, pick(2));
    }
    constexpr u32 kVerbs[] = {0xF0000, 0x70600, 0x70700, 0x70500, 0x20000, 0x30000, 0xB0000, 0xA0000, 0xF0200, 0x7FF00};
    for (u32 at = kCommands; at < kCommands + kEntries * 4; at += 4) {
      const u32 node = pick(4) << 28 | pick(8) << 20;
      store(at, pick(16) == 0 ? static_cast<u32>(random()) : node | kVerbs[pick(std::size(kVerbs))] | pick(256));
    }
    store(hda_ + 0x08, 1);
    store(hda_ + 0x20, static_cast<u32>(random()));
    store(hda_ + 0x40, kCommands);
    store(hda_ + 0x50, kResponses);
    store(hda_ + 0x70, pick(16) == 0 ? hda_ | 0x81 : kPositions | 1);
    bus_.write(PhysAddr(hda_ + 0x4C), 1, 2);
    bus_.write(PhysAddr(hda_ + 0x5C), 1, 3);
    bus_.write(PhysAddr(hda_ + 0x48), 2, pick(kEntries));
    const u32 stream = hda_ + 0x80 + pick(8) * 0x20;
    store(stream, 1);
    store(stream, 0);
    store(stream + 0x08, pick(16) == 0 ? static_cast<u32>(random()) : pick(65536));
    store(stream + 0x0C, pick(kEntries));
    bus_.write(PhysAddr(stream + 0x12), 2, pick(4) == 0 ? random() : 0x11);
    store(stream + 0x18, kList);
    store(stream, 0x1E | pick(16) << 20);
  }

  // MSI-X, with messages to the local APIC, into memory, and to registers of the devices themselves.
  void aim_messages(const VirtioPlace& place, std::mt19937& random) {
    constexpr u32 kCapability = 0x98, kEnable = 0x8000, kFunctionMask = 0x4000, kLocalApics = 0xFEE00000;
    for (u32 entry = 0; entry < kVectors; entry++) {
      const VirtioPlace& target = virtio_[random() % virtio_.size()];
      const u32 targets[] = {kLocalApics | static_cast<u32>(random() & 0xFFFFF), static_cast<u32>(random() % kRam),
                             target.modern + 0x3000 + static_cast<u32>(random() % 4) * 4,
                             target.messages + static_cast<u32>(random() % (kVectors * 16))};
      const u32 words[] = {targets[random() % std::size(targets)], 0,
                           static_cast<u32>(random() % 4 == 0 ? 0 : random()), static_cast<u32>(random() % 4 == 0)};
      for (u32 word = 0; word < std::size(words); word++)
        bus_.write(PhysAddr(place.messages + entry * 16 + word * 4), 4, words[word]);
    }
    for (const u32 offset : {0x10u, 0x1Au}) bus_.write(PhysAddr(place.modern + offset), 2, random() % (kVectors + 1));
    io_.write(IoPort(0xCF8), 4, 0x80000000u | place.address | kCapability);
    io_.write(IoPort(0xCFE), 2, kEnable | (random() % 4 == 0 ? kFunctionMask : 0));
  }

  // The controller runs over a list of random structures that refer to each other: it has RAM's first pages.
  void start_usb(u32 place) {
    constexpr u16 kUsbPorts = 0xB000;
    const auto config = [&](u32 offset, u32 value) {
      io_.write(IoPort(0xCF8), 4, 0x80000000u | place | offset);
      io_.write(IoPort(0xCFC), 4, value);
    };
    config(0x20, kUsbPorts);
    config(0x04, 5);
    std::mt19937 random(1);
    constexpr u32 kPids[] = {0x69, 0xE1, 0x2D};
    for (u32 at = 0; at < 0x2000; at += 4) {
      u32 value = static_cast<u32>(random() % 0x200) << 4 | static_cast<u32>(random() % 8);  // a link
      if (at % 16 == 4) value |= static_cast<u32>(random() & 0x3F800000);
      if (at % 16 == 8) value = static_cast<u32>(random() & 0x00E08000) | kPids[random() % 3];
      bus_.write(PhysAddr(at), 4, value);
    }
    io_.write(IoPort(kUsbPorts + 0x10), 2, 0x200);
    io_.write(IoPort(kUsbPorts + 0x10), 2, 0);
    io_.write(IoPort(kUsbPorts + 0x10), 2, 4);
    io_.write(IoPort(kUsbPorts), 2, 0xC1);
  }

  // The display's registers reach all that it has: ports, windows and BARs are one device's.
  static bool belongs(const std::string& range, const std::string& owner) {
    return range == owner || (owner == kCirrus && range.starts_with(owner));
  }

  void access(const std::string& owner, std::mt19937& random) {
    // Configuration space is every function's register file, too.
    if (random() % 16 == 0) {
      io_.write(IoPort(0xCF8), 4, 0x80000000u | static_cast<u32>(random() & 0x1FFC));
      io_.write(IoPort(static_cast<u16>(0xCFC + random() % 4)), 1u << random() % 3, static_cast<u32>(random()));
      return;
    }
    std::vector<const IoRange*> ports;
    for (const IoRange& range : io_.ranges()) {
      if (belongs(range.owner, owner)) ports.push_back(&range);
    }
    if (!ports.empty() && random() % 2 == 0) {
      const IoRange& range = *ports[random() % ports.size()];
      const IoPort port(static_cast<u16>(range.first.raw + random() % range.count));
      const unsigned width = 1u << random() % 3;
      if (random() % 2 == 0)
        io_.read(port, width);
      else
        io_.write(port, width, interesting(random));
      return;
    }
    std::vector<PhysRange> windows;
    for (const PhysRange& range : bus_.ranges()) {
      if (belongs(range.owner, owner) && range.size > 0) windows.push_back(range);
    }
    if (windows.empty()) return;
    const PhysRange& window = windows[random() % windows.size()];
    const unsigned width = 1u << random() % 4;
    const PhysAddr at((window.first.raw + random() % window.size) & ~u64{width - 1});
    if (random() % 2 == 0)
      bus_.read(at, width);
    else
      bus_.write(at, width, u64{interesting(random)} << 32 | interesting(random));
  }

  static u32 interesting(std::mt19937& random) {
    static constexpr u32 kValues[] = {0,    1,    0xFF, 0x80, 0x7F, 0xFFFF, 0xFFFFFFFF, 0x20,
                                      0xEC, 0xA0, 0xA1, 0xC8, 0x25, 0x4A,   0xE6,       0x46};
    return random() % 2 == 0 ? kValues[random() % std::size(kValues)] : static_cast<u32>(random());
  }

  void pass(GuestTime span) {
    time_ += span;
    scheduler_.run_due();
  }

  // The host's disk begins to fail, or is mended, or answers late; the machine goes on after a stop.
  void host_disk_event(std::mt19937& random) {
    constexpr ErrorAction kActions[] = {ErrorAction::Report, ErrorAction::Ignore, ErrorAction::Stop};
    const bool fails = random() % 2 == 0, late = random() % 2 == 0;
    const ErrorAction action = kActions[random() % std::size(kActions)];
    for (LateAnswers* const image : host_disk_.images) {
      image->fails = fails;
      image->late = late;
      image->action = action;
      image->told.clear();
      if (image->retry) image->retry();
      if (!image->waiting.empty()) image->answer();
    }
  }
  // As a machine does before it is saved.
  void drain_host_disk() {
    const auto waits = [](const LateAnswers* image) { return !image->waiting.empty(); };
    while (std::any_of(host_disk_.images.begin(), host_disk_.images.end(), waits)) {
      for (LateAnswers* const image : host_disk_.images) {
        while (!image->waiting.empty()) image->answer();
      }
    }
  }

  void host_input(std::mt19937& random) {
    switch (random() % 8) {
      case 7: change_cards(random); break;
      case 0: board_->keyboard().key(static_cast<KeyCode>(random() % 100), random() % 2 == 0); break;
      case 1:
        board_->mouse().move(static_cast<int>(random() % 600) - 300, static_cast<int>(random() % 600) - 300, 1);
        break;
      case 6:
        board_->pointer().point(static_cast<unsigned>(random()), static_cast<unsigned>(random()));
        board_->pointer().buttons(static_cast<u8>(random()));
        break;
      case 2:
        if (Uart16550* uart = board_->uart(random() % 4); uart != nullptr && uart->can_receive())
          uart->receive(static_cast<u8>(random()));
        break;
      case 3: board_->render(frame_); break;
      case 4:
        if (CharSource& port = board_->virtio_port_input(random() % 2); port.can_receive())
          port.receive(static_cast<u8>(random()));
        if (random() % 16 == 0) board_->balloon()->set_target(random());
        break;
      default: links_[random() % kCards].bring(random); break;
    }
  }

  // A saved state comes back, sometimes with damage.
  void save_and_load(std::mt19937& random) {
    drain_host_disk();
    StateWriter writer;
    board_->state(writer);
    std::vector<u8> bytes = writer.data();
    // Whatever the guest did, the state that it leads to is one that loading takes.
    if (auto own = load_state(bytes, [this](StateArchive& archive) { board_->state(archive); }); !own) {
      fmt::print(stderr, "a state of its own is refused: {}\n", own.message());
      std::abort();
    }
    for (unsigned i = random() % 4; i > 0; i--) bytes[random() % bytes.size()] = static_cast<u8>(random());
    auto reader = StateReader::parse(bytes);
    if (reader) board_->state(reader.value());
  }

  void place_ehci() {
    constexpr u32 kEhci = 7, kRegisters = 0xEF000000, kSecondPorts = 0xB100, kThirdPorts = 0xB200;
    const auto config = [&](u32 function, u32 offset, u32 value) {
      io_.write(IoPort(0xCF8), 4, 0x80000000u | kUsbSlot << 11 | function << 8 | offset);
      io_.write(IoPort(0xCFC), 4, value);
    };
    config(1, 0x20, kSecondPorts);
    config(2, 0x20, kThirdPorts);
    config(kEhci, 0x10, kRegisters);
    for (const u32 function : {1u, 2u, kEhci}) config(function, 4, 7);
  }

  // Running, with an event ring, so that what is written to doorbells is looked at.
  void place_xhci() {
    constexpr u32 kRegisters = 0xEF000000, kRun = 5, kSlots = 64, kTable = 0x6000, kContexts = 0x7000, kRing = 0x8000;
    const auto config = [&](u32 offset, u32 value) {
      io_.write(IoPort(0xCF8), 4, 0x80000000u | kUsbSlot << 11 | offset);
      io_.write(IoPort(0xCFC), 4, value);
    };
    config(0x10, kRegisters);
    config(4, 6);
    const auto put = [&](u32 offset, u32 value) { bus_.write(PhysAddr(kRegisters + offset), 4, value); };
    bus_.write(PhysAddr(kTable), 4, kRing);
    bus_.write(PhysAddr(kTable + 8), 4, 256);
    put(0x1028, 1);
    put(0x1038, kRing);
    put(0x1030, kTable);
    put(0x1034, 0);
    put(0x70, kContexts);
    put(0x78, kSlots);
    put(0x40, kRun);
  }

  std::vector<u32> root_ports_;  // where the configuration space of the card behind each begins
  std::vector<VirtioPlace> virtio_;
  u32 ahci_ = 0;  // its registers
  u32 hda_ = 0;   // its registers; 0: the board has none of ours
  std::array<FuzzLink, kCards> links_;
  // A host that hears and forgets.
  struct Deaf final : SoundHost, SoundSink, LevelSink {
    SoundSink& add_voice(SoundSource*) override { return *this; }
    LevelSink& add_level(SoundSource*) override { return *this; }
    void play(GuestTime, SampleRate, std::span<const StereoFrame>) override {}
    void level(GuestTime, StereoFrame) override {}
  };

  Deaf sound_;
  HostDisk host_disk_;
  BackingStore store_;
  PhysicalBus bus_;
  IoSpace io_;
  Scheduler scheduler_{*this};
  GuestTime time_ = 0;
  std::unique_ptr<PcBoard> board_;
  Frame frame_;
  bool intr_ = false;
  FuzzRegisters registers_;
  bool wants_reset_ = false;
  bool wants_resume_ = false;
};

int run(int argc, char** argv) {
  double seconds = 1;
  u32 seed = 1;
  std::vector<std::string> owners;
  for (int i = 1; i < argc; i++) {
    const std::string word = argv[i];
    if (word == "--seconds" && i + 1 < argc)
      seconds = std::atof(argv[++i]);
    else if (word == "--seed" && i + 1 < argc)
      seed = static_cast<u32>(std::atoi(argv[++i]));
    else
      owners.push_back(word);
  }
  if (owners.empty()) {
    std::set<std::string> all = FuzzMachine(FuzzBoard{}).owners();
    all.merge(FuzzMachine(FuzzBoard{.chipset = BoardConfig::Chipset::Q35}).owners());
    for (const auto usb : {UsbControllerConfig::Kind::Ehci, UsbControllerConfig::Kind::Xhci})
      all.merge(FuzzMachine(FuzzBoard{.usb = usb}).owners());
    owners.assign(all.begin(), all.end());
    owners.emplace_back(kCirrus);
  }
  for (const std::string& owner : owners) {
    std::mt19937 random(seed);
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    u64 steps = 0;
    while (std::chrono::steady_clock::now() < end) {
      FuzzMachine machine(board_for(owner));
      for (unsigned i = 0; i < 20000; i++, steps++) machine.step(owner, random);
    }
    fmt::print("{}: {} steps with seed {}\n", owner, steps, seed);
  }
  return 0;
}

}  // namespace
}  // namespace relic86

int main(int argc, char** argv) { return relic86::run(argc, argv); }
