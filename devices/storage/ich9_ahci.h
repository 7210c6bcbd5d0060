// Intel ICH9 SATA controller with the AHCI interface, PCI 8086:2922: function 2 of slot 31 on a Q35 board, a card
// elsewhere.
#pragma once

#include <optional>

#include "devices/pci_device.h"
#include "devices/storage/ahci_port.h"

namespace relic86 {

class Ich9Ahci final : public PciDevice, public AhciHost {
 public:
  static constexpr unsigned kPorts = 6;

  explicit Ich9Ahci(std::string name);

  // Before attach.
  void plug(unsigned port, std::unique_ptr<AtaDevice> drive);
  const AhciPort& port(unsigned number) const { return ports_[number]; }

  std::string_view name() const override { return name_; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

  bool masters_bus() const override { return bus_master_enabled(); }
  const AhciMemory& memory() const override { return *memory_; }
  void port_interrupt_changed() override { update_interrupt(); }

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  enum Region : RegionId { kRegisters, kIndexed };
  u32 read_register(u32 offset) const;
  void write_register(u32 offset, u32 value);
  void reset_by_guest();
  void update_interrupt();

  const std::string name_;
  std::array<AhciPort, kPorts> ports_;
  std::optional<AhciMemory> memory_;
  u32 control_ = 0;           // GHC, but for AE
  u32 interrupt_status_ = 0;  // IS
  u32 index_ = 0;             // of the indexed access
  bool bus_mastering_ = false;
};

}  // namespace relic86
