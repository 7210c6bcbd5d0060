// Intel ICH9 function 31.3: the SMBus host controller, on whose bus nobody answers, as PCI 8086:2930.
#pragma once

#include "devices/chipset/idle_smbus.h"
#include "devices/pci_device.h"

namespace relic86 {

class Ich9Smbus final : public PciDevice {
 public:
  Ich9Smbus();

  std::string_view name() const override { return "ich9_smbus"; }
  u64 read(RegionId, u64 offset, unsigned) override { return smbus_.read(offset); }
  void write(RegionId, u64 offset, unsigned, u64 value) override { smbus_.write(offset, static_cast<u8>(value)); }
  void event(u32, GuestTime) override {}

 protected:
  Result<> attach_function(Attachment&) override { return {}; }
  void reset_function(ResetKind) override { smbus_.reset(); }
  void state_function(StateArchive& archive) override { smbus_.state(archive); }
  void config_written(unsigned, unsigned) override {}

 private:
  IdleSmbus smbus_;
};

}  // namespace relic86
