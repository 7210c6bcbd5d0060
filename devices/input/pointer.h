// The host's pointer, and which device of the guest's gets it: the tablet as soon as a driver listens to it, else a
// mouse. Of the mice it is the one on USB if a driver listens to that one, else the PS/2 mouse.
#pragma once

#include <optional>

#include "devices/absolute_pointer.h"
#include "devices/input/ps2_mouse.h"
#include "devices/relative_pointer.h"

namespace relic86 {

class Pointer {
 public:
  // It must outlive this.
  explicit Pointer(Ps2Mouse& mouse) : mouse_(mouse) {}

  // Null: there is none any more.
  void set_tablet(AbsolutePointer* tablet) { tablet_ = tablet; }
  void set_usb_mouse(RelativePointer* mouse) { usb_mouse_ = mouse; }

  // The guest takes positions: who has one need not grab the host's pointer.
  bool absolute() const { return tablet_ != nullptr && tablet_->listened_to(); }
  bool has_tablet() const { return tablet_ != nullptr; }
  bool has_usb_mouse() const { return usb_mouse_ != nullptr; }
  bool uses_usb_mouse() const { return usb_mouse_ != nullptr && usb_mouse_->listened_to(); }
  // Counts to the right, down and of the wheel away from the user.
  void move(int dx, int dy, int dz);
  // 0 to AbsolutePointer::kMost; the other coordinate stays if only one is given. Without a tablet nothing happens.
  void point(std::optional<unsigned> x, std::optional<unsigned> y);
  void buttons(u8 mask);  // Ps2Mouse::Button bits that are down now
  u8 pressed() const;

 private:
  Ps2Mouse& mouse_;
  AbsolutePointer* tablet_ = nullptr;
  RelativePointer* usb_mouse_ = nullptr;
};

}  // namespace relic86
