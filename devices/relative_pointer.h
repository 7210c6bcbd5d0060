// A pointing device that is told how far the pointer goes: a mouse.
#pragma once

#include "base/types.h"

namespace relic86 {

class RelativePointer {
 public:
  enum Button : u8 { kLeft = 1, kRight = 2, kMiddle = 4 };

  // A driver listens to it.
  virtual bool listened_to() const = 0;
  // Counts to the right, down and of the wheel away from the user.
  virtual void move(int dx, int dy, int dz) = 0;
  virtual void buttons(u8 mask) = 0;  // those that are down
  virtual u8 pressed() const = 0;

 protected:
  ~RelativePointer() = default;
};

}  // namespace relic86
