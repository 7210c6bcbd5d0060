// A PCI Express root port: the bridge between bus 0 and one card, which may come and go.
#pragma once

#include <string>

#include "devices/pci_bus.h"

namespace relic86 {

struct PcieRootPortConfig {
  std::string id;     // the user's name for it, and for the bus behind it; may be empty
  unsigned slot = 0;  // its own place on bus 0
  unsigned function = 0;
  unsigned link = 0;       // the port's number in its link capabilities
  unsigned card_slot = 0;  // the number of the slot behind it, as its capabilities tell it
  bool multifunction = false;
  bool hotplug = true;  // its card can come and go
};

class PcieRootPort final : public PciDevice, public PciUpstream, public PciBridge {
 public:
  PcieRootPort(PciBus& bus, const PcieRootPortConfig& config);

  // Puts a function into the slot, before it is attached. A taken slot is an error naming both.
  Result<> add(PciDevice& device);
  // Takes it out, as PciBus::remove().
  void remove(PciDevice& device);

  PciDevice* find(unsigned bus, unsigned slot, unsigned function) const override;
  unsigned secondary_bus() const override;
  unsigned subordinate_bus() const override;
  Window io_window() const override;
  Window memory_window() const override;
  Window prefetchable_window() const override;
  const std::string& id() const { return id_; }
  bool hotplug() const { return hotplug_; }  // its card can come and go
  PciDevice* card() const override { return card_; }

  void set_interrupt(const PciDevice& device, bool level) override;
  bool passes(Space space, u64 first, u64 size) const override;

  std::string_view name() const override { return name_; }
  u64 read(RegionId, u64, unsigned width) override { return all_ones(width); }
  void write(RegionId, u64, unsigned, u64) override {}
  void event(u32, GuestTime) override {}

 protected:
  Result<> attach_function(Attachment&) override { return {}; }
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  void declare_windows();
  void declare_express(const PcieRootPortConfig& config);
  void show_presence();

  PciBus& bus_above_;
  const std::string name_, id_;
  const bool hotplug_;
  PciDevice* card_ = nullptr;
  bool resetting_ = false;  // the guest holds the bus behind it in reset
};

}  // namespace relic86
