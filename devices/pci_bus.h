// PCI bus 0: configuration mechanism #1 and the INTx# wires.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "devices/pci_device.h"

namespace relic86 {

class PciBus final : public Device {
 public:
  static constexpr unsigned kSlots = 32;
  static constexpr unsigned kFunctions = 8;

  // Puts a function into slot 0 to 31, function 0 to 7; before it is attached. A taken place is an error naming both.
  Result<> add(PciDevice& device, unsigned slot, unsigned function = 0);
  // Takes a function out, which has been reset: nothing of it is mapped or drives a line. What it does from now on does
  // not reach the bus.
  void remove(PciDevice& device);
  // The lowest free slot from first on; kSlots when the bus is full.
  unsigned free_slot(unsigned first) const;
  // Where the PIRQs lead: the ISA bridge. Inputs 0 to 3, unless it has another wiring.
  void set_pirq_sink(IrqSink* sink) { pirq_sink_ = sink; }
  // Which PIRQ, below kPirqs, a slot's pin (0: INTA#) is wired to. Without it slot 1's INTA# is PIRQA#, and each
  // further slot is rotated by one.
  static constexpr unsigned kPirqs = 8;
  using Wiring = std::function<unsigned(unsigned slot, unsigned pin)>;
  void set_wiring(Wiring wiring) { wiring_ = std::move(wiring); }
  void drive_pirqs();  // the wiring has changed
  // Accesses to CF8h-CFBh that are not dwords are ordinary I/O (PCI 2.1, 3.7.4.1): the reset control register CF9h
  // lives there. offset 1 is CF9h.
  void set_io_behind_address(RegionHandler* handler, RegionId region) {
    behind_ = handler;
    behind_region_ = region;
  }

  // The level of a function's INTx# pin, as the function drives it.
  void set_interrupt(const PciDevice& device, bool level);

  // The function at this place, or null. For info pci.
  PciDevice* at(unsigned slot, unsigned function) const { return functions_[slot * kFunctions + function]; }
  std::string describe() const;  // info pci

  std::string_view name() const override { return "pci"; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind kind) override;
  void state(StateArchive& archive) override;
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  PciDevice* addressed() const;

  std::array<PciDevice*, kSlots * kFunctions> functions_{};
  IrqSink* pirq_sink_ = nullptr;
  Wiring wiring_;
  RegionHandler* behind_ = nullptr;
  RegionId behind_region_ = 0;
  u32 address_ = 0;
  std::array<u8, kSlots * kFunctions> interrupt_levels_{};
};

}  // namespace relic86
