// A card that interrupts at the end of a block goes on at once; the driver that was interrupted may stop it there. The
// next piece is moved a little later than it begins to sound, so that nothing is taken from memory beyond a last block.
#pragma once

#include "devices/sound/sample_run.h"

namespace relic86 {

// When to move the piece after such a block. A card never falls behind by it: mixing is later than that.
inline GuestTime after_reaction(const SampleRun& run) {
  constexpr GuestTime kReaction = 500'000;
  return run.next() + kReaction;
}

}  // namespace relic86
