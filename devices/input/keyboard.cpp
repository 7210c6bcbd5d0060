#include "devices/input/keyboard.h"

#include "devices/input/hid_usages.h"

namespace relic86 {

// A key is let go where it was pressed, whichever keyboard the guest listens to by then.
void Keyboard::key(KeyCode code, bool down) {
  if (down && press_) press_();
  const u8 usage = hid_usage(code);
  const bool to_usb = usb_listens() && usage != 0;
  if (usb_ != nullptr && usage != 0 && (to_usb || !down)) usb_->key(usage, down);
  if (!to_usb || !down) ps2_.key(code, down);
}

void Keyboard::release_all() {
  ps2_.release_all();
  if (usb_ != nullptr) usb_->release_all();
}

bool Keyboard::pressed(KeyCode code) const {
  const u8 usage = hid_usage(code);
  return ps2_.pressed(code) || (usb_ != nullptr && usage != 0 && usb_->pressed(usage));
}

}  // namespace relic86
