// What other threads have asked the machine's to do.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "machine/machine.h"

namespace relic86 {

struct Machine::Tasks {
  using List = std::vector<std::function<void()>>;
  // One of the two lists below. Safe from any thread.
  void add(List& to, std::function<void()> task) {
    const std::lock_guard lock(mutex);
    to.push_back(std::move(task));
    waiting.store(true, std::memory_order_relaxed);
  }

  std::mutex mutex;
  List list;        // processors stand between two instructions meanwhile
  List deliveries;  // devices get what they wait for: processors may be in the middle of translated code
  std::atomic<bool> waiting = false;
};

}  // namespace relic86
