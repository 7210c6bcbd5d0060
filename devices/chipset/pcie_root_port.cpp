// Configuration space of a PCI Express root port (PCI-to-PCI Bridge Architecture Specification 1.2, chapter 3; PCI
// Express Base Specification 3.0, 7.5 and 7.8)
//
//   offset  width  R/W  bits
//   00h     4      R    1B36h, 000Ch, as QEMU's;  class 060400h;  0Eh header type 1
//   04h     2      RW   command: 0 and 1 pass ports and memory down. The card's own accesses always reach memory, as on
//                       QEMU's ports: SeaBIOS does not set bit 2
//   18h     1      R    primary bus 0;  19h RW secondary, 1Ah RW subordinate bus;  1Bh R 0
//   1Ch     1      RW   I/O window: 7:4 address bits 15:12 of its first port, 1Dh of its last;  1Eh 2 RWC status below
//   20h     2      RW   memory window: 15:4 address bits 31:20 of its first byte, 22h of its last
//   24h     2      RW   prefetchable window, the same, 3:0 read 1: 64 bits; 28h and 2Ch 4 RW the upper halves
//   34h     1      R    capabilities;  3Ch 1 RW interrupt line, 3Dh 1 R pin INTA#
//   3Eh     2      RW   bridge control: 0 parity, 1 SERR#, 6 reset of the bus below. The VGA's and the ISA bus's ports
//                       and addresses are never passed on: bits 2 to 4 read 0
//   40h     8      R    subsystem identification (PCI-to-PCI 3.3)
//   48h     60     RW   PCI Express capability, version 2, root port:
//           + 02h  R    slot implemented;  + 0Ch R link of 2.5 GT/s and one lane, whose state can be read
//           + 08h  RW   device control 3:0;  + 0Ah RWC its status
//           + 10h  RW   link control (no power management of links);  + 12h R status: 13 a card is there
//           + 14h  R    slot capabilities: 31:19 the slot's number, 18 no command completed, 6 hot plug capable: UEFI
//                       firmware leaves room in the windows of such ports. The guest is told by ACPI
//                       (devices/chipset/pci_hotplug.h), whose _OSC is not there to hand hot plug over to the system
//           + 18h  RW   slot control;  + 1Ah RWC slot status: 3 presence has changed, 6 R a card is there
//           + 1Ch  RW   root control;  + 20h RWC root status.  Others read 0.
//
// A window whose end is below its beginning passes nothing. Both memory windows pass what is prefetchable and what is
// not, and a register is passed on as a whole or not at all. INTx# of the card goes to bus 0 as that of this slot.
#include "devices/chipset/pcie_root_port.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u8 kSecondary = 0x19, kSubordinate = 0x1A, kIoBase = 0x1C, kIoLimit = 0x1D, kSecondaryStatus = 0x1E;
constexpr u8 kMemoryBase = 0x20, kMemoryLimit = 0x22, kPrefetchBase = 0x24, kPrefetchLimit = 0x26;
constexpr u8 kPrefetchBaseHigh = 0x28, kPrefetchLimitHigh = 0x2C, kCapabilitiesPointer = 0x34, kBridgeControl = 0x3E;
constexpr unsigned kWindowsEnd = 0x30;
constexpr u64 kMemoryUnit = 0x100000;
constexpr u16 kCommandIo = 1, kCommandMemory = 2, kBusReset = 1u << 6;
constexpr u8 kWideWindow = 1;
constexpr u16 kStatusCapabilities = 0x0010, kStatusClearsOnes = 0xF900;

constexpr u8 kSubsystem = 0x40, kSubsystemId = 0x0D;
constexpr u8 kExpress = 0x48, kExpressId = 0x10;
constexpr u8 kLinkStatus = kExpress + 0x12, kSlotStatus = kExpress + 0x1A;
constexpr u16 kLinkActive = 1u << 13, kPresenceChanged = 1u << 3, kPresent = 1u << 6;

