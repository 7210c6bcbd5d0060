//   request (USB 2.0, 11.24.2)             value     answered by
//   A0h, 00h GET_STATUS of the hub                   0: power is good, no current too high
//   A0h, 06h GET_DESCRIPTOR                2900h     the hub's own descriptor (11.23.2)
//   A3h, 00h GET_STATUS of port (index)              status and change, of 2 bytes each
//   23h, 03h SET_FEATURE, 01h CLEAR_FEATURE of a port (index): see Feature
//   20h, 03h SET_FEATURE, 01h CLEAR_FEATURE of the hub  0 and 1: its changes, of which there are none
//
//   port status: 8 power, 4 reset, 3 over-current, 2 suspended, 1 enabled, 0 connected; 9 and 10, the speed, are 0:
//   full port change: 4 reset is over, 2 resume is over, 1 disabled by an error, 0 connect changed endpoint 81h: a bit
//   for each port that has a change, from bit 1 on
//
// Ports always have power (no power switching), so that a reset of the hub is what disconnects them. Resets and resumes
// are over at once: drivers poll for their ends.
#include "devices/usb/usb_hub.h"

#include <algorithm>
#include <string>

#include "base/assert.h"

namespace relic86 {

namespace {

constexpr std::string_view kProduct = "relic86 USB Hub";
constexpr std::string_view kStrings[] = {"relic86", kProduct, "1"};

constexpr u8 kDeviceDescriptor[] = {
    18,   1,           // size, DEVICE
    0x10, 0x01,        // USB 1.1
    9,    0,    0, 8,  // class: hub; packets of 8 bytes
    0x09, 0x04,        // vendor 0409h and product 55AAh: those of QEMU's hub
    0xAA, 0x55,        //
    0x01, 0x01,        // release
    1,    2,    3, 1   // strings: vendor, product, serial number; one configuration
};
constexpr u8 kChangeEndpoint = 1;
constexpr u8 kConfigurationDescriptor[] = {
    9, 2, 25,   0,                // size, CONFIGURATION, whole size
    1, 1, 0,    0xE0, 0,          // one interface, number 1, powered by itself, wakes the host
    9, 4, 0,    0,    1,          // interface 0: one endpoint
    9, 0, 0,    0,                // hub
    7, 5, 0x81, 3,    2, 0, 255,  // endpoint 1 IN: interrupt, 2 bytes, each 255 ms
};
static_assert(sizeof kConfigurationDescriptor == 25);

constexpr u8 kHubType = 0x29;
constexpr u8 kHubDescriptor[] = {
    11,   kHubType, UsbHub::kPorts,  //
    0x0A, 0,                         // no power switching, no protection against too much current
    1,    0,                         // power is good after 2 ms; the hub itself takes none
    0,    0,                         // every device can be taken off
    0xFF, 0xFF,                      // as USB 1.0 wants it
};
static_assert(sizeof kHubDescriptor == 11);

constexpr u8 kHubAnswer = 0xA0, kPortAnswer = 0xA3, kHubRequest = 0x20, kPortRequest = 0x23;
enum Request : u8 { kGetStatus = 0, kClearFeature = 1, kSetFeature = 3, kGetDescriptor = 6 };
enum Feature : u16 {
  kPortEnable = 1,
  kPortSuspend = 2,
  kPortReset = 4,
  kPortPower = 8,
  kChangeConnection = 16,
  kChangeEnable = 17,
  kChangeSuspend = 18,
  kChangeOverCurrent = 19,
  kChangeReset = 20,
};
constexpr u16 kLastHubFeature = 1;  // C_HUB_LOCAL_POWER and C_HUB_OVER_CURRENT

// Bits of status; those of change stand at the same places.
constexpr u16 kConnected = 1, kEnabled = 2, kSuspended = 4, kReset = 16, kPowered = 1u << 8;
constexpr u16 kStatusBits = kConnected | kEnabled | kSuspended | kPowered;
constexpr u16 kChangeBits = kConnected | kEnabled | kSuspended | kReset;

}  // namespace

UsbHub::UsbHub() : UsbDevice({kDeviceDescriptor, kConfigurationDescriptor, kStrings}) { UsbHub::reset_function(); }

std::string_view UsbHub::product() const { return kProduct; }

UsbDevice* UsbHub::addressed(u8 address) {
  if (UsbDevice* const own = UsbDevice::addressed(address); own != nullptr) return own;
  for (const Port& port : ports_) {
    if ((port.status & (kEnabled | kSuspended)) != kEnabled) continue;
    if (UsbDevice* const found = port.device->addressed(address); found != nullptr) return found;
  }
  return nullptr;
}

// --- Ports ---

void UsbHub::connect(Port& port) {
  port.status = kPowered;
  port.change = 0;
  if (port.device == nullptr) return;
  port.status |= kConnected;
  port.change = kConnected;
  port.device->bus_reset();
}

// What a driver is to hear of; it may be asleep.
void UsbHub::note(Port& port, u16 change) {
  port.change |= change;
  wake_host();
}

void UsbHub::plug(unsigned port, std::unique_ptr<UsbDevice> device) {
  RELIC86_ASSERT(port < kPorts && ports_[port].device == nullptr);
  device->set_host(this);
  Port& taken = ports_[port];
  const u16 before = taken.change;
  taken.device = std::move(device);
  connect(taken);
  note(taken, before);
}

void UsbHub::unplug(unsigned port) {
  RELIC86_ASSERT(port < kPorts && ports_[port].device != nullptr);
  ports_[port].device.reset();
  ports_[port].status = kPowered;
  note(ports_[port], kConnected);
}

// Resume signalling goes up through every hub, whether or not that one may wake the host by itself (11.4.4).
void UsbHub::usb_wake(UsbDevice& device) {
  for (Port& port : ports_) {
    if (port.device.get() != &device || (port.status & kSuspended) == 0) continue;
    port.status &= static_cast<u16>(~kSuspended);
    port.change |= kSuspended;
  }
  if (host() != nullptr) host()->usb_wake(*this);
}

void UsbHub::reset_function() {
  for (Port& port : ports_) connect(port);
}

void UsbHub::state_function(StateArchive& archive) {
  for (unsigned i = 0; i < kPorts; i++) {
    Port& port = ports_[i];
    archive.group("port" + std::to_string(i), [&] {
      archive.field("status", port.status);
      archive.field("change", port.change);
      if (port.device) archive.group("device", [&] { port.device->state(archive); });
    });
    port.status = static_cast<u16>((port.status & kStatusBits) | kPowered);
    port.status =
        static_cast<u16>(port.device ? port.status | kConnected : port.status & ~(kConnected | kEnabled | kSuspended));
    port.change &= kChangeBits;
  }
}

// --- Requests ---

std::optional<std::vector<u8>> UsbHub::class_answer(const UsbSetup& setup) {
  if (setup.type == kHubAnswer && setup.request == kGetDescriptor && setup.value >> 8 == kHubType)
    return std::vector<u8>(std::begin(kHubDescriptor), std::end(kHubDescriptor));
  if (setup.type == kHubAnswer && setup.request == kGetStatus) return std::vector<u8>(4);
  if (setup.type != kPortAnswer || setup.request != kGetStatus || setup.index < 1 || setup.index > kPorts)
    return std::nullopt;
  const Port& port = ports_[setup.index - 1u];
  return std::vector<u8>{static_cast<u8>(port.status), static_cast<u8>(port.status >> 8), static_cast<u8>(port.change),
                         0};
}

bool UsbHub::class_request(const UsbSetup& setup, std::span<const u8>) {
  const bool set = setup.request == kSetFeature;
  if (!set && setup.request != kClearFeature) return false;
  if (setup.type == kHubRequest) return setup.value <= kLastHubFeature;
  // 15:8 of the index select a test mode or an indicator, which there are not.
  const u8 number = static_cast<u8>(setup.index);
  if (setup.type != kPortRequest || number < 1 || number > kPorts) return false;
  Port& port = ports_[number - 1u];
  return set ? set_port_feature(port, setup.value) : clear_port_feature(port, setup.value);
}

bool UsbHub::set_port_feature(Port& port, u16 feature) {
  switch (feature) {
    case kPortReset:
      if (port.device == nullptr) return true;
      port.status = kPowered | kConnected | kEnabled;
      port.device->bus_reset();
      note(port, kReset);
      return true;
    case kPortSuspend:
      if ((port.status & kEnabled) != 0) port.status |= kSuspended;
      return true;
    case kPortPower: return true;
    default: return false;
  }
}

bool UsbHub::clear_port_feature(Port& port, u16 feature) {
  const auto clear = [](u16& bits, u16 bit) { bits &= static_cast<u16>(~bit); };
  switch (feature) {
    case kPortEnable: clear(port.status, kEnabled | kSuspended); return true;
    case kPortSuspend:
      if ((port.status & kSuspended) == 0) return true;
      clear(port.status, kSuspended);
      note(port, kSuspended);
      return true;
    case kPortPower: return true;
    case kChangeConnection: clear(port.change, kConnected); return true;
    case kChangeEnable: clear(port.change, kEnabled); return true;
    case kChangeSuspend: clear(port.change, kSuspended); return true;
    case kChangeOverCurrent: return true;
    case kChangeReset: clear(port.change, kReset); return true;
    default: return false;
  }
}

UsbAnswer UsbHub::in(u8 endpoint, std::span<u8> room) {
  if (endpoint != kChangeEndpoint) return {};
  u32 changed = 0;
  for (unsigned i = 0; i < kPorts; i++) changed |= (ports_[i].change != 0 ? 1u : 0u) << (i + 1);
  if (changed == 0) return {UsbAnswer::Kind::Nak};
  const std::size_t size = std::min<std::size_t>(room.size(), 2);
  for (std::size_t i = 0; i < size; i++) room[i] = static_cast<u8>(changed >> (8 * i));
  return {UsbAnswer::Kind::Ack, size};
}

}  // namespace relic86
