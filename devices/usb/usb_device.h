// A USB 1.1 device: its address, the default control pipe with the standard requests (USB 1.1, chapters 8 and 9), and
// the endpoints that its kind adds.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/guest_clock.h"
#include "base/state_archive.h"
#include "devices/usb/usb_ports.h"

namespace relic86 {

// Token packets by their PID (8.3.1).
enum class UsbToken : u8 { Out = 0xE1, In = 0x69, Setup = 0x2D };

// What answers a token. bytes: those that an IN brought.
struct UsbAnswer {
  enum class Kind : u8 {
    Ack,
    Nak,    // not now; ask again
    Stall,  // the request or the endpoint does not work
    None,   // nobody answers: no such device or endpoint
  } kind = Kind::None;
  std::size_t bytes = 0;
};

// The eight bytes of a SETUP (9.3).
struct UsbSetup {
  u8 type = 0;  // 7 to the host, 6:5 standard, class, vendor, 4:0 device, interface, endpoint
  u8 request = 0;
  u16 value = 0;
  u16 index = 0;
  u16 length = 0;
  bool to_host() const { return (type & 0x80) != 0; }
};

// What the device says of itself. configuration: with its interfaces and endpoints; strings: from number 1 on, ASCII.
struct UsbDescriptors {
  std::span<const u8> device;
  std::span<const u8> configuration;
  std::span<const std::string_view> strings;
};

class UsbDevice;

// The controller that the device is plugged into.
class UsbHost {
 public:
  virtual GuestTime usb_time() const = 0;
  // The device has something to say while its port or the bus sleeps, and was allowed to wake it (9.1.1.6).
  virtual void usb_wake(UsbDevice& device) = 0;

 protected:
  ~UsbHost() = default;
};

class UsbDevice {
 public:
  static constexpr u8 kControlPacket = 8;  // most bytes of a packet of the default pipe

  explicit UsbDevice(const UsbDescriptors& descriptors) : descriptors_(descriptors) {}
  virtual ~UsbDevice() = default;
  UsbDevice(const UsbDevice&) = delete;
  UsbDevice& operator=(const UsbDevice&) = delete;

  void set_host(UsbHost* host) { host_ = host; }
  // As the device calls itself: its product string.
  virtual std::string_view product() const = 0;
  u8 address() const { return address_; }
  // The device that answers at an address: this one, or one that hangs on it. Null: none.
  virtual UsbDevice* addressed(u8 address) { return address == address_ ? this : nullptr; }
  // A hub's ports; null: it is none.
  virtual UsbPorts* ports() { return nullptr; }
  // In place of the serial number that the descriptors give; up to 126 ASCII characters. Before it is plugged in.
  void set_serial_number(std::string number) { serial_number_ = std::move(number); }
  bool configured() const { return configuration_ != 0; }

  // The bus is reset: address 0, not configured.
  void bus_reset();
  // One transaction. data: what an OUT or a SETUP brings, or room for what an IN fetches.
  UsbAnswer transact(UsbToken token, u8 endpoint, std::span<u8> data);
  void state(StateArchive& archive);

 protected:
  virtual void reset_function() = 0;
  virtual void state_function(StateArchive& archive) = 0;
  // Descriptors of an interface (GET_DESCRIPTOR to it); empty: there is none of this type.
  virtual std::span<const u8> interface_descriptor(u8 type) const = 0;
  // Requests of a class. The first gives what goes to the host, the second takes what came; nothing or false: stalled.
  virtual std::optional<std::vector<u8>> class_answer(const UsbSetup& setup) = 0;
  virtual bool class_request(const UsbSetup& setup, std::span<const u8> data) = 0;
  // Other endpoints than the default pipe, of a configured device.
  virtual UsbAnswer in(u8 endpoint, std::span<u8> room) = 0;
  virtual UsbAnswer out(u8 endpoint, std::span<const u8> data) = 0;
  // SET_CONFIGURATION, also with the number that it has.
  virtual void configuration_set() {}

  // The endpoint stalls until the driver clears it (5.3.2). address: with bit 7 for an IN.
  void halt(u8 address) { halted_ |= endpoint_bit(address); }
  UsbHost* host() const { return host_; }
  GuestTime now() const { return host_ == nullptr ? 0 : host_->usb_time(); }
  void wake_host();

 private:
  static constexpr std::size_t kMostControlData = 4096;
  enum class Stage : u8 { Idle, DataIn, DataOut, StatusIn, Stalled };

  UsbAnswer begin(std::span<const u8> bytes);
  UsbAnswer control_in(std::span<u8> room);
  UsbAnswer control_out(std::span<const u8> data);
  std::optional<std::vector<u8>> answer();
  std::optional<std::vector<u8>> descriptor() const;
  std::string_view text_of(u8 number) const;
  std::optional<std::vector<u8>> status() const;
  bool carry_out(std::span<const u8> data);
  bool standard_request();
  bool set_feature(bool on);
  bool has_endpoint(u8 address) const;
  static u32 endpoint_bit(u8 address) { return 1u << ((address & 0xF) + ((address & 0x80) != 0 ? 16 : 0)); }

  UsbDescriptors descriptors_;
  std::string serial_number_;  // empty: that of the descriptors
  UsbHost* host_ = nullptr;
  u8 address_ = 0;
  u8 configuration_ = 0;
  bool remote_wakeup_ = false;
  u32 halted_ = 0;  // bits 15:0 OUT endpoints, 31:16 IN endpoints
  Stage stage_ = Stage::Idle;
  UsbSetup setup_;
  std::vector<u8> data_;  // of the data stage
  u32 moved_ = 0;         // bytes of data_ that the host has
};

}  // namespace relic86
