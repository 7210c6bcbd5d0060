// Intel 82441FX host bridge (PMC): what the first 4 GiB show - RAM, BIOS ROM, shadow RAM (PAM), SMRAM. The chip has 1
// GiB at most; RAM that finds no room below the PCI devices is mapped from 4 GiB on, as QEMU's has it.
#pragma once

#include "devices/chipset/host_bridge.h"

namespace relic86 {

class I440fx final : public HostBridge {
 public:
  // How much of the machine's RAM lies below 4 GiB, where PCI (and the ROM at the top) need room as well: up to 3.5 GiB
  // all of it, else 3 GiB, and the rest begins at 4 GiB.
  static constexpr u64 ram_below_4g(u64 ram) { return ram < u64{0xE0000000} ? ram : u64{0xC0000000}; }

  explicit I440fx(std::span<const u8> bios);

  std::string_view name() const override { return "i440fx"; }
  u64 read(RegionId, u64, unsigned width) override { return all_ones(width); }
  void write(RegionId, u64, unsigned, u64) override {}

 protected:
  Result<> attach_function(Attachment& board) override;
};

}  // namespace relic86
