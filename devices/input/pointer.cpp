#include "devices/input/pointer.h"

namespace relic86 {

void Pointer::move(int dx, int dy, int dz) {
  const auto move_mouse = [&](int wheel) {
    uses_usb_mouse() ? usb_mouse_->move(dx, dy, wheel) : mouse_.move(dx, dy, wheel);
  };
  if (!absolute()) return move_mouse(dz);
  if (dx != 0 || dy != 0) move_mouse(0);
  tablet_->turn_wheel(dz);
}

void Pointer::point(std::optional<unsigned> x, std::optional<unsigned> y) {
  if (tablet_ == nullptr) return;
  const AbsolutePointer::Position before = tablet_->position();
  tablet_->point(x.value_or(before.x), y.value_or(before.y));
}

// What was pressed on one device before the guest turned to another one is let go there.
void Pointer::buttons(u8 mask) {
  const bool to_tablet = absolute(), to_usb_mouse = !to_tablet && uses_usb_mouse();
  if (tablet_ != nullptr) tablet_->buttons(to_tablet ? mask : u8{0});
  if (usb_mouse_ != nullptr) usb_mouse_->buttons(to_usb_mouse ? mask : u8{0});
  const bool to_mouse = !to_tablet && !to_usb_mouse;
  if (to_mouse || mouse_.pressed() != 0) mouse_.buttons(to_mouse ? mask : u8{0});
}

u8 Pointer::pressed() const {
  if (absolute()) return tablet_->pressed();
  return uses_usb_mouse() ? usb_mouse_->pressed() : mouse_.pressed();
}

}  // namespace relic86
