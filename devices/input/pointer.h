// The host's pointer, and which device of the guest's gets it: one that takes positions as soon as a driver listens to
// it, the tablet before VMware's mouse; else a mouse. Of the mice it is VMware's or the one on USB if a driver listens to
// that one, else the PS/2 mouse.
#pragma once

#include <optional>

#include "devices/absolute_pointer.h"
#include "devices/input/ps2_mouse.h"
#include "devices/relative_pointer.h"

namespace relic86 {

class VmwareMouse;

class Pointer {
 public:
  // They must outlive this. vmware_mouse: null if there is none.
  Pointer(Ps2Mouse& mouse, VmwareMouse* vmware_mouse) : mouse_(mouse), vmware_mouse_(vmware_mouse) {}

  // Null: there is none any more.
  void set_tablet(AbsolutePointer* tablet) { tablet_ = tablet; }
  void set_usb_mouse(RelativePointer* mouse) { usb_mouse_ = mouse; }

  // The guest takes positions: who has one need not grab the host's pointer.
  bool absolute() const { return absolute_listener() != nullptr; }
  // Positions have somewhere to go, even if nobody listens yet.
  bool takes_positions() const { return tablet_ != nullptr || absolute(); }
  bool has_tablet() const { return tablet_ != nullptr; }
  bool uses_tablet() const { return tablet_ != nullptr && absolute_listener() == tablet_; }
  bool has_usb_mouse() const { return usb_mouse_ != nullptr; }
  bool uses_vmware_mouse() const;
  // Counts to the right, down and of the wheel away from the user.
  void move(int dx, int dy, int dz);
  // 0 to AbsolutePointer::kMost; the other coordinate stays if only one is given. Nothing happens if nobody takes
  // positions.
  void point(std::optional<unsigned> x, std::optional<unsigned> y);
  void buttons(u8 mask);  // Ps2Mouse::Button bits that are down now
  u8 pressed() const;

 private:
  AbsolutePointer* absolute_listener() const;  // null: nobody listens
  RelativePointer* relative_listener() const;  // null: the PS/2 mouse, whether somebody listens to it or not

  Ps2Mouse& mouse_;
  VmwareMouse* vmware_mouse_;
  AbsolutePointer* tablet_ = nullptr;
  RelativePointer* usb_mouse_ = nullptr;
};

}  // namespace relic86
