// NE2000 cards: on the ISA bus, and the RTL8029AS on the PCI bus.
#pragma once

#include <string>

#include "devices/network/dp8390.h"
#include "devices/pci_device.h"

namespace relic86 {

class Ne2000Isa final : public Device {
 public:
  // name: "ne2k_isa.0". port: the first of 32; irq: 0 to 15.
  Ne2000Isa(std::string name, NetworkLink& link, const MacAddress& address, u16 port, u8 irq);

  std::string_view name() const override { return name_; }
  Result<> attach(Attachment& board) override;
  void reset(ResetKind) override { chip_.reset(); }
  void state(StateArchive& archive) override { chip_.state(archive); }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 private:
  const std::string name_;
  const u16 port_;
  const u8 irq_;
  IrqLine line_;
  Dp8390 chip_;
};

class Rtl8029 final : public PciDevice {
 public:
  Rtl8029(std::string name, NetworkLink& link, const MacAddress& address);

  std::string_view name() const override { return name_; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override {}

 protected:
  Result<> attach_function(Attachment&) override { return {}; }
  void reset_function(ResetKind) override { chip_.reset(); }
  void state_function(StateArchive& archive) override { chip_.state(archive); }
  void config_written(unsigned, unsigned) override {}

 private:
  const std::string name_;
  Dp8390 chip_;
};

}  // namespace relic86
