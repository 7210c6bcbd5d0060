// A mouse of three buttons and a wheel.
#pragma once

#include "devices/relative_pointer.h"
#include "devices/usb/usb_hid.h"

namespace relic86 {

class UsbMouse final : public UsbHid, public RelativePointer {
 public:
  UsbMouse();

  bool listened_to() const override { return active(); }
  void move(int dx, int dy, int dz) override;
  void buttons(u8 mask) override;
  u8 pressed() const override { return pressed_; }

  std::string_view product() const override;

 protected:
  bool has_news() const override { return !waiting_.empty(); }
  void take_news() override;
  std::size_t report(std::span<u8, kMostReport> bytes) const override;
  void end_motion() override { reported_ = {.buttons = reported_.buttons}; }
  void clear_reports() override;
  void state_reports(StateArchive& archive) override;

 private:
  static constexpr std::size_t kMostWaiting = 16;
  // Motion with the buttons that are down meanwhile.
  struct Event {
    i32 dx = 0, dy = 0, dz = 0;
    u8 buttons = 0;
  };
  static void state_event(StateArchive& archive, Event& event);
  void add(const Event& event);

  std::vector<Event> waiting_;  // oldest first
  Event reported_;
  u8 pressed_ = 0;
};

}  // namespace relic86
