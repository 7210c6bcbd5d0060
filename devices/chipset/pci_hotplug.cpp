// Hot plug of PCI devices (QEMU's docs/specs/acpi_pci_hotplug), at AE00h, on a q35 at 0CC0h; dwords
//
//   00h     4      R    slots with a device that has come. A bit stays until the device goes or the machine is reset,
//                       because SeaBIOS's _E01 reads the register anew for every slot
//   04h     4      R    slots whose device is asked to go
//   08h     4      W    a 1 ejects the slot's device (_EJ0); reads 0
//   0Ch     4      R    slots whose device can go, or that are empty (_RMV, and whether there is an _EJ0)
//   10h     4      RW   bus: 0; the registers of any other one read 0 and eject nothing
//   14h     4      R    0
#include "devices/chipset/pci_hotplug.h"

#include "base/types.h"

namespace relic86 {

namespace {
enum Register : u64 { kUp, kDown, kEject, kRemovable, kBus };  // dwords
}  // namespace

void PciHotplug::plugged(unsigned slot) {
  up_ |= 1u << slot;
  if (wiring_.happened) wiring_.happened();
}

void PciHotplug::request_unplug(unsigned slot) {
  down_ |= 1u << slot;
  if (wiring_.happened) wiring_.happened();
}

void PciHotplug::gone(unsigned slot) {
  up_ &= ~(1u << slot);
  down_ &= ~(1u << slot);
}

void PciHotplug::state(StateArchive& archive) {
  archive.field("up", up_);
  archive.field("down", down_);
  archive.field("bus", bus_);
}

u32 PciHotplug::dword(u64 number) const {
  if (number == kBus) return bus_;
  if (bus_ != 0) return 0;
  switch (number) {
    case kUp: return up_;
    case kDown: return down_;
    case kRemovable: return wiring_.removable ? wiring_.removable() : 0;
    default: return 0;
  }
}

u32 PciHotplug::read(u64 offset, unsigned width) const {
  const u64 both = dword(offset / 4) | u64{dword(offset / 4 + 1)} << 32;
  return static_cast<u32>(both >> (offset % 4 * 8) & all_ones(width));
}

// Bytes of the eject register count for themselves, bytes of the bus number are put together.
void PciHotplug::write(u64 offset, unsigned width, u32 value) {
  for (unsigned i = 0; i < width; i++) {
    const u64 at = offset + i;
    const unsigned shift = static_cast<unsigned>(at % 4) * 8;
    const u32 byte = value >> (i * 8) & 0xFF;
    if (at / 4 == kBus) bus_ = (bus_ & ~(0xFFu << shift)) | byte << shift;
    if (at / 4 != kEject || bus_ != 0) continue;
    for (unsigned bit = 0; bit < 8; bit++) {
      if ((byte >> bit & 1) != 0 && wiring_.eject) wiring_.eject(shift + bit);
    }
  }
}

}  // namespace relic86
