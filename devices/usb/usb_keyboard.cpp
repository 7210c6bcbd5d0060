// Report of 8 bytes on endpoint 81h (HID 1.11, B.1):  0: modifiers, bit n for usage E0h + n;  1: 0;  2-7: usages of up
// to six other keys that are down, 01h in all of them if there are more. Output report, by SET_REPORT: 2 scroll lock, 1
// caps lock, 0 num lock. The boot protocol is the same. Vendor, product, class and the reports' layout are those of
// QEMU's keyboard, which drivers know.
#include "devices/usb/usb_keyboard.h"

#include <algorithm>

namespace relic86 {

namespace {

constexpr std::string_view kProduct = "relic86 USB Keyboard";
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
    0x05, 0x01,        // usage page: generic desktop
    0x09, 0x06,        // usage: keyboard
    0xA1, 0x01,        // collection: application
    0x75, 0x01,        //   1 bit
    0x95, 0x08,        //   8 times
    0x05, 0x07,        //   usage page: keys
    0x19, 0xE0,        //   left Ctrl to right GUI
    0x29, 0xE7,        //
    0x15, 0x00,        //   0 to 1
    0x25, 0x01,        //
    0x81, 0x02,        //   input: data, variable, absolute
    0x95, 0x01,        //   once
    0x75, 0x08,        //   8 bits
    0x81, 0x01,        //   input: constant
    0x95, 0x05,        //   5 times
    0x75, 0x01,        //   1 bit
    0x05, 0x08,        //   usage page: LEDs, num lock to kana
    0x19, 0x01,        //
    0x29, 0x05,        //
    0x91, 0x02,        //   output: data, variable, absolute
    0x95, 0x01,        //   once
    0x75, 0x03,        //   3 bits
    0x91, 0x01,        //   output: constant
    0x95, 0x06,        //   6 times
    0x75, 0x08,        //   8 bits
    0x15, 0x00,        //   0 to 255
    0x26, 0xFF, 0x00,  //
    0x05, 0x07,        //   usage page: keys
    0x19, 0x00,        //
    0x29, 0xFF,        //
    0x81, 0x00,        //   input: data, array
    0xC0,              // end
};

constexpr u8 kConfigurationDescriptor[] = {
    9, 2,    34,   0,                                            // size, CONFIGURATION, whole size
    1, 1,    0,    0xA0, 50,                                     // one interface, number 1, wakes the host, 100 mA
    9, 4,    0,    0,    1,  3, 1,    1,                         // interface 0: one endpoint, HID, boot protocol,
    0,                                                           // keyboard
    9, 0x21, 0x11, 0x01, 0,  1, 0x22, sizeof kReportDescriptor,  // HID 1.11, one report descriptor
    0,                                                           //
    7, 5,    0x81, 3,    8,  0, 10,                              // endpoint 1 IN: interrupt, 8 bytes, each 10 ms
};
static_assert(sizeof kConfigurationDescriptor == 34);

constexpr u8 kHalfASecond = 125;  // times 4 ms: what HID 1.11, 7.2.4, advises
constexpr u8 kErrorRollOver = 0x01, kFirstKey = 0x04, kFirstModifier = 0xE0, kModifiers = 8;
constexpr std::size_t kReportBytes = 8, kKeysAt = 2;
constexpr u8 kLightBits = 0x1F;

}  // namespace

UsbKeyboard::UsbKeyboard()
    : UsbHid({kDeviceDescriptor, kConfigurationDescriptor, kStrings}, kReportDescriptor, kHalfASecond) {}

std::string_view UsbKeyboard::product() const { return kProduct; }

void UsbKeyboard::key(u8 usage, bool down) {
  if (usage < kFirstKey || held_[usage] == down) return;
  held_[usage] = down;
  if (waiting_.size() == kMostWaiting) {
    waiting_.clear();
    late_ = true;
  }
  // While a report of all keys is due it tells this one, too.
  if (!late_) waiting_.push_back(usage);
  wake_host();
}

void UsbKeyboard::release_all() {
  for (std::size_t usage = 0; usage < kUsages; usage++) key(static_cast<u8>(usage), false);
}

u8 UsbKeyboard::lights() const {
  const auto light = [&](u8 led, Light as) { return (lights_ & led) != 0 ? as : 0; };
  return static_cast<u8>(light(1, kNumLock) | light(2, kCapsLock) | light(4, kScrollLock));
}

bool UsbKeyboard::take_output(std::span<const u8> data) {
  if (data.empty()) return false;
  lights_ = data[0] & kLightBits;
  return true;
}

// A slow driver sees every change, in order: each one turns its key over.
void UsbKeyboard::take_news() {
  if (late_) {
    late_ = false;
    reported_ = held_;
    return;
  }
  reported_.flip(waiting_.front());
  waiting_.erase(waiting_.begin());
}

std::size_t UsbKeyboard::report(std::span<u8, kMostReport> bytes) const {
  static_assert(kReportBytes <= kMostReport);
  std::fill(bytes.begin(), bytes.end(), u8{0});
  for (unsigned i = 0; i < kModifiers; i++)
    bytes[0] = static_cast<u8>(bytes[0] | (reported_[kFirstModifier + i] ? 1u << i : 0u));
  std::size_t at = kKeysAt;
  for (std::size_t usage = kFirstKey; usage < kFirstModifier; usage++) {
    if (!reported_[usage]) continue;
    if (at == kReportBytes) {
      std::fill(bytes.begin() + kKeysAt, bytes.end(), kErrorRollOver);
      break;
    }
    bytes[at++] = static_cast<u8>(usage);
  }
  return kReportBytes;
}

// What the host's user holds down stays so, and is told when a driver comes.
void UsbKeyboard::clear_reports() {
  waiting_.clear();
  reported_.reset();
  lights_ = 0;
  late_ = held_.any();
}

void UsbKeyboard::state_keys(StateArchive& archive, std::string_view name, Keys& keys) {
  std::array<u8, kUsages> down;
  for (std::size_t i = 0; i < kUsages; i++) down[i] = keys[i] ? 1 : 0;
  archive.bytes(name, down);
  for (std::size_t i = 0; i < kUsages; i++) keys[i] = down[i] != 0;
}

void UsbKeyboard::state_reports(StateArchive& archive) {
  state_keys(archive, "held", held_);
  state_keys(archive, "reported", reported_);
  archive.resizable("waiting", waiting_);
  archive.field("late", late_);
  archive.field("lights", lights_);
  if (!archive.loading()) return;
  if (waiting_.size() > kMostWaiting) waiting_.resize(kMostWaiting);
  lights_ &= kLightBits;
}

}  // namespace relic86
