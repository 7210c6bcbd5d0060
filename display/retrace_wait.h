// A guest that does nothing but wait for the vertical retrace, as the machine sees it between slices of instructions.
#pragma once

#include <optional>

#include "base/types.h"

namespace relic86 {

class PcBoard;

// How many instructions to run at once, so that such a wait is found soon where there are many.
u64 most_between_retrace_looks(PcBoard& board);
// After a slice of so many instructions: when the guest's wait is over, if the slice was nothing but a wait.
std::optional<GuestTime> end_of_retrace_wait(PcBoard& board, u64 instructions);

}  // namespace relic86
