// How devices reach the world outside the guest. Owned by devices/, implemented by frontend/ (or by a test).
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace relic86 {

// The host side of a serial or parallel port, a debug port. Called on the machine thread.
class CharSink {
 public:
  virtual void put(u8 byte) = 0;
  // False: who reads on the host is behind, and a device that can wait does. What is put even so may be dropped.
  virtual bool can_take() const { return true; }

 protected:
  ~CharSink() = default;
};

// A device that takes bytes from the host: UART receiver.
class CharSource {
 public:
  virtual bool can_receive() const = 0;  // false: hold the byte and ask again later
  virtual void receive(u8 byte) = 0;

 protected:
  ~CharSource() = default;
};

// Requests a device makes of the machine; carried out before the next guest instruction.
class MachineControl {
 public:
  virtual void request_reset() = 0;              // RESET# of the whole machine (port CF9h, 8042, triple fault)
  virtual void request_power_off() = 0;          // ACPI S5
  virtual void request_exit(u32 exit_code) = 0;  // isa-debug-exit: final, at once
  virtual void request_suspend() = 0;            // ACPI S3: the processor stops before its next instruction
  virtual void request_wake() = 0;               // the end of that: ResetKind::Resume
  virtual void request_cpu_init() = 0;           // INIT# of the processor only (port 92h bit 0, 8042 pulse)
  virtual void watchdog_expired() {}             // what becomes of it is the user's choice, as it is with the next
  virtual void guest_panicked() {}               // the guest says so (pvpanic)

 protected:
  ~MachineControl() = default;
};

// One picture of the guest's screen.
struct Frame {
  unsigned width = 0;
  unsigned height = 0;
  // Shape of a pixel on the original monitor, width / height (1.2 tall pixels of 320x200 give 5/6).
  double pixel_aspect = 1.0;
  bool text_mode = false;
  std::vector<u32> pixels;  // width * height, 00RRGGBBh, rows top down
};

}  // namespace relic86
