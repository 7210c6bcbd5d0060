// Intel 82371AB (PIIX4) function 3: ACPI power management and SMBus, as PCI 8086:7113.
#pragma once

#include "devices/chipset/acpi_power.h"
#include "devices/chipset/idle_smbus.h"
#include "devices/chipset/pci_hotplug.h"
#include "devices/pci_device.h"

namespace relic86 {

class Piix4Pm final : public PciDevice, public AcpiPower {
 public:
  explicit Piix4Pm(MachineControl& machine);

  // SMI#, if APMC_EN (58h bit 25) and SMI_EN (GLBCTL bit 0) are set. SeaBIOS's tables name F1h as ACPI_ENABLE and F0h
  // as ACPI_DISABLE (FADT, SMI_CMD), but its system management handler leaves them to the virtual board: they switch
  // SCI_EN here.
  void apm_command(u8 value) override;
  u16 ports() const override;
  // Without SMM APMC_EN is set at reset, which makes SeaBIOS believe that SMM has been set up already.
  void set_smi_sink(SmiSink* sink) override;
  // Which ISA devices the board has: the BIOS's ACPI tables show those whose decode enables are set. Before the reset.
  void set_isa_devices(bool parallel, bool serial1, bool serial2);
  // PCI devices that come and go. eject and removable: as in PciHotplug.
  void connect_hotplug(std::function<void(unsigned slot)> eject, std::function<u32()> removable);
  PciHotplug& hotplug() { return hotplug_; }

  void reset(ResetKind kind) override;
  std::string_view name() const override { return "piix4_pm"; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32 id, GuestTime late) override;

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  enum Region : RegionId { kPm, kGpe, kHotplug, kProcessors, kSmbus };
  void move_blocks();
  u32 pm_register(u64 dword) const;
  void update_general_event();

  IdleSmbus smbus_;
  PciHotplug hotplug_;
  SmiSink* smi_ = nullptr;
  IoSpace* io_ = nullptr;
  IrqLine sci_;
  u32 pm_key_ = 0, smbus_key_ = 0;
  u32 pm_base_ = 0, smbus_base_ = 0;  // as mapped; 0: not

  u16 gpe_status_ = 0;
  u16 gpe_enable_ = 0;
  u32 general_output_ = 0;
  u32 global_status_ = 0;
  u32 global_control_ = 0;
};

}  // namespace relic86
