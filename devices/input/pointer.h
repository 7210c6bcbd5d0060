// The host's pointer, and which device of the guest's gets it: the tablet as soon as a driver listens to it, else the
// PS/2 mouse.
#pragma once

#include <optional>

#include "devices/absolute_pointer.h"
#include "devices/input/ps2_mouse.h"

namespace relic86 {

class Pointer {
 public:
  // Both must outlive it; tablet: null: there is none.
  Pointer(Ps2Mouse& mouse, AbsolutePointer* tablet) : mouse_(mouse), tablet_(tablet) {}

  // The guest takes positions: who has one need not grab the host's pointer.
  bool absolute() const { return tablet_ != nullptr && tablet_->listened_to(); }
  bool has_tablet() const { return tablet_ != nullptr; }
  // Counts to the right, down and of the wheel away from the user.
  void move(int dx, int dy, int dz);
  // 0 to AbsolutePointer::kMost; the other coordinate stays if only one is given. Without a tablet nothing happens.
  void point(std::optional<unsigned> x, std::optional<unsigned> y);
  void buttons(u8 mask);  // Ps2Mouse::Button bits that are down now
  u8 pressed() const { return absolute() ? tablet_->pressed() : mouse_.pressed(); }

 private:
  Ps2Mouse& mouse_;
  AbsolutePointer* const tablet_;
};

}  // namespace relic86
