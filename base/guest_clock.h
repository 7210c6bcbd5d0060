// Guest time, the only time that devices and the CPU know. Read by both, driven by the scheduler (docs/architecture.md,
// Time).
#pragma once

#include "base/types.h"

namespace relic86 {

class GuestClock {
 public:
  // Nanoseconds of guest time since power-on; never goes backwards. Exact to the instruction under -icount.
  virtual GuestTime now() const = 0;

 protected:
  ~GuestClock() = default;
};

}  // namespace relic86
