// Shrunk cases as an oracle's run on another host told them: read back from its text, run on the emulated processor,
// and compared with what that host did.
#pragma once

#include <string>

#include "base/result.h"
#include "tests/native/emulated_runner.h"

namespace relic86::native {

struct ToldOutcome {
  unsigned run = 0, failed = 0;
  unsigned alone = 0;      // differences that did not come again alone: nothing is told of them
  unsigned truncated = 0;  // not all of the memory that the case needs was told
};

// A text tells of each case what the host did ("expected") where the emulated processor of that time ("actual") did
// otherwise. `then` is the processor that the emulated one was fitted to: it must do what "actual" says, so that what
// no line names is known as well. Prints each case that fails.
Result<ToldOutcome> check_told_cases(const std::string& path, Engine engine, const Processor& then,
                                     const HostUnits& host_units);

}  // namespace relic86::native
