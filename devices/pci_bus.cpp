// Configuration mechanism #1 (PCI Local Bus Specification 2.1, 3.7.4.1; Intel 82441FX datasheet 3.1)
//
//   port      width  R/W  bits
//   CF8h      4      RW   CONFADD: 31 enable, 23:16 bus, 15:11 device, 10:8 function, 7:2 register; others read 0
//   CF8h-CFBh 1, 2   -    not ours: passes to the bus (CF9h is the PIIX3's reset control)
//   CFCh-CFFh 1,2,4  RW   CONFDATA: the bytes of the addressed register; no such function reads all ones
#include "devices/pci_bus.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u16 kAddressPort = 0xCF8;
constexpr u64 kDataOffset = 4;
constexpr u32 kEnable = 0x80000000u;
constexpr u32 kAddressBits = 0x80FFFFFCu;
constexpr unsigned kWiredPirqs = 4;
constexpr unsigned kPins = 4, kFirstHandedOn = 1;  // bits of interrupt_levels_
constexpr u8 kWires = (1u << (kFirstHandedOn + kPins)) - 1;

std::string describe_function(const PciDevice& device, unsigned bus) {
  const PciIdentity& identity = device.identity();
  std::string text = fmt::format(
      "  Bus {:2}, device {:3}, function {}:\n    {}: PCI device {:04x}:{:04x}, class {:06x}\n", bus, device.slot(),
      device.function(), device.name(), identity.vendor, identity.device, identity.class_code);
  if (identity.interrupt_pin != 0) {
    text += fmt::format("      IRQ {}, pin {}\n", device.config_read(kPciInterruptLine, 1),
                        static_cast<char>('A' + identity.interrupt_pin - 1));
  }
  for (unsigned bar = 0; bar < 7; bar++) {
    if (device.bar_size(bar) == 0) continue;
    text += fmt::format("      BAR{}: {} {} bytes at {:#010x}\n", bar, device.bar_is_io(bar) ? "I/O" : "memory",
                        device.bar_size(bar), device.mapped_at(bar));
  }
  return text;
}
}  // namespace

Result<> PciBus::add(PciDevice& device, unsigned slot, unsigned function) {
  if (slot >= kSlots || function >= kFunctions) {
    return Error{fmt::format("device {}: no PCI slot {}.{}; slots 0 to 31, functions 0 to 7 exist", device.name(), slot,
                             function)};
  }
  PciDevice*& place = functions_[slot * kFunctions + function];
  if (place != nullptr) {
    return Error{fmt::format("devices {} and {} both want PCI slot {}.{}; give one of them another addr", place->name(),
                             device.name(), slot, function)};
  }
  place = &device;
  put(device, slot, function);
  return {};
}

void PciBus::remove(PciDevice& device) {
  RELIC86_ASSERT(at(device.slot(), device.function()) == &device);
  set_interrupt(device, false);
  functions_[device.slot() * kFunctions + device.function()] = nullptr;
}

unsigned PciBus::free_slot(unsigned first) const {
  for (unsigned slot = first; slot < kSlots; slot++) {
    bool free = true;
    for (unsigned function = 0; function < kFunctions; function++) free = free && at(slot, function) == nullptr;
    if (free) return slot;
  }
  return kSlots;
}

Result<> PciBus::attach(Attachment& board) { return board.ports(*this, 0, kAddressPort, 8, 4); }

void PciBus::reset(ResetKind) { address_ = 0; }

void PciBus::state(StateArchive& archive) {
  archive.field("address", address_);
  archive.bytes("interrupt_levels", interrupt_levels_);
  if (archive.loading()) {
    address_ &= kAddressBits;
    for (u8& level : interrupt_levels_) level &= kWires;
    // A bridge with a wiring of its own loads that, and its PIRQs, after the bus: until then the way is the old one.
    if (!wiring_) drive_pirqs();
  }
}

PciDevice* PciBus::find(unsigned bus, unsigned slot, unsigned function) const {
  if (bus == 0) return at(slot, function);
  for (const PciBridge* const bridge : bridges_) {
    if (PciDevice* const found = bridge->find(bus, slot, function); found != nullptr) return found;
  }
  return nullptr;
}

PciDevice* PciBus::addressed() const {
  if ((address_ & kEnable) == 0) return nullptr;
  return find(address_ >> 16 & 0xFF, address_ >> 11 & (kSlots - 1), address_ >> 8 & (kFunctions - 1));
}

u64 PciBus::read(RegionId, u64 offset, unsigned width) {
  if (offset < kDataOffset) {
    if (offset == 0 && width == 4) return address_;
    return behind_ == nullptr ? all_ones(width) : behind_->read(behind_region_, offset, width);
  }
  PciDevice* device = addressed();
  if (device == nullptr) return all_ones(width);
  return device->config_cycle_read(static_cast<u8>((address_ & 0xFC) | (offset & 3)), width);
}

void PciBus::write(RegionId, u64 offset, unsigned width, u64 value) {
  if (offset < kDataOffset) {
    if (offset == 0 && width == 4) {
      address_ = static_cast<u32>(value) & kAddressBits;
    } else if (behind_ != nullptr) {
      behind_->write(behind_region_, offset, width, value);
    }
    return;
  }
  PciDevice* device = addressed();
  if (device == nullptr) return;
  device->config_write(static_cast<u8>((address_ & 0xFC) | (offset & 3)), width, static_cast<u32>(value));
}

void PciBus::set_interrupt(const PciDevice& device, bool level) { set_wire(device, 0, level); }

void PciBus::hand_on_interrupt(const PciDevice& bridge, unsigned pin, bool level) {
  set_wire(bridge, kFirstHandedOn + pin, level);
}

void PciBus::set_wire(const PciDevice& device, unsigned wire, bool level) {
  if (at(device.slot(), device.function()) != &device) return;  // it has been taken out
  u8& wires = interrupt_levels_[device.slot() * kFunctions + device.function()];
  if ((wires >> wire & 1) == (level ? 1 : 0)) return;
  wires = static_cast<u8>(wires ^ 1u << wire);
  drive_pirqs();
}

// All wires of a PIRQ are ORed.
void PciBus::drive_pirqs() {
  if (pirq_sink_ == nullptr) return;
  std::array<bool, kPirqs> levels{};
  for (unsigned place = 0; place < functions_.size(); place++) {
    const PciDevice* device = functions_[place];
    if (device == nullptr || interrupt_levels_[place] == 0) continue;
    const unsigned slot = place / kFunctions;
    const auto raise = [&](unsigned pin) {
      levels[wiring_ ? wiring_(slot, pin) % kPirqs : (slot + kWiredPirqs - 1 + pin) % kWiredPirqs] = true;
    };
    if ((interrupt_levels_[place] & 1) != 0) raise(device->identity().interrupt_pin - 1u);
    for (unsigned pin = 0; pin < kPins; pin++) {
      if ((interrupt_levels_[place] >> (kFirstHandedOn + pin) & 1) != 0) raise(pin);
    }
  }
  for (unsigned pirq = 0; pirq < (wiring_ ? kPirqs : kWiredPirqs); pirq++) pirq_sink_->set_irq(pirq, levels[pirq]);
}

std::string PciBus::describe() const {
  std::string text;
  for (const PciDevice* const device : functions_) {
    if (device != nullptr) text += describe_function(*device, 0);
  }
  for (const PciBridge* const bridge : bridges_) {
    if (bridge->card() != nullptr) text += describe_function(*bridge->card(), bridge->secondary_bus());
  }
  return text;
}

}  // namespace relic86
