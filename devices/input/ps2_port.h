// The wire between the keyboard controller and a PS/2 device (IBM PS/2 Hardware Interface Technical Reference).
#pragma once

#include "base/types.h"
#include "devices/byte_queue.h"

namespace relic86 {

inline constexpr u8 kPs2Acknowledge = 0xFA;

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

// A byte from the host makes a device give up what it still has to say, but not its acknowledgements: the controller
// takes each of them before it sends the next byte, whether the host waits for them or not.
template <unsigned Capacity>
void keep_acknowledgements(ByteQueue<Capacity>& responses) {
  unsigned count = 0;
  for (; !responses.empty() && responses.front() == kPs2Acknowledge; count++) responses.pop();
  responses.clear();
  for (; count > 0; count--) responses.push(kPs2Acknowledge);
}

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
