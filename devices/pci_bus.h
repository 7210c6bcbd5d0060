// PCI bus 0: configuration mechanism #1, the way to the buses behind its bridges, and the INTx# wires.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "base/pci_place.h"
#include "devices/pci_device.h"

namespace relic86 {

// A bridge, as the bus above it sees it.
class PciBridge {
 public:
  // The function at this place of a bus behind it; null: there is none, or the bus is not behind it.
  virtual PciDevice* find(unsigned bus, unsigned slot, unsigned function) const = 0;
  virtual unsigned secondary_bus() const = 0;  // 0: the guest has given it no number
  virtual unsigned subordinate_bus() const = 0;
  // What it passes down, as the guest has set it; last below first: nothing.
  struct Window {
    u64 first = 0, last = 0;
  };
  virtual Window io_window() const = 0;
  virtual Window memory_window() const = 0;
  virtual Window prefetchable_window() const = 0;
  virtual PciDevice* card() const = 0;  // of its one slot; null: it is empty

 protected:
  ~PciBridge() = default;
};

class PciBus final : public Device, public PciUpstream {
 public:
  static constexpr unsigned kSlots = kPciSlots;
  static constexpr unsigned kFunctions = 8;

  // Puts a function into slot 0 to 31, function 0 to 7; before it is attached. A taken place is an error naming both.
  Result<> add(PciDevice& device, unsigned slot, unsigned function = 0);
  // A function that is on the bus already is a bridge.
  void add_bridge(const PciBridge& bridge) { bridges_.push_back(&bridge); }
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

  void set_interrupt(const PciDevice& device, bool level) override;
  // The level of a wire (0: INTA#) that a bridge hands on from below it.
  void hand_on_interrupt(const PciDevice& bridge, unsigned pin, bool level);
  bool passes(Space, u64, u64) const override { return true; }

  // The function at this place, or null. For info pci.
  PciDevice* at(unsigned slot, unsigned function) const { return functions_[slot * kFunctions + function]; }
  // The same of any bus, by the numbers that the guest has given them.
  PciDevice* find(unsigned bus, unsigned slot, unsigned function) const;
  const std::vector<const PciBridge*>& bridges() const { return bridges_; }
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
  void set_wire(const PciDevice& device, unsigned wire, bool level);

  std::array<PciDevice*, kSlots * kFunctions> functions_{};
  std::vector<const PciBridge*> bridges_;
  IrqSink* pirq_sink_ = nullptr;
  Wiring wiring_;
  RegionHandler* behind_ = nullptr;
  RegionId behind_region_ = 0;
  u32 address_ = 0;
  std::array<u8, kSlots * kFunctions> interrupt_levels_{};  // bit 0: its own pin; 1 to 4: INTA# to INTD# from below
};

}  // namespace relic86
