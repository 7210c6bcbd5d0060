// The child's side of HostRunner.
#pragma once

#include "tests/native64/layout.h"

namespace relic86::native64 {

struct ChildOrders {
  int code_file;  // kCodeSize bytes of code
  int orders;     // u32: how many cases to run
  int answers;    // u32: done
  const CaseInput* inputs;
  CaseResult* results;
};

// Sets up memory, bases, signals and the cage, then serves orders until the pipe closes.
[[noreturn]] void child_main(const ChildOrders& orders);

}  // namespace relic86::native64
