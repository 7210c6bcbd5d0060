// Intel ICH9 function 31.0: the ISA bridge of a Q35 board, with PIRQ routing, reset control, the APM ports and ACPI
// power management, as PCI 8086:2918.
#pragma once

#include <array>
#include <functional>

#include "devices/chipset/acpi_power.h"
#include "devices/chipset/pci_hotplug.h"
#include "devices/chipset/reset_control.h"
#include "devices/pci_bus.h"

namespace relic86 {

class Ich9Lpc final : public PciDevice, public IrqSink, public AcpiPower {
 public:
  // IrqSink: PIRQ A# to H# (inputs 0 to 7), active = true.
  Ich9Lpc(PciBus& bus, MachineControl& machine);

  void set_irq(unsigned pirq, bool level) override;
  // Which PIRQ a slot's pin is wired to: those from 25 on as the guest says, the others rotated over E to H.
  unsigned pirq_of(unsigned slot, unsigned pin) const;

  // SMI#, if APMC_EN and GBL_SMI_EN are set. 2 and 3 are the tables' ACPI_ENABLE and ACPI_DISABLE: they switch SCI_EN
  // here, because SeaBIOS's handler leaves that to the virtual board.
  void apm_command(u8 value) override;
  u16 ports() const override;
  // Without SMM APMC_EN is set at reset.
  void set_smi_sink(SmiSink* sink) override { smi_ = sink; }
  // Cards of root ports that come and go. eject and removable: as in PciHotplug.
  void connect_hotplug(std::function<void(unsigned port)> eject, std::function<u32()> removable);
  PciHotplug& hotplug() { return hotplug_; }

  void reset(ResetKind kind) override;
  std::string_view name() const override { return "ich9_lpc"; }
  u64 read(RegionId region, u64 offset, unsigned width) override;
  void write(RegionId region, u64 offset, unsigned width, u64 value) override;
  void event(u32, GuestTime) override { pm1_.timer_passed(); }

 protected:
  Result<> attach_function(Attachment& board) override;
  void reset_function(ResetKind kind) override;
  void state_function(StateArchive& archive) override;
  void config_written(unsigned offset, unsigned width) override;

 private:
  static constexpr unsigned kFirstWiredByGuest = 25, kWiredByGuest = 7;  // slots
  static constexpr unsigned kIsaLines = 16;
  enum Region : RegionId { kPm, kApm, kBehindConfigAddress, kRootComplex, kHotplug };
  unsigned routed_to(unsigned pirq) const;
  void drive_routes();
  void move_blocks();
  void move_sci();
  u32 pm_register(u64 dword) const;
  void write_pm(u64 offset, u8 byte);
  void update_general_event();
  u16* route_register(u64 offset);

  PciBus& bus_;
  ResetControl reset_control_;
  SmiSink* smi_ = nullptr;
  IoSpace* io_ = nullptr;
  PhysicalBus* memory_ = nullptr;
  std::array<IrqLine, kIsaLines> isa_irqs_;
  std::array<IrqLine, PciBus::kPirqs> apic_irqs_;
  std::array<IrqLine, kIsaLines + PciBus::kPirqs> sci_lines_;
  u32 pm_key_ = 0, root_complex_key_ = 0;
  u32 pm_base_ = 0, root_complex_base_ = 0;  // as mapped; 0: not

  std::array<u8, PciBus::kPirqs> pirq_levels_{};
  std::array<u16, kWiredByGuest> routes_{};  // D25IR to D31IR: four bits a pin
  u8 apm_control_ = 0, apm_status_ = 0;
  u64 gpe_status_ = 0, gpe_enable_ = 0;
  PciHotplug hotplug_;
  u32 smi_enable_ = 0, smi_status_ = 0;
};

}  // namespace relic86
