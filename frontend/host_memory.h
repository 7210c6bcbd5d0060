// The guest's memory is the host's as soon as the guest touches it, and the host may have less than the guest was
// promised. A machine that ends with a message before there is none left is better than one that the host kills.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/types.h"

namespace relic86 {

// What programs can still have, swap included, in bytes, as /proc/meminfo has it; null: it does not say.
std::optional<u64> available_memory(std::string_view meminfo);

class HostMemoryGuard {
 public:
  // Opens the file; guest_bytes: how much the guest may come to use.
  explicit HostMemoryGuard(u64 guest_bytes, const std::string& meminfo = "/proc/meminfo");
  ~HostMemoryGuard();
  HostMemoryGuard(const HostMemoryGuard&) = delete;
  HostMemoryGuard& operator=(const HostMemoryGuard&) = delete;

  // Watches, on a thread of its own, until there is less than a small reserve, or the guard goes. Then calls this once
  // with what there is, in bytes. A host without such a file is not watched.
  void watch(std::function<void(u64 available)> exhausted);

 private:
  void run();

  u64 reserve_;
  int file_;
  std::function<void(u64)> exhausted_;
  int stop_;  // an eventfd, readable when the guard goes
  std::thread thread_;
};

}  // namespace relic86
