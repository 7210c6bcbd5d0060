// Where a device that gives a guest random numbers has them from.
#pragma once

#include <span>

#include "base/types.h"

namespace relic86 {

class RandomSource {
 public:
  // Never waits.
  virtual void fill(std::span<u8> bytes) = 0;

 protected:
  ~RandomSource() = default;
};

}  // namespace relic86
