// The registers by which a virtual board and the ACPI code of its firmware agree on PCI devices that come and go
// (QEMU's docs/specs/acpi_pci_hotplug): one bit a slot of bus 0, on a q35, whose code is the board's own, one bit a
// root port.
#pragma once

#include <functional>

#include "base/state_archive.h"

namespace relic86 {

class PciHotplug {
 public:
  static constexpr unsigned kSlots = 32;  // or root ports
  static constexpr u32 kPorts = 24;

  // happened: a slot has news for the guest (a general purpose event). eject: the guest lets go of a slot's device.
  // removable: the slots whose devices can go, and those that are empty.
  struct Wiring {
    std::function<void()> happened;
    std::function<void(unsigned slot)> eject;
    std::function<u32()> removable;
  };
  void connect(Wiring wiring) { wiring_ = std::move(wiring); }

  void plugged(unsigned slot);
  // The guest is asked to let go of it. It may be asked again: a system that has just begun to run hears nothing.
  void request_unplug(unsigned slot);
  bool asked_to_unplug(unsigned slot) const { return (down_ >> slot & 1) != 0; }
  void gone(unsigned slot);

  void reset() { up_ = down_ = bus_ = 0; }
  void state(StateArchive& archive);
  u32 read(u64 offset, unsigned width) const;
  void write(u64 offset, unsigned width, u32 value);

 private:
  u32 dword(u64 number) const;

  Wiring wiring_;
  u32 up_ = 0, down_ = 0;
  u32 bus_ = 0;  // whose slots the other registers are about
};

}  // namespace relic86
