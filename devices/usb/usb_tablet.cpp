// Report of 6 bytes on endpoint 81h:  0: 2 middle, 1 right, 0 left;  1-2 X, 3-4 Y, 0 to 7FFFh;  5 wheel, signed, away
// from the user. Vendor, product, class and the report's layout are those of QEMU's tablet, which drivers know.
#include "devices/usb/usb_tablet.h"

#include <algorithm>
#include <string>

namespace relic86 {

namespace {

constexpr std::string_view kProduct = "relic86 USB Tablet";
constexpr std::string_view kStrings[] = {"relic86", kProduct, "1"};

// USB 1.1, table 9-7.
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
    0x05, 0x01,        // usage page: generic desktop
    0x09, 0x02,        // usage: mouse
    0xA1, 0x01,        // collection: application
    0x09, 0x01,        //   usage: pointer
    0xA1, 0x00,        //   collection: physical
    0x05, 0x09,        //     usage page: buttons, 1 to 3
    0x19, 0x01,        //
    0x29, 0x03,        //
    0x15, 0x00,        //     0 to 1
    0x25, 0x01,        //
    0x75, 0x01,        //     of 1 bit
    0x95, 0x03,        //     3 times
    0x81, 0x02,        //     input: data, variable, absolute
    0x75, 0x05,        //     5 bits
    0x95, 0x01,        //     once
    0x81, 0x01,        //     input: constant
    0x05, 0x01,        //     usage page: generic desktop
    0x09, 0x30,        //     X
    0x09, 0x31,        //     Y
    0x15, 0x00,        //     0 to 7FFFh
    0x26, 0xFF, 0x7F,  //
    0x35, 0x00,        //     the same in physical units
    0x46, 0xFF, 0x7F,  //
    0x75, 0x10,        //     of 16 bits
    0x95, 0x02,        //     twice
    0x81, 0x02,        //     input: data, variable, absolute
    0x09, 0x38,        //     wheel
    0x15, 0x81,        //     -127 to 127
    0x25, 0x7F,        //
    0x35, 0x00,        //     no physical units
    0x45, 0x00,        //
    0x75, 0x08,        //     of 8 bits
    0x95, 0x01,        //     once
    0x81, 0x06,        //     input: data, variable, relative
    0xC0,              //   end
    0xC0,              // end
};

// USB 1.1, tables 9-8 to 9-10; HID 1.11, 6.2.1.
constexpr u8 kConfigurationDescriptor[] = {
    9, 2,    34,   0,         // size, CONFIGURATION, whole size
    1, 1,    0,    0xA0, 50,  // one interface, number 1, wakes the host, 100 mA
    9, 4,    0,    0,    1,  3, 0,    0,
    0,  // interface 0: one endpoint, HID, no boot protocol
    9, 0x21, 0x01, 0x00, 0,  1, 0x22, sizeof kReportDescriptor,
    0,                               // HID 0.01, one report descriptor
    7, 5,    0x81, 3,    8,  0, 10,  // endpoint 1 IN: interrupt, 8 bytes, each 10 ms
};
static_assert(sizeof kConfigurationDescriptor == 34);

}  // namespace

UsbTablet::UsbTablet() : UsbHid({kDeviceDescriptor, kConfigurationDescriptor, kStrings}, kReportDescriptor) {}

std::string_view UsbTablet::product() const { return kProduct; }

void UsbTablet::point(unsigned x, unsigned y) {
  Event event = newest_;
  event.x = static_cast<u16>(std::min(x, kMost));
  event.y = static_cast<u16>(std::min(y, kMost));
  if (event.x == newest_.x && event.y == newest_.y) return;
  add(event);
}

void UsbTablet::turn_wheel(int counts) {
  if (counts == 0) return;
  constexpr int kMostCounts = 127;
  Event event = newest_;
  event.wheel = static_cast<i8>(std::clamp(counts, -kMostCounts, kMostCounts));
  add(event);
}

void UsbTablet::buttons(u8 mask) {
  mask &= kLeft | kRight | kMiddle;
  if (mask == newest_.buttons) return;
  Event event = newest_;
  event.buttons = mask;
  add(event);
}

// Motion between two changes of the buttons is one event. When a driver reads nothing, the last one becomes the newest.
void UsbTablet::add(const Event& event) {
  newest_ = event;
  newest_.wheel = 0;
  const bool same_buttons = !waiting_.empty() && waiting_.back().buttons == event.buttons;
  if (same_buttons || waiting_.size() == kMostWaiting) {
    const int wheel = waiting_.back().wheel + event.wheel;
    waiting_.back() = event;
    waiting_.back().wheel = static_cast<i8>(std::clamp(wheel, -127, 127));
  } else {
    waiting_.push_back(event);
  }
  wake_host();
}

void UsbTablet::take_news() {
  reported_ = waiting_.front();
  waiting_.erase(waiting_.begin());
}

std::size_t UsbTablet::report(std::span<u8, kMostReport> bytes) const {
  bytes[0] = reported_.buttons;
  bytes[1] = static_cast<u8>(reported_.x);
  bytes[2] = static_cast<u8>(reported_.x >> 8);
  bytes[3] = static_cast<u8>(reported_.y);
  bytes[4] = static_cast<u8>(reported_.y >> 8);
  bytes[5] = static_cast<u8>(reported_.wheel);
  return 6;
}

// What the host's user holds down stays so.
void UsbTablet::clear_reports() {
  waiting_.clear();
  reported_ = {};
}

void UsbTablet::state_event(StateArchive& archive, Event& event) {
  archive.field("x", event.x);
  archive.field("y", event.y);
  archive.field("buttons", event.buttons);
  archive.field("wheel", event.wheel);
  event.x = std::min<u16>(event.x, kMost);
  event.y = std::min<u16>(event.y, kMost);
  event.buttons &= kLeft | kRight | kMiddle;
}

void UsbTablet::state_reports(StateArchive& archive) {
  archive.group("newest", [&] { state_event(archive, newest_); });
  archive.group("reported", [&] { state_event(archive, reported_); });
  u8 count = static_cast<u8>(waiting_.size());
  archive.field("waiting", count);
  if (archive.loading()) waiting_.resize(std::min<std::size_t>(count, kMostWaiting));
  for (std::size_t i = 0; i < waiting_.size(); i++)
    archive.group("waiting" + std::to_string(i), [&] { state_event(archive, waiting_[i]); });
}

}  // namespace relic86
