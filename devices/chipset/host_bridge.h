// What the PC's host bridges have in common as PCI functions: PAM and SMRAM registers over their memory.
#pragma once

#include "devices/chipset/host_memory.h"
#include "devices/pci_device.h"

namespace relic86 {

class HostBridge : public PciDevice {
 public:
  // The processor entered or left system management mode: SMRAM opens and closes.
  void set_system_management_mode(bool active);

  void reset(ResetKind kind) final;
  void event(u32, GuestTime) override {}

 protected:
  struct Registers {
    u8 pam0;  // the first of seven
    u8 smram;
  };
  // bios: HostMemory.
  HostBridge(const PciIdentity& identity, std::span<const u8> bios, Registers registers);
  Result<> attach_memory(Attachment& board, u64 low_ram);

  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  void update_shadow();
  void update_smram();

  Registers registers_;
  HostMemory memory_;
  bool system_management_mode_ = false;
};

}  // namespace relic86
