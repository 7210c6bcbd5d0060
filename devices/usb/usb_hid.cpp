//   request (HID 1.11, 7.2)                 value
//   01h GET_REPORT, 09h SET_REPORT          15:8 type: 1 input (GET alone), 2 output; 7:0 number of the report
//   02h GET_IDLE, 0Ah SET_IDLE              15:8 of SET_IDLE: repeat unchanged reports after so many times 4 ms, 0:
//   never 03h GET_PROTOCOL, 0Bh SET_PROTOCOL      0 boot, 1 report
#include "devices/usb/usb_hid.h"

#include <algorithm>

namespace relic86 {

namespace {
enum Request : u8 {
  kGetReport = 1,
  kGetIdle = 2,
  kGetProtocol = 3,
  kSetReport = 9,
  kSetIdle = 10,
  kSetProtocol = 11,
};
constexpr u8 kHidType = 0x21, kReportType = 0x22;
constexpr u8 kInputReport = 1, kOutputReport = 2;
constexpr u8 kClassToInterface = 0x21, kRecipientBits = 0x7F;
constexpr GuestTime kIdleUnit = 4'000'000;
}  // namespace

void UsbHid::reset_function() {
  polled_ = false;
  idle_ = usual_idle_;
  protocol_ = 1;
  reported_at_ = 0;
  clear_reports();
}

void UsbHid::state_function(StateArchive& archive) {
  archive.field("polled", polled_);
  archive.field("idle", idle_);
  archive.field("protocol", protocol_);
  archive.field("reported_at", reported_at_);
  state_reports(archive);
}

// It stands between the interface's descriptor and the endpoint's.
std::span<const u8> UsbHid::hid_descriptor() const {
  for (std::size_t at = 0; at + 1 < configuration_.size() && configuration_[at] != 0; at += configuration_[at]) {
    if (configuration_[at + 1] == kHidType) return configuration_.subspan(at, configuration_[at]);
  }
  return {};
}

std::span<const u8> UsbHid::interface_descriptor(u8 type) const {
  if (type == kReportType) return report_descriptor_;
  return type == kHidType ? hid_descriptor() : std::span<const u8>{};
}

std::optional<std::vector<u8>> UsbHid::class_answer(const UsbSetup& setup) {
  if ((setup.type & kRecipientBits) != kClassToInterface) return std::nullopt;
  switch (setup.request) {
    case kGetReport: {
      if (setup.value >> 8 == kOutputReport) {
        const auto byte = output();
        return byte ? std::optional(std::vector<u8>{*byte}) : std::nullopt;
      }
      if (setup.value >> 8 != kInputReport) return std::nullopt;
      std::array<u8, kMostReport> bytes{};
      const std::size_t size = report(bytes);
      return std::vector<u8>(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    }
    case kGetIdle: return std::vector<u8>{idle_};
    case kGetProtocol: return std::vector<u8>{protocol_};
    default: return std::nullopt;
  }
}

bool UsbHid::class_request(const UsbSetup& setup, std::span<const u8> data) {
  if ((setup.type & kRecipientBits) != kClassToInterface) return false;
  switch (setup.request) {
    case kSetReport: return setup.value >> 8 == kOutputReport && take_output(data);
    case kSetIdle:
      idle_ = static_cast<u8>(setup.value >> 8);
      reported_at_ = now();
      return true;
    case kSetProtocol: protocol_ = static_cast<u8>(setup.value & 1); return true;
    default: return false;
  }
}

UsbAnswer UsbHid::in(u8 endpoint, std::span<u8> room) {
  if (endpoint != kReportEndpoint) return {};
  polled_ = true;
  const bool repeats = idle_ != 0 && now() - reported_at_ >= idle_ * kIdleUnit;
  if (!has_news() && !repeats) return {UsbAnswer::Kind::Nak};
  has_news() ? take_news() : end_motion();
  reported_at_ = now();
  std::array<u8, kMostReport> bytes{};
  const std::size_t size = std::min(report(bytes), room.size());
  std::copy_n(bytes.begin(), size, room.begin());
  return {UsbAnswer::Kind::Ack, size};
}

}  // namespace relic86
