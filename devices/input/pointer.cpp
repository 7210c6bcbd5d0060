#include "devices/input/pointer.h"

#include "devices/input/vmware_mouse.h"

namespace relic86 {

AbsolutePointer* Pointer::absolute_listener() const {
  if (tablet_ != nullptr && tablet_->listened_to()) return tablet_;
  return vmware_mouse_ != nullptr && vmware_mouse_->listened_to() ? vmware_mouse_ : nullptr;
}

RelativePointer* Pointer::relative_listener() const {
  if (vmware_mouse_ != nullptr && vmware_mouse_->relative().listened_to()) return &vmware_mouse_->relative();
  return usb_mouse_ != nullptr && usb_mouse_->listened_to() ? usb_mouse_ : nullptr;
}

bool Pointer::uses_vmware_mouse() const {
  if (vmware_mouse_ == nullptr) return false;
  AbsolutePointer* const absolute = absolute_listener();
  return absolute == vmware_mouse_ || (absolute == nullptr && relative_listener() == &vmware_mouse_->relative());
}

void Pointer::move(int dx, int dy, int dz) {
  RelativePointer* const mouse = relative_listener();
  const auto move_mouse = [&](int wheel) {
    mouse != nullptr ? mouse->move(dx, dy, wheel) : mouse_.move(dx, dy, wheel);
  };
  AbsolutePointer* const absolute = absolute_listener();
  if (absolute == nullptr) return move_mouse(dz);
  if (dx != 0 || dy != 0) move_mouse(0);
  absolute->turn_wheel(dz);
}

void Pointer::point(std::optional<unsigned> x, std::optional<unsigned> y) {
  AbsolutePointer* const listener = absolute_listener();
  AbsolutePointer* const device = listener != nullptr ? listener : tablet_;
  if (device == nullptr) return;
  const AbsolutePointer::Position before = device->position();
  device->point(x.value_or(before.x), y.value_or(before.y));
}

// What was pressed on one device before the guest turned to another one is let go there.
void Pointer::buttons(u8 mask) {
  AbsolutePointer* const absolute = absolute_listener();
  RelativePointer* const relative = absolute == nullptr ? relative_listener() : nullptr;
  if (tablet_ != nullptr) tablet_->buttons(tablet_ == absolute ? mask : u8{0});
  if (usb_mouse_ != nullptr) usb_mouse_->buttons(usb_mouse_ == relative ? mask : u8{0});
  if (vmware_mouse_ != nullptr) vmware_mouse_->buttons(uses_vmware_mouse() ? mask : u8{0});
  const bool to_mouse = absolute == nullptr && relative == nullptr;
  if (to_mouse || mouse_.pressed() != 0) mouse_.buttons(to_mouse ? mask : u8{0});
}

u8 Pointer::pressed() const {
  if (const AbsolutePointer* const absolute = absolute_listener()) return absolute->pressed();
  const RelativePointer* const relative = relative_listener();
  return relative != nullptr ? relative->pressed() : mouse_.pressed();
}

}  // namespace relic86
