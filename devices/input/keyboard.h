// The host's keyboard, and which one of the guest's gets its keys: a USB keyboard as soon as a driver listens to it,
// else the PS/2 keyboard. Keys that USB keyboards do not have go to the PS/2 keyboard in any case.
#pragma once

#include <functional>

#include "devices/hid_keyboard.h"
#include "devices/input/ps2_keyboard.h"

namespace relic86 {

class Keyboard {
 public:
  // It must outlive this.
  explicit Keyboard(Ps2Keyboard& ps2) : ps2_(ps2) {}

  // Null: there is none any more.
  void set_usb(HidKeyboard* usb) { usb_ = usb; }
  // Told of every key that goes down, heard by the guest or not: a key wakes a suspended machine.
  void on_press(std::function<void()> listener) { press_ = std::move(listener); }

  // A key went down or up. Repeated downs of a held key are ignored.
  void key(KeyCode code, bool down);
  void release_all();  // the window lost the focus
  bool pressed(KeyCode code) const;
  // True when the guest has read all that was typed so far and takes more: what is typed or pasted waits for it.
  bool ready_for_key() const { return usb_listens() ? usb_->ready_for_key() : ps2_.ready_for_key(); }
  // The lights as the guest set them: bit 0 scroll lock, 1 num lock, 2 caps lock.
  u8 lights() const { return usb_listens() ? usb_->lights() : ps2_.lights(); }

 private:
  bool usb_listens() const { return usb_ != nullptr && usb_->listened_to(); }

  Ps2Keyboard& ps2_;
  HidKeyboard* usb_ = nullptr;
  std::function<void()> press_;
};

}  // namespace relic86
