// Intel 82Q35 MCH, function 0: the host bridge of a q35, with PCI Express's way to configuration space (ECAM).
#pragma once

#include "devices/chipset/host_bridge.h"

namespace relic86 {

class PciBus;

class Q35Mch final : public HostBridge {
 public:
  // How much RAM lies below 4 GiB: PCI and the configuration window need 1.25 GiB at least, as QEMU's q35 has it.
  static constexpr u64 ram_below_4g(u64 ram) { return ram < u64{0xB0000000} ? ram : u64{0x80000000}; }

  Q35Mch(PciBus& bus, std::span<const u8> bios);
  // Where the guest has put the configuration window; size 0: nowhere.
  struct Window {
    u64 first = 0;
    u64 size = 0;
  };
  Window configuration_window() const;

  std::string_view name() const override { return "q35_mch"; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  void move_window();
  PciDevice* addressed(u64 offset, unsigned width) const;  // null: nobody

  PciBus& bus_;
  PhysicalBus* memory_bus_ = nullptr;
  u32 window_key_ = 0;
  Window shown_;
};

}  // namespace relic86
