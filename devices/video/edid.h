// The monitor's description that a display adapter hands on (VESA Enhanced EDID Standard, release A, revision 1).
#pragma once

#include <array>

#include "base/types.h"

namespace relic86 {

// An EDID 1.3 block of a monitor for 1024x768 that takes every usual mode up to width by height pixels at 60 Hz.
std::array<u8, 128> make_edid(unsigned width, unsigned height);

}  // namespace relic86
