// Slots and interrupts of the board with an i440FX; devices/board/q35_chipset.cpp has those of a Q35:
//
//   PCI 0.0 host bridge, 1.0 ISA bridge, 1.1 IDE, 1.2 USB, 1.3 power management, 2.0 display, 3 and up: cards
//   IRQ 0 timer, 1 keyboard, 3 COM2, 4 COM1, 6 floppy, 7 parallel port, 8 clock, 9 SCI, 12 mouse, 13 coprocessor,
//   14 and 15 IDE; PIRQs where the BIOS routes them (10, 11)
#include "devices/board/pc_board.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "devices/a20_gate.h"
#include "devices/board/acpi_tables.h"
#include "devices/board/usb_board.h"
#include "devices/character/parallel_port.h"
#include "devices/character/uart16550.h"
#include "devices/chipset/apic_bus.h"
#include "devices/chipset/coprocessor_error.h"
#include "devices/chipset/fw_cfg.h"
#include "devices/chipset/host_bridge.h"
#include "devices/chipset/hpet.h"
#include "devices/chipset/i440fx.h"
#include "devices/chipset/i6300esb.h"
#include "devices/chipset/i8237.h"
#include "devices/chipset/i8254.h"
#include "devices/chipset/i8259.h"
#include "devices/chipset/ib700.h"
#include "devices/chipset/io_apic.h"
#include "devices/chipset/isa_interrupts.h"
#include "devices/chipset/local_apic.h"
#include "devices/chipset/mc146818.h"
#include "devices/chipset/pcie_root_port.h"
#include "devices/chipset/piix3.h"
#include "devices/chipset/piix4_pm.h"
#include "devices/chipset/port92.h"
#include "devices/chipset/system_control.h"
#include "devices/debug/debug_ports.h"
#include "devices/debug/isa_debug_exit.h"
#include "devices/debug/pc_testdev.h"
#include "devices/debug/post_port.h"
#include "devices/debug/pvpanic.h"
#include "devices/input/game_port.h"
#include "devices/input/i8042.h"
#include "devices/input/keyboard.h"
#include "devices/input/pointer.h"
#include "devices/input/ps2_keyboard.h"
#include "devices/input/ps2_mouse.h"
#include "devices/input/vmware_port.h"
#include "devices/network/ne2000.h"
#include "devices/sound/ac97.h"
#include "devices/sound/es1370.h"
#include "devices/sound/intel_hda.h"
#include "devices/sound/opl.h"
#include "devices/sound/sb16.h"
#include "devices/storage/ata_disk.h"
#include "devices/storage/atapi_cdrom.h"
#include "devices/storage/cfi_flash.h"
#include "devices/storage/i82077.h"
#include "devices/usb/ich9_ehci.h"
#include "devices/usb/piix3_uhci.h"
#include "devices/usb/xhci.h"
#include "devices/video/cirrus_vga.h"
#include "devices/video/vga.h"
#include "devices/virtio/virtio_block.h"
#include "devices/virtio/virtio_scsi.h"

