// The host's random numbers, for a guest's entropy device.
#pragma once

#include "devices/random_source.h"

namespace relic86 {

class HostRandom final : public RandomSource {
 public:
  void fill(std::span<u8> bytes) override;
};

}  // namespace relic86
