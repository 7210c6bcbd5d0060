// The wire between the keyboard controller and a PS/2 device (IBM PS/2 Hardware Interface Technical Reference).
#pragma once

#include "base/types.h"

namespace relic86 {

// A keyboard or mouse, as the controller sees it.
class Ps2Device {
 public:
  virtual void receive(u8 byte) = 0;  // a command or parameter from the host
  virtual bool has_byte() const = 0;  // wants to send
  virtual u8 take_byte() = 0;         // the byte it sends; only while has_byte()
  virtual void port_ready() {}        // all earlier bytes have been read by the host

 protected:
  ~Ps2Device() = default;
};

// The controller, as a device sees it.
class Ps2Host {
 public:
  virtual void data_ready() = 0;  // the device has a byte to send
  // The device's port is enabled, and no byte of it waits for the host to read.
  virtual bool port_idle(const Ps2Device& device) const = 0;

 protected:
  ~Ps2Host() = default;
};

}  // namespace relic86
