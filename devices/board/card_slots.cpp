// Cards of the PCI bus: how they are made, and how they come and go while the machine runs.
#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "devices/board/pc_board.h"
#include "devices/chipset/pci_hotplug.h"
#include "devices/chipset/pcie_root_port.h"
#include "devices/network/e1000.h"
#include "devices/network/ne2000.h"
#include "devices/network/pcnet.h"
#include "devices/network/rtl8139.h"
#include "devices/pci_bus.h"
#include "devices/virtio/virtio_balloon.h"
#include "devices/virtio/virtio_block.h"
#include "devices/virtio/virtio_net.h"
#include "devices/virtio/virtio_random.h"
#include "devices/virtio/virtio_scsi.h"
#include "devices/virtio/virtio_serial.h"

namespace relic86 {

namespace {

// Bridges and display come before.
constexpr unsigned kFirstCardSlot = 3, kFirstQ35CardSlot = 2;

// Saved machines know a card by this name: whenever it came, and whatever came before it, it is the same.
std::string name_at(const std::string& name, unsigned place) {
  return is_behind_port(place) ? fmt::format("{}.port{}", name, port_of_place(place))
                               : fmt::format("{}.{}", name, place);
}

// The bit of the hot plug registers: that of the slot, or of the root port.
unsigned hotplug_bit(unsigned place) { return is_behind_port(place) ? port_of_place(place) : place; }

// The device as a card that comes and goes. Nothing: one of its kind stays as long as the board.
std::optional<PciCard> removable_card(const VirtioConfig& device) {
  PciCard card{.id = device.id, .key = device.key};
  switch (device.kind) {
    case VirtioConfig::Kind::Block: card.kind = PciCard::Kind::Disk; return card;
    case VirtioConfig::Kind::Random:
    case VirtioConfig::Kind::Scsi: card.kind = PciCard::Kind::Other; return card;
    case VirtioConfig::Kind::Balloon:
    case VirtioConfig::Kind::Serial: break;
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<PciDevice> PcBoard::make_network_card(NetworkCardConfig& card, unsigned place) {
  using Model = NetworkCardConfig::Model;
  const std::string name = name_at(card.name, place);
  switch (card.model) {
    case Model::Pcnet: return std::make_unique<Pcnet>(name, *card.link, card.address);
    case Model::Rtl8029: return std::make_unique<Rtl8029>(name, *card.link, card.address);
    case Model::Rtl8139: return std::make_unique<Rtl8139>(name, *card.link, card.address);
    case Model::Virtio: {
      auto device = std::make_unique<VirtioNet>(name, with_messages(card.interfaces, place), *card.link, card.address);
      connect_messages(*device);
      return device;
    }
    default: return std::make_unique<E1000>(name, *card.link, card.address);
  }
}

std::unique_ptr<PciDevice> PcBoard::make_virtio(VirtioConfig& device, unsigned place) {
  device.interfaces = with_messages(device.interfaces, place);
  device.name = name_at(device.name, place);
  std::unique_ptr<VirtioPci> made;
  switch (device.kind) {
    case VirtioConfig::Kind::Block: {
      auto disk = make_virtio_disk(device);
      virtio_disks_.push_back(disk.get());
      made = std::move(disk);
      break;
    }
    case VirtioConfig::Kind::Random:
      made = std::make_unique<VirtioRandom>(device.name, device.interfaces, device.random);
      break;
    case VirtioConfig::Kind::Balloon: {
      auto balloon = std::make_unique<VirtioBalloon>(device.name, device.interfaces, device.balloon);
      balloon_ = balloon.get();
      made = std::move(balloon);
      break;
    }
    case VirtioConfig::Kind::Serial: {
      auto serial = std::make_unique<VirtioSerial>(device.name, device.interfaces, device.ports);
      for (std::size_t i = 0; i < device.ports.size(); i++) virtio_ports_[device.ports[i].order] = {serial.get(), i};
      made = std::move(serial);
      break;
    }
    case VirtioConfig::Kind::Scsi: {
      auto controller = make_virtio_scsi(device, place);
      scsi_.push_back(controller.get());
      made = std::move(controller);
      break;
    }
  }
  connect_messages(*made);
  return made;
}

void PcBoard::create_virtio() {
  virtio_ports_.resize(config_.virtio_ports);
  std::stable_partition(config_.virtio.begin(), config_.virtio.end(),
                        [](const VirtioConfig& device) { return device.slot.has_value(); });
  for (VirtioConfig& device : config_.virtio) {
    const auto at = card_place(device.slot, device.name);
    if (!at) return;
    std::unique_ptr<PciDevice> made = make_virtio(device, *at);
    if (auto card = removable_card(device); card) {
      card->device = made.get();
      cards_[*at] = *std::move(card);
    }
    if (device.kind == VirtioConfig::Kind::Block && device.boot_index)
      config_.boot_indexes.emplace(*device.boot_index, firmware_path(*at, "scsi") + "/disk@0,0");
    place(*made, *at, 0);
    attach(std::move(made));
  }
}

std::unique_ptr<VirtioBlock> PcBoard::make_virtio_disk(VirtioConfig& disk) {
  const DiskGeometry geometry = disk.geometry.value_or(guess_disk_layout(*disk.image).geometry);
  constexpr u32 kMostCylinders = 0xFFFF, kMostHeads = 255, kMostSectors = 255;
  const VirtioBlockGeometry shown{static_cast<u16>(std::min(geometry.cylinders, kMostCylinders)),
                                  static_cast<u8>(std::min(geometry.heads, kMostHeads)),
                                  static_cast<u8>(std::min(geometry.sectors, kMostSectors))};
  return std::make_unique<VirtioBlock>(disk.name, disk.interfaces, std::move(disk.image),
                                       VirtioBlockOptions{shown, disk.serial});
}

std::unique_ptr<VirtioScsi> PcBoard::make_virtio_scsi(VirtioConfig& controller, unsigned place) {
  std::vector<VirtioScsiUnit> units;
  for (ScsiUnitConfig& each : controller.units) {
    units.push_back({each.target, each.unit,
                     std::make_unique<ScsiDisk>(std::move(each.image), ScsiDiskOptions{.serial = each.serial})});
    if (each.boot_index)
      config_.boot_indexes.emplace(
          *each.boot_index,
          firmware_path(place, "scsi") + fmt::format("/channel@0/disk@{:x},{:x}", each.target, each.unit));
  }
  auto made = std::make_unique<VirtioScsi>(controller.name, controller.interfaces, std::move(units));
  made->set_bus(controller.default_bus);
  return made;
}

// --- Places ---

void PcBoard::create_root_ports() {
  for (const RootPortConfig& wanted : config_.root_ports) {
    PcieRootPortConfig port;
    port.id = wanted.id;
    port.slot = wanted.slot.value_or(pci_->free_slot(kFirstQ35CardSlot));
    port.function = wanted.function;
    port.link = wanted.link;
    port.card_slot = wanted.card_slot;
    port.multifunction = wanted.multifunction;
    port.hotplug = wanted.hotplug;
    auto made = std::make_unique<PcieRootPort>(*pci_, port);
    root_ports_.push_back(made.get());
    place(*made, port.slot, port.function);
    pci_->add_bridge(*made);
    attach(std::move(made));
  }
}

Result<> PcBoard::put(PciDevice& device, unsigned place, unsigned function) {
  return is_behind_port(place) ? root_ports_[port_of_place(place)]->add(device) : pci_->add(device, place, function);
}

void PcBoard::take_out(PciDevice& device, unsigned place) {
  if (is_behind_port(place)) return root_ports_[port_of_place(place)]->remove(device);
  pci_->remove(device);
}

// As IEEE 1275 and firmware write it: "/pci@i0cf8/scsi@3".
std::string PcBoard::firmware_path(unsigned place, const std::string& device, unsigned function) const {
  const auto bus = [](const std::string& name, unsigned slot, unsigned number) {
    return fmt::format("/pci@i0cf8/{}@{:x}", name, slot) + (number != 0 ? fmt::format(",{:x}", number) : "");
  };
  if (!is_behind_port(place)) return bus(device, place, function);
  const PcieRootPort& port = *root_ports_[port_of_place(place)];
  return bus("pci-bridge", port.slot(), port.function()) + fmt::format("/{}@0", device);
}

// --- They come ---

Result<unsigned> PcBoard::place_for(std::optional<unsigned> named) const {
  if (named && is_behind_port(*named)) return empty_port(*named);
  if (q35_ != nullptr)
    return Error{"Bus 'pcie.0' does not support hotplugging; name a pcie-root-port of the command line by bus=ID"};
  if (!named) return free_place();
  for (unsigned function = 0; function < PciBus::kFunctions; function++) {
    if (const PciDevice* const there = pci_->at(*named, function); there != nullptr)
      return Error{fmt::format("addr={:x}: slot {} is in use by {}; give another one", *named, *named, there->name())};
  }
  return *named;
}

Result<unsigned> PcBoard::free_place() const {
  const unsigned slot = pci_->free_slot(kFirstCardSlot);
  return slot < PciBus::kSlots ? Result<unsigned>(slot) : Error{"the PCI bus has no free slot; take a card out"};
}

Result<unsigned> PcBoard::empty_port(unsigned place) const {
  const PcieRootPort& port = *root_ports_[port_of_place(place)];
  if (!port.hotplug()) return Error{fmt::format("Bus '{}' does not support hotplugging", port.id())};
  if (port.card() != nullptr)
    return Error{fmt::format("bus={}: {} is there already; a root port has one slot", port.id(), port.card()->name())};
  return place;
}

Result<> PcBoard::plug(unsigned place, PciCard card, std::unique_ptr<PciDevice> device) {
  if (auto added = put(*device, place, 0); !added) return added;
  if (auto attached = device->attach(attachment_); !attached) {
    attachment_.scheduler().remove(*device);
    take_out(*device, place);
    return attached;
  }
  device->reset(ResetKind::PowerOn);
  card.device = device.get();
  cards_[place] = std::move(card);
  devices_.push_back(std::move(device));
  hotplug_->plugged(hotplug_bit(place));
  return {};
}

Result<> PcBoard::plug(NetworkCardConfig card) {
  const auto place = place_for(card.slot);
  if (!place) return place.error();
  return plug(place.value(), {PciCard::Kind::Network, nullptr, card.id, card.key, card.link},
              make_network_card(card, place.value()));
}

Result<> PcBoard::plug(VirtioConfig device) {
  const auto place = place_for(device.slot);
  if (!place) return place.error();
  auto card = removable_card(device);
  RELIC86_ASSERT(card.has_value());
  auto made = make_virtio(device, place.value());
  return plug(place.value(), *std::move(card), std::move(made));
}

// --- They go ---

bool PcBoard::can_unplug(unsigned place) const {
  if (!cards_.contains(place)) return false;
  return is_behind_port(place) ? root_ports_[port_of_place(place)]->hotplug() : q35_ == nullptr;
}

void PcBoard::request_unplug(unsigned place) {
  RELIC86_ASSERT(can_unplug(place));
  hotplug_->request_unplug(hotplug_bit(place));
}

// Firmware makes an _EJ0 for an empty slot, too, because a card may come there.
u32 PcBoard::removable_slots() const {
  u32 slots = 0;
  for (unsigned slot = 0; slot < PciBus::kSlots; slot++) {
    if (cards_.contains(slot) || pci_->at(slot, 0) == nullptr) slots |= 1u << slot;
  }
  return slots;
}

u32 PcBoard::removable_ports() const {
  u32 ports = 0;
  for (unsigned n = 0; n < root_ports_.size(); n++) {
    if (root_ports_[n]->hotplug()) ports |= 1u << n;
  }
  return ports;
}

void PcBoard::eject(unsigned place) {
  const auto card = cards_.find(place);
  if (card == cards_.end()) return;
  PciDevice& device = *card->second.device;
  device.reset(ResetKind::PowerOn);
  take_out(device, place);
  attachment_.scheduler().remove(device);
  if (card->second.link != nullptr) card->second.link->connect(nullptr);
  const auto owned =
      std::find_if(devices_.begin(), devices_.end(), [&](const auto& each) { return each.get() == &device; });
  std::erase_if(virtio_disks_, [&](const VirtioBlock* disk) { return disk == &device; });
  std::erase_if(scsi_, [&](const VirtioScsi* controller) { return controller == &device; });
  ejected_.push_back({std::move(card->second), std::move(*owned)});
  devices_.erase(owned);
  cards_.erase(card);
  hotplug_->gone(hotplug_bit(place));
  if (ejecting_) ejecting_();
}

}  // namespace relic86
