// How a joystick stands.
#pragma once

#include "base/types.h"

namespace relic86 {

// Axes from -32768 (left, up) to 32767, 0 in the middle.
struct JoystickPosition {
  bool plugged = false;
  i16 x = 0, y = 0;
  u8 buttons = 0;  // bit 0 the first, bit 1 the second
  friend bool operator==(const JoystickPosition&, const JoystickPosition&) = default;
};

}  // namespace relic86
