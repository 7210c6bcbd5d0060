// A pointing device that is told where the pointer is, not how far it went.
#pragma once

#include "base/types.h"

namespace relic86 {

class AbsolutePointer {
 public:
  static constexpr unsigned kMost =
      0x7FFF;  // the right and lower edge of the guest's screen; 0: the left and upper one
  enum Button : u8 { kLeft = 1, kRight = 2, kMiddle = 4 };

  // A driver listens to it.
  virtual bool listened_to() const = 0;
  struct Position {
    unsigned x = 0, y = 0;
  };
  // Where the pointer is; larger values are taken as kMost.
  virtual void point(unsigned x, unsigned y) = 0;
  // Counts of the wheel away from the user.
  virtual void turn_wheel(int counts) = 0;
  virtual void buttons(u8 mask) = 0;  // those that are down
  virtual u8 pressed() const = 0;
  virtual Position position() const = 0;

 protected:
  ~AbsolutePointer() = default;
};

}  // namespace relic86
