// A hub of eight ports (USB 2.0, chapter 11, as a full-speed hub).
#pragma once

#include <array>
#include <memory>

#include "devices/usb/usb_device.h"

namespace relic86 {

class UsbHub final : public UsbDevice, public UsbPorts, public UsbHost {
 public:
  static constexpr unsigned kPorts = 8;

  UsbHub();

  std::string_view product() const override;
  UsbDevice* addressed(u8 address) override;
  UsbPorts* ports() override { return this; }

  unsigned port_count() const override { return kPorts; }
  UsbDevice* device_at(unsigned port) const override { return ports_[port].device.get(); }
  void plug(unsigned port, std::unique_ptr<UsbDevice> device) override;
  void unplug(unsigned port) override;

  GuestTime usb_time() const override { return now(); }
  void usb_wake(UsbDevice& device) override;

 protected:
  void reset_function() override;
  void state_function(StateArchive& archive) override;
  std::span<const u8> interface_descriptor(u8) const override { return {}; }
  std::optional<std::vector<u8>> class_answer(const UsbSetup& setup) override;
  bool class_request(const UsbSetup& setup, std::span<const u8> data) override;
  UsbAnswer in(u8 endpoint, std::span<u8> room) override;
  UsbAnswer out(u8, std::span<const u8>) override { return {}; }

 private:
  struct Port {
    std::unique_ptr<UsbDevice> device;
    u16 status = 0, change = 0;  // wPortStatus, wPortChange
  };

  static void connect(Port& port);
  void note(Port& port, u16 change);
  bool set_port_feature(Port& port, u16 feature);
  bool clear_port_feature(Port& port, u16 feature);

  std::array<Port, kPorts> ports_;
};

}  // namespace relic86
