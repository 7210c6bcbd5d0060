// Ends the process with a message when a program does not come to its end: translated code that goes round in itself is
// a difference too.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

#include "base/print.h"

namespace relic86 {

class Watchdog {
 public:
  explicit Watchdog(std::string what)
      : what_(std::move(what)), thread_([this](std::stop_token stop) { watch(stop); }) {}

  void starts(u64 seed) {
    seed_ = seed;
    ++runs_;
  }

 private:
  static constexpr std::chrono::seconds kLongest{60};

  void watch(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (u64 seen = runs_; !stop.stop_requested(); seen = runs_) {
      sleeping_.wait_for(lock, stop, kLongest, [] { return false; });
      if (stop.stop_requested() || seen != runs_) continue;
      print_text(stdout, fmt::format("{} seed {}: no end within {} s\n", what_, seed_.load(), kLongest.count()));
      std::fflush(stdout);
      std::_Exit(1);
    }
  }

  std::string what_;
  std::atomic<u64> seed_ = 0, runs_ = 0;
  std::mutex mutex_;
  std::condition_variable_any sleeping_;
  std::jthread thread_;
};

}  // namespace relic86
