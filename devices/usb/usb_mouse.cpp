// Report on endpoint 81h:  0: 2 middle, 1 right, 0 left;  1 X to the right, 2 Y down, 3 wheel away from the user, each
// signed. The first three bytes are the boot protocol's (HID 1.11, B.2), which ends there. Vendor, product, class and
// the report's layout are those of QEMU's mouse, which drivers know.
#include "devices/usb/usb_mouse.h"

#include <algorithm>
#include <string>

namespace relic86 {

namespace {

constexpr std::string_view kProduct = "relic86 USB Mouse";
constexpr std::string_view kStrings[] = {"relic86", kProduct, "1"};

constexpr u8 kDeviceDescriptor[] = {
    18,   1,           // size, DEVICE
    0x00, 0x01,        // USB 1.0
    0,    0,    0, 8,  // class: the interface's; packets of 8 bytes
    0x27, 0x06,        // vendor 0627h
    0x01, 0x00,        // product 0001h
    0x00, 0x00,        // release
    1,    2,    3, 1   // strings: vendor, product, serial number; one configuration
};

// HID 1.11, 6.2.2: items of a prefix (tag, type and size) and data.
constexpr u8 kReportDescriptor[] = {
    0x05, 0x01,  // usage page: generic desktop
    0x09, 0x02,  // usage: mouse
    0xA1, 0x01,  // collection: application
    0x09, 0x01,  //   usage: pointer
    0xA1, 0x00,  //   collection: physical
    0x05, 0x09,  //     usage page: buttons, 1 to 3
    0x19, 0x01,  //
    0x29, 0x03,  //
    0x15, 0x00,  //     0 to 1
    0x25, 0x01,  //
    0x95, 0x03,  //     3 times
    0x75, 0x01,  //     1 bit
    0x81, 0x02,  //     input: data, variable, absolute
    0x95, 0x01,  //     once
    0x75, 0x05,  //     5 bits
    0x81, 0x01,  //     input: constant
    0x05, 0x01,  //     usage page: generic desktop
    0x09, 0x30,  //     X
    0x09, 0x31,  //     Y
    0x09, 0x38,  //     wheel
    0x15, 0x81,  //     -127 to 127
    0x25, 0x7F,  //
    0x75, 0x08,  //     8 bits
    0x95, 0x03,  //     3 times
    0x81, 0x06,  //     input: data, variable, relative
    0xC0,        //   end
    0xC0,        // end
};

constexpr u8 kConfigurationDescriptor[] = {
    9, 2,    34,   0,                                            // size, CONFIGURATION, whole size
    1, 1,    0,    0xA0, 50,                                     // one interface, number 1, wakes the host, 100 mA
    9, 4,    0,    0,    1,  3, 1,    2,                         // interface 0: one endpoint, HID, boot protocol, mouse
    0,                                                           //
    9, 0x21, 0x01, 0x00, 0,  1, 0x22, sizeof kReportDescriptor,  // HID 0.01, one report descriptor
    0,                                                           //
    7, 5,    0x81, 3,    4,  0, 10,                              // endpoint 1 IN: interrupt, 4 bytes, each 10 ms
};
static_assert(sizeof kConfigurationDescriptor == 34);

constexpr i32 kMostCounts = 127;             // in a report
constexpr i32 kMostKept = 64 * kMostCounts;  // while no report is fetched

}  // namespace

UsbMouse::UsbMouse() : UsbHid({kDeviceDescriptor, kConfigurationDescriptor, kStrings}, kReportDescriptor) {}

std::string_view UsbMouse::product() const { return kProduct; }

void UsbMouse::move(int dx, int dy, int dz) {
  if (dx == 0 && dy == 0 && dz == 0) return;
  add({.dx = dx, .dy = dy, .dz = dz, .buttons = pressed_});
}

void UsbMouse::buttons(u8 mask) {
  mask &= kLeft | kRight | kMiddle;
  if (mask == pressed_) return;
  pressed_ = mask;
  add({.buttons = mask});
}

// Motion between two changes of the buttons is one event. When a driver reads nothing, the last one becomes the newest.
void UsbMouse::add(const Event& event) {
  if (waiting_.empty() || (waiting_.back().buttons != event.buttons && waiting_.size() < kMostWaiting)) {
    waiting_.push_back({.buttons = event.buttons});
  }
  Event& last = waiting_.back();
  const auto sum = [](i32& kept, i32 more) {
    kept = std::clamp(kept + std::clamp(more, -kMostKept, kMostKept), -kMostKept, kMostKept);
  };
  sum(last.dx, event.dx);
  sum(last.dy, event.dy);
  sum(last.dz, event.dz);
  last.buttons = event.buttons;
  wake_host();
}

// What is more than a report takes stays for the next one.
void UsbMouse::take_news() {
  Event& first = waiting_.front();
  const auto part = [](i32& left) {
    const i32 counts = std::clamp(left, -kMostCounts, kMostCounts);
    left -= counts;
    return counts;
  };
  reported_ = {.dx = part(first.dx), .dy = part(first.dy), .dz = part(first.dz), .buttons = first.buttons};
  if (first.dx == 0 && first.dy == 0 && first.dz == 0) waiting_.erase(waiting_.begin());
}

std::size_t UsbMouse::report(std::span<u8, kMostReport> bytes) const {
  bytes[0] = reported_.buttons;
  bytes[1] = static_cast<u8>(reported_.dx);
  bytes[2] = static_cast<u8>(reported_.dy);
  bytes[3] = static_cast<u8>(reported_.dz);
  return boot_protocol() ? 3 : 4;
}

// What the host's user holds down stays so.
void UsbMouse::clear_reports() {
  waiting_.clear();
  reported_ = {};
}

void UsbMouse::state_event(StateArchive& archive, Event& event) {
  const auto count = [&](std::string_view name, i32& value) {
    archive.field(name, value);
    value = std::clamp(value, -kMostKept, kMostKept);
  };
  count("dx", event.dx);
  count("dy", event.dy);
  count("dz", event.dz);
  archive.field("buttons", event.buttons);
  event.buttons &= kLeft | kRight | kMiddle;
}

void UsbMouse::state_reports(StateArchive& archive) {
  archive.field("pressed", pressed_);
  pressed_ &= kLeft | kRight | kMiddle;
  archive.group("reported", [&] { state_event(archive, reported_); });
  u8 count = static_cast<u8>(waiting_.size());
  archive.field("waiting", count);
  if (archive.loading()) waiting_.resize(std::min<std::size_t>(count, kMostWaiting));
  for (std::size_t i = 0; i < waiting_.size(); i++)
    archive.group("waiting" + std::to_string(i), [&] { state_event(archive, waiting_[i]); });
}

}  // namespace relic86