PciIdentity root_port(bool multifunction) {
  PciIdentity identity;
  identity.vendor = 0x1B36;
  identity.device = 0x000C;
  identity.class_code = 0x060400;
  identity.interrupt_pin = 1;
  identity.multifunction = multifunction;
  return identity;
}
}  // namespace

PcieRootPort::PcieRootPort(PciBus& bus, const PcieRootPortConfig& config)
    : PciDevice(root_port(config.multifunction)),
      bus_above_(bus),
      name_(fmt::format("pcie-root-port.{:x}.{}", config.slot, config.function)),
      id_(config.id),
      hotplug_(config.hotplug) {
  constexpr u8 kBridgeHeader = 1, kMultifunction = 0x80;
  declare(kPciStatus, 2, kStatusCapabilities, 0, kStatusClearsOnes);
  declare(kPciHeaderType, 1, kBridgeHeader | (config.multifunction ? kMultifunction : 0), 0);
  declare_windows();
  declare(kSubsystem, 4, kSubsystemId | u32{kExpress} << 8, 0);
  declare(kSubsystem + 4, 4, u32{identity().subsystem} << 16 | identity().subsystem_vendor, 0);
  declare_express(config);
}

void PcieRootPort::declare_windows() {
  declare(kSecondary, 1, 0, 0xFF);
  declare(kSubordinate, 1, 0, 0xFF);
  declare(kIoBase, 1, 0, 0xF0);
  declare(kIoLimit, 1, 0, 0xF0);
  declare(kSecondaryStatus, 2, 0, 0, kStatusClearsOnes);
  declare(kMemoryBase, 2, 0, 0xFFF0);
  declare(kMemoryLimit, 2, 0, 0xFFF0);
  declare(kPrefetchBase, 2, kWideWindow, 0xFFF0);
  declare(kPrefetchLimit, 2, kWideWindow, 0xFFF0);
  declare(kPrefetchBaseHigh, 4, 0, ~u32{0});
  declare(kPrefetchLimitHigh, 4, 0, ~u32{0});
  declare(kCapabilitiesPointer, 1, kSubsystem, 0);
  declare(kBridgeControl, 2, 0, kBusReset | 0x0003);
}

void PcieRootPort::declare_express(const PcieRootPortConfig& config) {
  constexpr u16 kVersion = 2, kRootPort = 4u << 4, kSlotImplemented = 1u << 8;
  constexpr u32 kRoleBasedErrors = 1u << 15;
  constexpr u32 kSlowest = 1, kOneLane = 1u << 4, kActivityReported = 1u << 20;
  constexpr unsigned kPortShift = 24, kSlotShift = 19;
  constexpr u32 kHotplugCapable = 1u << 6, kNoCommandCompleted = 1u << 18;
  declare(kExpress, 2, kExpressId, 0);
  declare(kExpress + 0x02, 2, kVersion | kRootPort | kSlotImplemented, 0);
  declare(kExpress + 0x04, 4, kRoleBasedErrors, 0);
  declare(kExpress + 0x08, 2, 0, 0x000F);
  declare(kExpress + 0x0A, 2, 0, 0, 0x000F);
  declare(kExpress + 0x0C, 4, kSlowest | kOneLane | kActivityReported | config.link << kPortShift, 0);
  declare(kExpress + 0x10, 2, 0, 0x00C0);
  declare(kLinkStatus, 2, kSlowest | kOneLane, 0);
  const u32 hotplug = config.hotplug ? kHotplugCapable : 0;
  declare(kExpress + 0x14, 4, config.card_slot << kSlotShift | kNoCommandCompleted | hotplug, 0);
  declare(kExpress + 0x18, 2, 0, 0x13FF);
  declare(kSlotStatus, 2, 0, 0, 0x011F);
  declare(kExpress + 0x1C, 2, 0, 0x001F);
  declare(kExpress + 0x20, 4, 0, 0, 1u << 16);
}

// --- The slot ---

