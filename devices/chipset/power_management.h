// What a board asks of its chipset's power management, whichever chip has it.
#pragma once

#include <functional>

#include "base/types.h"
#include "devices/smi_sink.h"

namespace relic86 {

class PowerManagement {
 public:
  // The clock's interrupt: RTC_STS.
  virtual void clock_interrupt() = 0;
  // Told before the machine is suspended to RAM.
  virtual void on_suspend(std::function<void()> listener) = 0;
  // A host's wish to wake the machine (system_wakeup).
  virtual void wake() = 0;
  virtual bool suspended() const = 0;
  // The user pressed the power button (system_powerdown): the guest gets an SCI, if it asked for one.
  virtual void press_power_button() = 0;
  // True when the guest has asked for an interrupt on the power button.
  virtual bool hears_power_button() const = 0;
  // The APM control port (B2h) was written.
  virtual void apm_command(u8 value) = 0;
  // Where the guest has put the power management registers.
  virtual u16 ports() const = 0;
  // Where SMI# goes. Null (the default): the processor has no SMM, and the chip shows itself to the BIOS as one whose
  // SMM has been set up already, which makes it leave that alone. Before the reset.
  virtual void set_smi_sink(SmiSink* sink) = 0;

 protected:
  ~PowerManagement() = default;
};

}  // namespace relic86
