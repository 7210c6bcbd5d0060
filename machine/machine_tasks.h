// What other threads have asked the machine's to do.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "machine/machine.h"

namespace relic86 {

struct Machine::Tasks {
  std::mutex mutex;
  std::vector<std::function<void()>> list;
};

}  // namespace relic86
