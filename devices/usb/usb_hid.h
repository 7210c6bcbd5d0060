// What human interface devices share: one interrupt endpoint with reports, and the requests of their class (USB Device
// Class Definition for HID 1.11, chapter 7).
#pragma once

#include <array>

#include "devices/usb/usb_device.h"

namespace relic86 {

class UsbHid : public UsbDevice {
 public:
  // report_descriptor: what a report's bits mean (HID 1.11, 6.2.2). usual_idle: the idle rate after a reset.
  UsbHid(const UsbDescriptors& descriptors, std::span<const u8> report_descriptor, u8 usual_idle = 0)
      : UsbDevice(descriptors),
        report_descriptor_(report_descriptor),
        configuration_(descriptors.configuration),
        usual_idle_(usual_idle) {}

  // A driver asks for reports.
  bool active() const { return configured() && polled_; }

 protected:
  static constexpr u8 kReportEndpoint = 1;
  static constexpr std::size_t kMostReport = 8;

  // Something is to be reported that was not yet.
  virtual bool has_news() const = 0;
  // Steps to the next report, if there is news; report() then gives it, again and again.
  virtual void take_news() = 0;
  virtual std::size_t report(std::span<u8, kMostReport> bytes) const = 0;
  // The last report is going to be repeated for the idle rate: motion that it told of is over.
  virtual void end_motion() {}
  virtual void clear_reports() = 0;
  virtual void state_reports(StateArchive& archive) = 0;
  // What the driver sets (lights). False: there is nothing of the kind.
  virtual bool take_output(std::span<const u8>) { return false; }
  virtual std::optional<u8> output() const { return std::nullopt; }

  // A BIOS has chosen the reports of the boot protocol (HID 1.11, appendix B).
  bool boot_protocol() const { return protocol_ == 0; }

  void reset_function() final;
  void state_function(StateArchive& archive) final;
  std::span<const u8> interface_descriptor(u8 type) const final;
  std::optional<std::vector<u8>> class_answer(const UsbSetup& setup) final;
  bool class_request(const UsbSetup& setup, std::span<const u8> data) final;
  UsbAnswer in(u8 endpoint, std::span<u8> room) final;
  UsbAnswer out(u8, std::span<const u8>) final { return {}; }

 private:
  std::span<const u8> hid_descriptor() const;

  std::span<const u8> report_descriptor_;
  std::span<const u8> configuration_;
  const u8 usual_idle_;
  bool polled_ = false;
  u8 idle_ = usual_idle_;  // 4 ms each after which a report is repeated; 0: never
  u8 protocol_ = 1;
  GuestTime reported_at_ = 0;
};

}  // namespace relic86
