// Intel 82371AB (PIIX4) function 3: ACPI power management and SMBus, as PCI 8086:7113.
#pragma once

#include <functional>

#include "devices/host_sinks.h"
#include "devices/pci_device.h"
#include "devices/smi_sink.h"

namespace relic86 {

class Piix4Pm final : public PciDevice {
 public:
  explicit Piix4Pm(MachineControl& machine);

  // The clock's interrupt: RTC_STS.
  void clock_interrupt();
  // Told before the machine is suspended to RAM.
  void on_suspend(std::function<void()> listener) { suspending_ = std::move(listener); }
  // A host's wish to wake the machine (system_wakeup).
  void wake();
  bool suspended() const { return suspended_; }
  // The user pressed the power button (system_powerdown): the guest gets an SCI, if it asked for one.
  void press_power_button();
  // True when the guest has asked for an interrupt on the power button.
  bool hears_power_button() const;
  // The APM control port (PIIX3, B2h) was written: SMI#, if APMC_EN (58h bit 25) and SMI_EN (GLBCTL bit 0) are set.
  // SeaBIOS's tables name F1h as ACPI_ENABLE and F0h as ACPI_DISABLE (FADT, SMI_CMD), but its system management handler
  // leaves them to the virtual board: they switch SCI_EN here.
  void apm_command(u8 value);
  // Where the guest has put the power management registers.
  u16 ports() const;
  // Where SMI# goes. Null (the default): the processor has no SMM; APMC_EN is then set at reset, which makes SeaBIOS
  // believe that SMM has been set up already and leave it alone. Before the reset.
  void set_smi_sink(SmiSink* sink);
  // Which ISA devices the board has: the BIOS's ACPI tables show those whose decode enables are set. Before the reset.
  void set_isa_devices(bool parallel, bool serial1, bool serial2);

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
  u64 ticks() const;  // of the PM timer, not wrapped
  void catch_timer();
  void update_sci();
  void schedule_overflow();
  void write_control(u16 value);
  void move_blocks();
  u32 pm_register(u64 dword) const;

  MachineControl& machine_;
  SmiSink* smi_ = nullptr;
  std::function<void()> suspending_;
  Scheduler* scheduler_ = nullptr;
  IoSpace* io_ = nullptr;
  IrqLine sci_;
  TimerId overflow_timer_ = 0;
  u32 pm_key_ = 0, smbus_key_ = 0;
  u32 pm_base_ = 0, smbus_base_ = 0;  // as mapped; 0: not

  u16 status_ = 0;
  u16 enable_ = 0;
  u16 control_ = 0;
  u64 timer_half_ = 0;  // ticks / 2^23 when the overflow status was last brought up to date
  u16 gpe_status_ = 0;
  u16 gpe_enable_ = 0;
  u32 general_output_ = 0;
  bool suspended_ = false;
  u32 global_status_ = 0;
  u32 global_control_ = 0;
  u8 smbus_[14] = {};
};

}  // namespace relic86