Result<> PcieRootPort::add(PciDevice& device) {
  if (card_ != nullptr)
    return Error{fmt::format("devices {} and {} both want the slot of {}; give each card a root port of its own",
                             card_->name(), device.name(), name_)};
  card_ = &device;
  put(device, 0, 0);
  show_presence();
  return {};
}

void PcieRootPort::remove(PciDevice& device) {
  RELIC86_ASSERT(card_ == &device);
  set_interrupt(device, false);
  card_ = nullptr;
  show_presence();
}

void PcieRootPort::show_presence() {
  const bool present = card_ != nullptr;
  const u32 slot = config(kSlotStatus, 2), link = config(kLinkStatus, 2);
  if (((slot & kPresent) != 0) == present) return;
  set_config(kSlotStatus, 2, (slot ^ kPresent) | kPresenceChanged);
  set_config(kLinkStatus, 2, present ? link | kLinkActive : link & ~u32{kLinkActive});
}

// A card that has been there since the power came has not changed.
void PcieRootPort::reset_function(ResetKind) {
  show_presence();
  set_config(kSlotStatus, 2, config(kSlotStatus, 2) & ~u32{kPresenceChanged});
}

void PcieRootPort::state_function(StateArchive& archive) {
  if (!archive.loading()) return;
  show_presence();
  resetting_ = (config(kBridgeControl, 2) & kBusReset) != 0;
}

PciDevice* PcieRootPort::find(unsigned bus, unsigned slot, unsigned function) const {
  return bus != 0 && bus == secondary_bus() && slot == 0 && function == 0 && !resetting_ ? card_ : nullptr;
}

unsigned PcieRootPort::secondary_bus() const { return config(kSecondary, 1); }
unsigned PcieRootPort::subordinate_bus() const { return config(kSubordinate, 1); }

void PcieRootPort::set_interrupt(const PciDevice& device, bool level) {
  if (card_ != &device || device.identity().interrupt_pin == 0) return;
  bus_above_.hand_on_interrupt(*this, device.identity().interrupt_pin - 1u, level);
}

// --- Windows ---

PciBridge::Window PcieRootPort::io_window() const {
  constexpr u64 kUnit = 0x1000;
  return {u64{config(kIoBase, 1) & 0xF0} << 8, (u64{config(kIoLimit, 1) & 0xF0} << 8) + kUnit - 1};
}

PciBridge::Window PcieRootPort::memory_window() const {
  return {u64{config(kMemoryBase, 2) & 0xFFF0} << 16, (u64{config(kMemoryLimit, 2) & 0xFFF0} << 16) + kMemoryUnit - 1};
}

PciBridge::Window PcieRootPort::prefetchable_window() const {
  return {u64{config(kPrefetchBaseHigh, 4)} << 32 | u64{config(kPrefetchBase, 2) & 0xFFF0} << 16,
          (u64{config(kPrefetchLimitHigh, 4)} << 32 | u64{config(kPrefetchLimit, 2) & 0xFFF0} << 16) + kMemoryUnit - 1};
}

bool PcieRootPort::passes(Space space, u64 first, u64 size) const {
  const u32 command = config(kPciCommand, 2);
  const auto holds = [first, last = first + size - 1](const Window& window) {
    return first >= window.first && last <= window.last;
  };
  if (space == Space::Io) return (command & kCommandIo) != 0 && holds(io_window());
  return (command & kCommandMemory) != 0 && (holds(memory_window()) || holds(prefetchable_window()));
}

void PcieRootPort::config_written(unsigned offset, unsigned width) {
  const unsigned end = offset + width;
  const bool command = offset < kPciStatus && end > kPciCommand;
  if (card_ == nullptr) return;
  if (command || (offset < kWindowsEnd && end > kIoBase)) card_->upstream_changed();
  if (offset >= kBridgeControl + 2u || end <= kBridgeControl) return;
  const bool reset = (config(kBridgeControl, 2) & kBusReset) != 0;
  if (reset && !resetting_) card_->reset(ResetKind::Hard);
  resetting_ = reset;
}

}  // namespace relic86
