// A keyboard that tells which keys are down, by their usages (HID Usage Tables 1.12, page 07h), not by scan codes.
#pragma once

#include "base/types.h"

namespace relic86 {

class HidKeyboard {
 public:
  enum Light : u8 { kScrollLock = 1, kNumLock = 2, kCapsLock = 4 };

  // A driver listens to it.
  virtual bool listened_to() const = 0;
  // Repeated downs of a held key change nothing.
  virtual void key(u8 usage, bool down) = 0;
  virtual void release_all() = 0;
  virtual bool pressed(u8 usage) const = 0;
  // True when the driver has seen all that was typed so far.
  virtual bool ready_for_key() const = 0;
  virtual u8 lights() const = 0;  // as the driver set them

 protected:
  ~HidKeyboard() = default;
};

}  // namespace relic86
