// What USB devices are plugged into: the controller's root ports, or those of a hub.
#pragma once

#include <memory>

namespace relic86 {

class UsbDevice;

class UsbPorts {
 public:
  virtual unsigned port_count() const = 0;
  // port: from 0 on. Null: it is free.
  virtual UsbDevice* device_at(unsigned port) const = 0;
  // The port must be free. The driver sees the device come and go, at any time.
  virtual void plug(unsigned port, std::unique_ptr<UsbDevice> device) = 0;
  virtual void unplug(unsigned port) = 0;

 protected:
  ~UsbPorts() = default;
};

}  // namespace relic86
