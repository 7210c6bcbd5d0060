// What the keyboard controller's reset pulse and port 92h bit 0 do. On the board both pulse the processor's INIT#; the
// BIOS then looks at the CMOS shutdown status to see whether a 286 program left protected mode this way or the machine
// shall restart (IBM PC/AT Technical Reference, BIOS, shutdown). Only the former may leave the devices as they are.
#pragma once

#include <functional>

#include "devices/a20_gate.h"
#include "devices/host_sinks.h"

namespace relic86 {

class ResetPin {
 public:
  ResetPin(MachineControl& machine, A20Gate& a20) : machine_(machine), a20_(a20) {}

  // reader: the value of CMOS byte 0Fh. Without it every pulse resets the machine.
  void set_shutdown_status(std::function<u8()> reader) { shutdown_status_ = std::move(reader); }

  void pulse() {
    if (!returns_from_protected_mode()) return machine_.request_reset();
    // The first fetch is just below 4 GiB: with line 20 masked there is no ROM.
    a20_.set(true);
    machine_.request_cpu_init();
  }

 private:
  bool returns_from_protected_mode() const {
    if (!shutdown_status_) return false;
    const u8 status = shutdown_status_();
    return status == 0x05 || status == 0x09 || status == 0x0A || status == 0x0B || status == 0x0C;
  }

  MachineControl& machine_;
  A20Gate& a20_;
  std::function<u8()> shutdown_status_;
};

}  // namespace relic86
