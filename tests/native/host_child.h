// The child's side of HostRunner.
#pragma once

#include "tests/native/layout.h"

namespace relic86::native {

struct ChildOrders {
  int code_file;  // kCodeSize bytes of code
  int orders;     // u32: how many cases to run
  int answers;    // u32: done
  const CaseInput* inputs;
  CaseResult* results;
};

// Sets up memory, descriptors, signals and the cage, then serves orders until the pipe closes.
[[noreturn]] void host_child_main(const ChildOrders& orders);

}  // namespace relic86::native
