// Guest time for a processor on a host thread of its own that does not hold the machine's lock (cpu/processor_thread.h).
#pragma once

#include <optional>

#include "base/guest_clock.h"

namespace relic86::jit::x64 {

// What the clock says now, and no less than anybody has read from its line before; nothing: the clock is to be asked,
// under the lock. Who draws the line ends the old one first, and writes the new one's length last.
std::optional<GuestTime> read_clock_line(ClockLine& line);

}  // namespace relic86::jit::x64
