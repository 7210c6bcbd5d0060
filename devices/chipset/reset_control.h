// The reset control register at CF9h, which the south bridges have behind the configuration address port.
#pragma once

#include "base/state_archive.h"
#include "devices/host_sinks.h"

namespace relic86 {

class ResetControl {
 public:
  explicit ResetControl(MachineControl& machine) : machine_(machine) {}
  void reset() { value_ = 0; }
  void state(StateArchive& archive) { archive.field("reset_control", value_); }

  // Of the ports from CF8h on, as PciBus hands them on: CF9h is at offset 1.
  u64 read(u64 offset, unsigned width) const;
  void write(u64 offset, unsigned width, u64 value);

 private:
  void write(u8 value);

  MachineControl& machine_;
  u8 value_ = 0;
};

}  // namespace relic86