namespace relic86 {

namespace {
constexpr unsigned kIsaBridgeSlot = 1;
constexpr unsigned kUsbFunction = 2;
constexpr unsigned kPowerFunction = 3;
constexpr unsigned kDisplaySlot = 2;
constexpr unsigned kQ35DisplaySlot = 1;
// A console at 9600 baud, which is what systems ask for by default, would slow every boot by seconds.
constexpr GuestTime kSlowestSerialSend = 4'000;
constexpr u16 kSerialConsolePort = 0x3F8;

struct SerialPlace {
  u16 port;
  u8 irq;
};
constexpr SerialPlace kSerialPorts[] = {{0x3F8, 4}, {0x2F8, 3}, {0x3E8, 4}, {0x2E8, 3}};

constexpr SerialPlace kParallelPorts[] = {{0x378, 7}, {0x278, 5}, {0x3BC, 7}};

static_assert(CfiFlash::kMostSize <= HostMemory::kMostRom);  // which it takes the place of
static_assert(PcBoard::kExtraMemory >= HostMemory::kMostRom + Vga::kVideoMemory + 2 * Vga::kMostRom &&
              CirrusVga::kVideoMemory <= Vga::kVideoMemory);

void append_little_endian(std::vector<u8>& to, u64 value, unsigned width) {
  for (unsigned i = 0; i < width; i++) to.push_back(static_cast<u8>(value >> (i * 8)));
}
}  // namespace

Result<std::unique_ptr<PcBoard>> PcBoard::create(BoardConfig config, Scheduler& scheduler, IoSpace& io,
                                                 PhysicalBus& memory, MachineControl& machine) {
  std::unique_ptr<PcBoard> board(new PcBoard(std::move(config), scheduler, io, memory, machine));
  if (auto built = board->build(); !built) return built.error();
  return board;
}

PcBoard::PcBoard(BoardConfig config, Scheduler& scheduler, IoSpace& io, PhysicalBus& memory, MachineControl& machine)
    : config_(std::move(config)),
      memory_(memory),
      machine_(machine),
      attachment_(scheduler, io, memory, irqs_),
      a20_(std::make_unique<A20Gate>(memory)),
      reset_pin_(std::make_unique<ResetPin>(machine, *a20_)) {}

PcBoard::~PcBoard() = default;

void PcBoard::attach(std::unique_ptr<Device> device) {
  if (result_.ok()) result_ = device->attach(attachment_);
  devices_.push_back(std::move(device));
}

void PcBoard::place(PciDevice& device, unsigned at, unsigned function) {
  if (result_.ok()) result_ = put(device, at, function);
}

Result<> PcBoard::build() {
  create_interrupt_controllers();
  create_chipset();
  create_display();
  create_root_ports();
  create_input();
  create_disks();
  create_floppies();
  create_clock();
  create_character_ports();
  create_debug_devices();
  create_network_cards();
  if (config_.chipset == BoardConfig::Chipset::I440fx && config_.ahci) create_ahci();  // a card like others
  create_sound();
  create_virtio();
  create_watchdogs();
  create_usb();
  fill_firmware_config();
  return result_;
}

void PcBoard::create_interrupt_controllers() {
  interrupts_ = &add<I8259Pair>();
  io_apic_ = &add<IoApic>();
  isa_interrupts_ = std::make_unique<IsaInterrupts>(*interrupts_, *io_apic_);
  irqs_.connect(isa_interrupts_.get());
  if (config_.local_apic) {
    const LocalApic::Features features{config_.local_apic->x2apic, config_.local_apic->tsc_deadline,
                                       config_.local_apic->keeps_ticks};
    apic_bus_ = std::make_unique<ApicBus>();
    for (unsigned n = 0; n < config_.processors.count; n++) {
      LocalApic& apic = add<LocalApic>(*apic_bus_, features, n, static_cast<u8>(config_.processors.apic_id(n)));
      apic.set_eoi_broadcast([this](u8 vector) { io_apic_->end_of_interrupt(vector); });
      local_apics_.push_back(&apic);
    }
    // The 8259A pair's INTR leads to the bootstrap processor's LINT0 alone.
    local_apics_[0]->set_legacy_acknowledge([this] { return interrupts_->acknowledge(); });
    interrupts_->set_output([this](bool level) { local_apics_[0]->set_lint0(level); });
    io_apic_->connect([this](const ApicMessage& message) { return apic_bus_->deliver(message); });
  }
  dma_ = &add<I8237>();
  coprocessor_ = &add<CoprocessorError>();
  I8254& timer = add<I8254>();
  system_control_ = &add<SystemControlB>(timer);
}

void PcBoard::connect_speaker(SoundHost& host) { system_control_->set_speaker(&host.add_level(system_control_)); }

void PcBoard::connect_processor(unsigned number, ProcessorLines lines) {
  if (vmware_port_ != nullptr) vmware_port_->connect_processor(number, lines.registers);
  LocalApic* const apic = local_apic(number);
  if (apic == nullptr) {
    nmi_ = std::move(lines.nmi);
    return interrupts_->set_output(std::move(lines.intr));
  }
  apic->set_output(std::move(lines.intr));
  apic->set_nmi(std::move(lines.nmi));
  apic->set_init(std::move(lines.init));
  apic->set_startup(std::move(lines.startup));
}

u8 PcBoard::acknowledge_interrupt(unsigned number) {
  LocalApic* const apic = local_apic(number);
  return apic != nullptr ? apic->acknowledge() : interrupts_->acknowledge();
}

void PcBoard::init_processor(unsigned number) {
  if (LocalApic* const apic = local_apic(number); apic != nullptr) apic->init();
}

void PcBoard::set_running_processor(unsigned number) {
  if (apic_bus_) apic_bus_->set_running(number);
  if (vmware_port_ != nullptr) vmware_port_->set_running_processor(number);
}

void PcBoard::forget_missed_ticks() { clock_->forget_missed_ticks(); }

void PcBoard::pulse_nmi() {
  for (LocalApic* const apic : local_apics_) apic->pulse_lint1();
  if (local_apics_.empty() && nmi_) nmi_();
}

std::string PcBoard::describe_interrupt_controllers() const { return interrupts_->describe() + io_apic_->describe(); }

void PcBoard::signal_ferr(bool level) { coprocessor_->set_ferr(level); }

void PcBoard::create_floppies() {
  auto controller = std::make_unique<I82077>(*dma_);
  floppies_ = controller.get();
  controller->set_speed(config_.floppy_speed);
  for (unsigned n = 0; n < config_.floppies.size(); n++) {
    FloppySlot& slot = config_.floppies[n];
    if (!slot.present) continue;
    FloppyDriveType type = FloppyDriveType::M1_44;
    if (slot.image) {
      auto image = FloppyImage::open(std::move(slot.image), slot.file, slot.write_protected);
      if (!image) {
        if (result_.ok()) result_ = image.error();
        continue;
      }
      type = image.value().format().drive;
      controller->drive(n).set_type(type);
      controller->insert(n, std::move(image).value());
    }
    controller->drive(n).set_type(type);
    config_.cmos.floppies[n] = type;
  }
  attach(std::move(controller));
}

Result<> PcBoard::insert_floppy(unsigned drive, std::unique_ptr<BlockDevice> content, const std::string& file,
                                bool write_protected) {
  if (!floppies_->drive(drive).present())
    return Error{"there is no such floppy drive; start with -fda or -fdb to have it"};
  auto image = FloppyImage::open(std::move(content), file, write_protected);
  if (!image) return image.error();
  floppies_->insert(drive, std::move(image).value());
  return {};
}

void PcBoard::eject_floppy(unsigned drive) { floppies_->eject(drive); }
bool PcBoard::floppy_present(unsigned drive) const { return floppies_->drive(drive).present(); }

Result<> PcBoard::flush_media() {
  for (unsigned n = 0; n < I82077::kDrives; n++) {
    if (auto flushed = floppies_->drive(n).flush(); !flushed) return flushed;
  }
  for (CfiFlash* const flash : flash_) {
    if (auto flushed = flash->flush(); !flushed) return flushed;
  }
  for (AtaDisk* const disk : disks_) {
    if (disk == nullptr) continue;
    if (auto flushed = disk->image().flush(); !flushed) return flushed;
  }
  for (VirtioBlock* const disk : virtio_disks_) {
    if (auto flushed = disk->image().flush(); !flushed) return flushed;
  }
  for (const VirtioScsi* const controller : scsi_) {
    for (const VirtioScsiUnit& each : controller->units()) {
      if (auto flushed = each.disk->image().flush(); !flushed) return flushed;
    }
  }
  return usb_ ? usb_->flush() : Result<>();
}

void PcBoard::create_chipset() {
  pci_ = &add<PciBus>();
  if (config_.chipset == BoardConfig::Chipset::Q35) {
    create_q35_chipset();
  } else {
    create_i440fx_chipset();
  }
  if (config_.hpet) add<Hpet>(irqs_);
  fw_cfg_ = &add<FwCfg>();
  add<SystemControlA>(*a20_, *reset_pin_);
}

void PcBoard::create_i440fx_chipset() {
  low_ram_ = I440fx::ram_below_4g(memory_.store().ram_size());
  host_bridge_ =
      &add_pci<I440fx>(0, 0, config_.flash[0].image ? std::span<const u8>() : std::span<const u8>(config_.bios));
  create_flash();
  Piix3& bridge = add_pci<Piix3>(kIsaBridgeSlot, 0, *pci_, machine_);
  Piix4Pm& power = add_pci<Piix4Pm>(kIsaBridgeSlot, kPowerFunction, machine_);
  power.set_isa_devices(config_.parallel_ports[0], config_.serial_ports[0], config_.serial_ports[1]);
  bridge.on_apm_command([&power](u8 value) { power.apm_command(value); });
  power.connect_hotplug([this](unsigned slot) { eject(slot); }, [this] { return removable_slots(); });
  hotplug_ = &power.hotplug();
  power_ = &power;
}

// What a PCI function writes to the local APICs' addresses are interrupts; anywhere else it is a write like others.
void PcBoard::take_message(u64 address, u32 data) {
  if (const auto message = apic_message_of(address, data); message && apic_bus_) {
    apic_bus_->deliver(*message);
    return;
  }
  if (is_interrupt_address(address)) return;
  std::array<u8, 4> bytes;
  for (unsigned i = 0; i < bytes.size(); i++) bytes[i] = static_cast<u8>(data >> (i * 8));
  memory_.write_block(PhysAddr(address), bytes);
}

// Messages need a local APIC to take them.
VirtioInterfaces PcBoard::with_messages(VirtioInterfaces interfaces, unsigned place) const {
  if (!apic_bus_) interfaces.vectors = 0;
  interfaces.express = is_behind_port(place);
  return interfaces;
}

void PcBoard::connect_messages(VirtioPci& device) {
  device.connect_messages([this](u64 address, u32 data) { take_message(address, data); });
}

void PcBoard::create_flash() {
  u64 end = u64{1} << 32;
  u64 left = CfiFlash::kMostSize;
  for (unsigned unit = 0; unit < config_.flash.size(); unit++) {
    FlashSlot& slot = config_.flash[unit];
    if (!slot.image || !result_.ok()) continue;
    const u64 size = slot.image->size_bytes();
    if (size == 0 || size % CfiFlash::kSector != 0 || size > left) {
      result_ =
          Error{fmt::format("{}: {} bytes cannot be flash memory; give an image of whole {}-byte sectors, all "
                            "together at most {} MiB",
                            slot.file, size, CfiFlash::kSector, CfiFlash::kMostSize >> 20)};
      return;
    }
    left -= size;
    flash_.push_back(&add<CfiFlash>(unit, std::move(slot.image), slot.file, end));
    if (unit == 0 && result_.ok()) result_ = HostMemory::map_low_rom(memory_, flash_[0]->backing(), size);
    end -= size;
  }
}

void PcBoard::create_display() {
  using Display = BoardConfig::Display;
  const unsigned slot = config_.chipset == BoardConfig::Chipset::Q35 ? kQ35DisplaySlot : kDisplaySlot;
  if (config_.display == Display::Std) display_ = &add_pci<Vga>(slot, 0, config_.vga_bios);
  if (config_.display != Display::Cirrus) return;
  auto adapter = std::make_unique<CirrusVga>();
  adapter->set_option_rom(config_.vga_bios);
  display_ = adapter.get();
  place(*adapter, slot, 0);
  attach(std::move(adapter));
}

void PcBoard::create_input() {
  keyboard_controller_ = &add<I8042>(*a20_, *reset_pin_);
  keyboard_ = &add<Ps2Keyboard>();
  mouse_ = &add<Ps2Mouse>();
  keyboard_->set_host(keyboard_controller_);
  mouse_->set_host(keyboard_controller_);
  keyboard_controller_->plug_keyboard(keyboard_);
  keyboard_controller_->plug_mouse(mouse_);
  host_keys_ = std::make_unique<Keyboard>(*keyboard_);
  host_keys_->on_press([this] { power_->wake(); });
  // The PS/2 mouse's driver is told by its interrupt that VMware's has something: it reports a count.
  if (config_.vmware_port)
    vmware_port_ = &add<VmwarePort>(memory_.store().ram_size(), [this] { mouse_->move(1, 0, 0); });
  pointer_ = std::make_unique<Pointer>(*mouse_, vmware_port_ != nullptr ? &vmware_port_->mouse() : nullptr);
}

void PcBoard::create_clock() {
  clock_ = &add<Mc146818>(config_.clock_base, config_.clock_missed_ticks);
  CmosConfig cmos = config_.cmos;
  cmos.ram_size = low_ram_;
  cmos.high_ram_size = memory_.store().ram_size() - cmos.ram_size;
  cmos.boot_order = config_.boot_order;
  cmos.processors = config_.processors.count;
  for (const auto& [index, value] : cmos_contents(cmos)) clock_->set_cmos(index, value);
  clock_->on_interrupt([this] { power_->clock_interrupt(); });
  // Firmware looks at the shutdown status byte when it starts: FEh says that it is to resume.
  power_->on_suspend([this] { clock_->set_cmos(Mc146818::kShutdownStatus, 0xFE); });
  reset_pin_->set_shutdown_status([this] { return clock_->cmos(Mc146818::kShutdownStatus); });
}

// The letters in the CMOS, which the firmware reads at every start.
void PcBoard::set_boot_order(const std::string& letters) {
  CmosConfig cmos = config_.cmos;
  cmos.boot_order = letters;
  for (const auto& [index, value] : cmos_contents(cmos)) {
    if (index == kCmosBootOrderFirst || index == kCmosBootOrderThird) clock_->set_cmos(index, value);
  }
}

void PcBoard::create_character_ports() {
  for (unsigned i = 0; i < uarts_.size(); i++) {
    if (!config_.serial_ports[i]) continue;
    uarts_[i] = &add<Uart16550>(i + 1, kSerialPorts[i].port, kSerialPorts[i].irq);
    uarts_[i]->set_slowest_send(kSlowestSerialSend);
  }
  for (unsigned i = 0; i < parallels_.size(); i++) {
    if (config_.parallel_ports[i])
      parallels_[i] = &add<ParallelPort>(i + 1, kParallelPorts[i].port, kParallelPorts[i].irq);
  }
}

// Cards of other kinds come later; one that names a slot keeps it.
std::optional<unsigned> PcBoard::card_place(std::optional<unsigned> named, const std::string& name) {
  if (named && is_behind_port(*named)) RELIC86_ASSERT(port_of_place(*named) < root_ports_.size());
  if (named) return named;
  const auto promised = [](const auto& cards, unsigned slot) {
    return std::any_of(cards.begin(), cards.end(), [slot](const auto& card) { return card.slot == slot; });
  };
  unsigned slot = pci_->free_slot(kDisplaySlot + (config_.chipset == BoardConfig::Chipset::Q35 ? 0 : 1));
  while (slot < PciBus::kSlots && (promised(config_.pci_sound, slot) || promised(config_.virtio, slot) ||
                                   (config_.ahci && config_.ahci->slot == slot) ||
                                   (config_.usb_controller && config_.usb_controller->slot == slot) ||
                                   (config_.watchdogs.i6300esb && config_.watchdogs.i6300esb->slot == slot)))
    slot = pci_->free_slot(slot + 1);
  if (slot < PciBus::kSlots) return slot;
  if (result_.ok()) result_ = Error{"the PCI bus has no free slot for " + name + "; leave a card out"};
  return std::nullopt;
}

// A card that names a slot has it before one that takes any.
void PcBoard::create_network_cards() {
  std::vector<NetworkCardConfig> cards = std::exchange(config_.network_cards, {});
  std::stable_partition(cards.begin(), cards.end(),
                        [](const NetworkCardConfig& card) { return card.slot.has_value(); });
  for (NetworkCardConfig& card : cards) {
    if (card.model == NetworkCardConfig::Model::Ne2000Isa) {
      add<Ne2000Isa>(card.name, *card.link, card.address, card.port, card.irq);
      continue;
    }
    const auto at = card_place(card.slot, card.name);
    if (!at) return;
    std::unique_ptr<PciDevice> device = make_network_card(card, *at);
    device->set_option_rom(std::move(card.rom));
    cards_[*at] = {PciCard::Kind::Network, device.get(), card.id, card.key, card.link};
    place(*device, *at, 0);
    attach(std::move(device));
    if (card.boot_index) config_.boot_indexes.emplace(*card.boot_index, firmware_path(*at, "ethernet"));
  }
}

void PcBoard::create_debug_devices() {
  add<PostPort>();
  for (const DebugConsoleConfig& console : config_.debug_consoles) add<DebugConsole>(console.port, console.sink);
  if (config_.test_device) add<PcTestdev>(*isa_interrupts_);
  if (config_.panic_port) add<Pvpanic>(machine_, *config_.panic_port);
  for (const DebugExitConfig& exit : config_.debug_exits) add<IsaDebugExit>(machine_, exit.port, exit.size);
}

// Audio tracks are heard through the first card that has an input for them.
template <class Card>
void PcBoard::connect_cds(Card& card) {
  if (std::exchange(cds_connected_, true)) return;  // a cable has two ends
  for (AtapiCdrom* drive : cdroms_) {
    if (drive != nullptr) card.connect_cd(drive->sound_cable());
  }
}

std::string_view pci_sound_card_name(PciSoundCardConfig::Model model) {
  static constexpr std::string_view kNames[] = {"AC97", "ES1370", "intel-hda", "ich9-intel-hda"};
  return kNames[static_cast<unsigned>(model)];
}

void PcBoard::create_sound() {
  if (config_.sb16) {
    const Sb16CardConfig& card = *config_.sb16;
    Opl& opl = add<Opl>(OplConfig{OplConfig::Model::Opl3, card.chip.port}, card.host);
    connect_cds(add<Sb16>(card.chip, *dma_, opl, card.host, card.instrument));
  } else if (config_.adlib) {
    add<Opl>(OplConfig{OplConfig::Model::Opl2, {}}, config_.adlib->host);
  }
  if (config_.sb16 || config_.game_port) game_port_ = &add<GamePort>();
  if (config_.mpu401) add<Mpu401Card>(config_.mpu401->card, config_.mpu401->instrument);
  for (const PciSoundCardConfig& card : config_.pci_sound) {
    const auto at = card_place(card.slot, std::string(pci_sound_card_name(card.model)));
    if (!at) return;
    using Model = PciSoundCardConfig::Model;
    switch (card.model) {
      case Model::Ac97: connect_cds(add_pci<Ac97>(*at, 0, card.host)); break;
      case Model::Es1370: connect_cds(add_pci<Es1370>(*at, 0, card.host)); break;
      case Model::Ich6Hda:
      case Model::Ich9Hda:
        auto& controller =
            add_pci<IntelHda>(*at, 0, card.model == Model::Ich6Hda ? IntelHda::Model::Ich6 : IntelHda::Model::Ich9);
        if (card.msi && config_.local_apic)
          controller.offer_messages([this](u64 address, u32 data) { take_message(address, data); });
        for (const HdaCodecConfig& codec : card.codecs) controller.add_codec(codec.address, codec.model, codec.host);
        break;
    }
  }
}

CharSource& PcBoard::virtio_port_input(std::size_t port) {
  return virtio_ports_[port].device->source(virtio_ports_[port].index);
}

void PcBoard::connect_virtio_port(std::size_t port, CharSink* sink) {
  virtio_ports_[port].device->connect(virtio_ports_[port].index, sink);
}

void PcBoard::create_watchdogs() {
  if (config_.watchdogs.ib700) add<Ib700>(machine_);
  if (config_.watchdogs.i6300esb) {
    if (const auto at = card_place(config_.watchdogs.i6300esb->slot, "i6300esb")) add_pci<I6300esb>(*at, 0, machine_);
  }
}

std::vector<UsbController> PcBoard::create_usb_controllers(const UsbControllerConfig& wanted) {
  constexpr unsigned kIch9UsbSlot = 29, kEhciFunction = 7;
  using Model = Piix3Uhci::Model;
  using Kind = UsbControllerConfig::Kind;
  if (wanted.kind == Kind::Uhci) {
    const bool q35 = config_.chipset == BoardConfig::Chipset::Q35;
    const unsigned slot = q35 ? kIch9UsbSlot : kIsaBridgeSlot, function = q35 ? 0 : kUsbFunction;
    Piix3Uhci& uhci = add_pci<Piix3Uhci>(slot, function, q35 ? Model::Ich9First : Model::Piix3);
    return {{&uhci, &uhci, firmware_path(slot, "usb", function)}};
  }
  const auto at = card_place(wanted.slot, wanted.kind == Kind::Ehci ? "ich9-usb-ehci1" : "qemu-xhci");
  if (!at) return {};
  if (wanted.kind == Kind::Xhci) {
    MsixTable::Send messages;
    if (apic_bus_) messages = [this](u64 address, u32 data) { take_message(address, data); };
    Xhci& xhci = add_pci<Xhci>(*at, 0, Xhci::PortCounts{wanted.usb2_ports, wanted.usb3_ports}, std::move(messages));
    return {{&xhci, &xhci, firmware_path(*at, "usb")}};
  }
  constexpr Model kCompanions[] = {Model::Companion1, Model::Companion2, Model::Companion3};
  std::vector<Piix3Uhci*> companions;
  std::vector<UsbController> controllers;
  for (unsigned i = 0; i < wanted.companions; i++) {
    companions.push_back(&add_pci<Piix3Uhci>(*at, i, kCompanions[i]));
    controllers.push_back({companions.back(), companions.back(), firmware_path(*at, "usb", i)});
  }
  add_pci<Ich9Ehci>(*at, kEhciFunction, companions);
  return controllers;
}

void PcBoard::create_usb() {
  if (!config_.usb_controller) return;
  std::vector<UsbController> controllers = create_usb_controllers(*config_.usb_controller);
  if (controllers.empty()) return;
  usb_ = std::make_unique<UsbBoard>(std::move(controllers), *host_keys_, *pointer_);
  for (UsbDeviceConfig& device : config_.usb_devices) {
    const auto boot_index = device.boot_index;
    const std::string option = fmt::format("-device {}", usb_device_name(device.kind)), drive = device.drive;
    if (auto plugged = usb_->plug(std::move(device)); !plugged) {
      if (result_.ok()) result_ = Error{option + ": " + plugged.message()};
      return;
    }
    if (boot_index) config_.boot_indexes.emplace(*boot_index, usb_->boot_path(drive));
  }
  config_.usb_devices.clear();
}

// What firmware asks for. SeaBIOS builds the ACPI and SMBIOS tables itself.
void PcBoard::fill_firmware_config() {
  const u64 ram = memory_.store().ram_size();
  std::vector<u8> number;
  append_little_endian(number, ram, 8);
  fw_cfg_->add_item(kFwCfgRamSize, number);
  fw_cfg_->add_u16(kFwCfgNoGraphics, config_.serial_console ? 1 : 0);
  fw_cfg_->add_u16(kFwCfgProcessors, static_cast<u16>(config_.processors.count));
  // SeaBIOS takes this for one more than the highest APIC ID, which differs where IDs are not dense.
  fw_cfg_->add_u16(kFwCfgMostProcessors, static_cast<u16>(config_.processors.apic_id_limit()));
  fw_cfg_->add_item(kFwCfgNumaNodes, std::vector<u8>(8, 0));
  fw_cfg_->add_item(kFwCfgIrq0Override, {1});  // the timer is on the I/O APIC's input 2
  fw_cfg_->add_u16(kFwCfgBootMenu, config_.boot_menu ? 1 : 0);
  const auto add_file = [&](std::string_view name, std::vector<u8> bytes) {
    if (auto added = fw_cfg_->add_file(name, std::move(bytes)); !added && result_.ok()) result_ = added;
  };

  std::vector<u8> map;  // u64 address, u64 size, u32 type (1: RAM)
  const auto add_ram = [&map](u64 first, u64 size) {
    append_little_endian(map, first, 8);
    append_little_endian(map, size, 8);
    append_little_endian(map, 1, 4);
  };
  const u64 low = low_ram_;
  add_ram(0, low);
  if (ram != low) add_ram(u64{1} << 32, ram - low);
  add_file("etc/e820", std::move(map));
  // Per sleep state: bit 7 offered, 2:0 its SLP_TYP. S0, S3 (suspend to RAM) and S5 are.
  add_file("etc/system-states", {0x80, 0, 0, 0x81, 2, 0x80});
  if (config_.serial_console) {
    std::vector<u8> port;
    append_little_endian(port, kSerialConsolePort, 8);
    add_file("etc/sercon-port", std::move(port));
  }
  for (const auto& [index, line] : config_.boot_indexes) config_.first_boot.push_back(line);
  if (config_.boot_strict && !config_.first_boot.empty()) config_.first_boot.emplace_back("HALT");
  if (!config_.first_boot.empty()) {
    std::string text;
    for (const std::string& line : config_.first_boot) text += (text.empty() ? "" : "\n") + line;
    std::vector<u8> bytes(text.begin(), text.end());
    bytes.push_back(0);
    add_file("bootorder", std::move(bytes));
  }
  for (auto& [key, bytes] : config_.firmware_items) fw_cfg_->add_item(key, std::move(bytes));
  for (auto& [name, bytes] : config_.firmware_files) add_file(name, std::move(bytes));
  const bool q35 = config_.chipset == BoardConfig::Chipset::Q35;
  if ((config_.acpi_tables || q35) && result_.ok()) {
    offer_acpi_tables();
  } else if (config_.panic_port) {
    add_file("acpi/pvpanic", make_panic_table(*config_.panic_port));  // SeaBIOS adds it to its own
  }
}

// The power management registers are where the firmware has put them by the time it asks for the tables.
void PcBoard::offer_acpi_tables() {
  constexpr u8 kStateS5 = 0;  // SLP_TYP of the PIIX4
  AcpiBoard about;
  for (unsigned n = 0; n < local_apics_.size(); n++)
    about.apic_ids.push_back(static_cast<u8>(config_.processors.apic_id(n)));
  about.ram = memory_.store().ram_size();
  about.low_ram = low_ram_;
  about.sleep[4] = kStateS5;
  about.hpet = config_.hpet;
  about.panic_port = config_.panic_port;
  if (q35_ == nullptr) about.removable_slots = removable_slots();
  for (const PcieRootPort* const port : root_ports_)
    about.root_ports.push_back({port->slot(), port->function(), port->hotplug()});
  describe_chipset(about);
  about.serial_ports = config_.serial_ports;
  about.parallel_port = config_.parallel_ports[0];
  about.floppy = config_.cmos.floppies[0] != FloppyDriveType::None || config_.cmos.floppies[1] != FloppyDriveType::None;
  const AcpiFiles files = make_acpi_files(about);
  for (const auto& [name, bytes] : {std::pair{"etc/acpi/tables", files.tables},
                                    {"etc/acpi/rsdp", files.rsdp},
                                    {"etc/table-loader", files.loader}}) {
    if (auto added = fw_cfg_->add_file(name, bytes); !added && result_.ok()) result_ = added;
  }
  fw_cfg_->make_when_selected("etc/acpi/tables", [this, about]() mutable {
    about.power_ports = power_->ports();
    describe_chipset(about);
    return make_acpi_files(about).tables;
  });
}

// What the guest has been asked to let go of goes now, as with a power switch.
void PcBoard::reset(ResetKind kind) {
  for (unsigned bit = 0; bit < PciHotplug::kSlots; bit++) {
    if (hotplug_->asked_to_unplug(bit)) eject(q35_ != nullptr ? place_behind_port(bit) : bit);
  }
  for (const auto& device : devices_) device->reset(kind);
}

void PcBoard::state(StateArchive& archive) {
  archive.group("irqs", [&] { irqs_.state(archive); });
  for (const auto& device : devices_) {
    archive.group(device->name(), [&] { device->state(archive); });
  }
}

bool PcBoard::render(Frame& frame) { return display_ != nullptr && display_->render(frame); }

std::vector<std::string> PcBoard::text_screen() const {
  return display_ == nullptr ? std::vector<std::string>{} : display_->text_lines();
}

void PcBoard::wake() { power_->wake(); }
bool PcBoard::suspended() const { return power_->suspended(); }
void PcBoard::power_button() { power_->press_power_button(); }
bool PcBoard::hears_power_button() const { return power_->hears_power_button(); }

void PcBoard::connect_smi(unsigned number, SmiSink* sink) {
  if (number == 0) power_->set_smi_sink(sink);
  if (LocalApic* const apic = local_apic(number); apic != nullptr) apic->set_smi_sink(sink);
}

void PcBoard::set_system_management_mode(bool active) { host_bridge_->set_system_management_mode(active); }

std::string PcBoard::describe_pci() const { return pci_->describe(); }

Device* PcBoard::find(std::string_view name) const {
  for (const auto& device : devices_) {
    if (device->name() == name) return device.get();
  }
  return nullptr;
}

}  // namespace relic86
