// The board's disks and CD-ROM drives: on the PIIX3's IDE channels, and on AHCI.
#include <fmt/format.h>

#include "devices/board/pc_board.h"
#include "devices/pci_bus.h"
#include "devices/storage/ata_disk.h"
#include "devices/storage/atapi_cdrom.h"
#include "devices/storage/ich9_ahci.h"
#include "devices/storage/piix3_ide.h"

namespace relic86 {

namespace {
constexpr unsigned kIdeSlot = 1, kIdeFunction = 1;     // of an i440FX
constexpr unsigned kAhciSlot = 31, kAhciFunction = 2;  // of a Q35
static_assert(AhciConfig::kPorts == Ich9Ahci::kPorts);
}  // namespace

void PcBoard::create_disks() {
  if (config_.chipset == BoardConfig::Chipset::I440fx) return create_ide();
  if (!config_.ahci) config_.ahci.emplace();
  create_ahci();
}

// Null: there is none in this slot.
std::unique_ptr<AtaDevice> PcBoard::make_drive(IdeSlot& slot, unsigned place) {
  const bool on_ahci = place >= kIdePlaces;
  const std::string serial = fmt::format("R8600000{:03}", place + 1);
  if (slot.kind == IdeSlot::Kind::Cdrom) {
    auto drive = std::make_unique<AtapiCdrom>(serial);
    if (on_ahci) drive->set_serial_link();
    if (config_.cd_sound != nullptr) drive->connect_sound(*config_.cd_sound);
    if (slot.image) drive->insert(std::move(slot.image));
    cdroms_[place] = drive.get();
    return drive;
  }
  if (slot.kind != IdeSlot::Kind::Disk) return nullptr;
  DiskLayout layout = guess_disk_layout(*slot.image);
  if (slot.geometry) {
    auto chosen = chosen_disk_layout(*slot.geometry);
    if (!chosen && result_.ok()) result_ = chosen.error();
    if (chosen) layout = chosen.value();
  }
  if (!on_ahci) config_.cmos.disks[place] = layout;
  AtaDiskOptions options;
  options.geometry = layout.geometry;
  options.serial_link = on_ahci;
  options.serial = slot.serial.empty() ? serial : slot.serial;
  if (!slot.model.empty()) options.model = slot.model;
  auto drive = std::make_unique<AtaDisk>(std::move(slot.image), options);
  disks_[place] = drive.get();
  return drive;
}

void PcBoard::create_ide() {
  auto ide = std::make_unique<Piix3Ide>();
  for (unsigned unit = 0; unit < kIdePlaces; unit++) {
    if (auto drive = make_drive(config_.ide[unit], unit)) ide->plug(unit, std::move(drive));
  }
  place(*ide, kIdeSlot, kIdeFunction);
  attach(std::move(ide));
}

void PcBoard::create_ahci() {
  AhciConfig& config = *config_.ahci;
  const bool of_board = config_.chipset == BoardConfig::Chipset::Q35;
  const auto slot = of_board ? std::optional<unsigned>(kAhciSlot) : card_place(config.slot, config.name);
  const unsigned function = of_board ? kAhciFunction : 0;
  if (!slot) return;
  auto controller = std::make_unique<Ich9Ahci>(config.name);
  for (unsigned port = 0; port < Ich9Ahci::kPorts; port++) {
    if (auto drive = make_drive(config.ports[port], kIdePlaces + port)) controller->plug(port, std::move(drive));
    if (const auto index = config.ports[port].boot_index)
      config_.boot_indexes.emplace(
          *index, firmware_path(*slot, "pci8086,2922", function) + fmt::format("/drive@{}/disk@0", port));
  }
  place(*controller, *slot, function);
  attach(std::move(controller));
}

}  // namespace relic86
