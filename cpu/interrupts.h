// The processor's side of interrupt delivery; implemented by the local APIC or, without one, by the board's 8259A pair.
#pragma once

#include "base/types.h"

namespace relic86 {

class InterruptAcknowledge {
 public:
  // The INTA cycle: the vector of the highest-priority request. Called only while INTR is asserted; may lower it.
  virtual u8 acknowledge() = 0;

 protected:
  ~InterruptAcknowledge() = default;
};

}  // namespace relic86
