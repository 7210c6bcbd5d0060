// A pointing device that reports where the pointer is, not how far it went: the guest's pointer follows the host's.
#pragma once

#include "devices/absolute_pointer.h"
#include "devices/usb/usb_hid.h"

namespace relic86 {

class UsbTablet final : public UsbHid, public AbsolutePointer {
 public:
  UsbTablet();

  // A driver that is slow sees every change of a button, in order, with where it happened.
  bool listened_to() const override { return active(); }
  void point(unsigned x, unsigned y) override;
  void turn_wheel(int counts) override;
  void buttons(u8 mask) override;
  u8 pressed() const override { return newest_.buttons; }
  Position position() const override { return {newest_.x, newest_.y}; }

  std::string_view product() const override;

 protected:
  bool has_news() const override { return !waiting_.empty(); }
  void take_news() override;
  std::size_t report(std::span<u8, kMostReport> bytes) const override;
  void end_motion() override { reported_.wheel = 0; }
  void clear_reports() override;
  void state_reports(StateArchive& archive) override;

 private:
  static constexpr std::size_t kMostWaiting = 16;
  struct Event {
    u16 x = 0, y = 0;
    u8 buttons = 0;
    i8 wheel = 0;
  };
  void add(const Event& event);
  static void state_event(StateArchive& archive, Event& event);

  std::vector<Event> waiting_;  // oldest first
  Event newest_;                // as the host has it
  Event reported_;
};

}  // namespace relic86
