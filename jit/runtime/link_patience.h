// When a branch that has left translated code by its stub is worth a link. Usually at once; a machine that is forked for
// each test waits until the branch has been taken a few times: most of what a short test runs is taken once, and each
// link writes to the branch, its target and the code, of whose pages the fork gets copies. The counts are by a hash of
// the branch, so that they themselves take few pages; branches that share one are linked sooner.
#pragma once

#include <vector>

#include "base/types.h"
#include "jit/runtime/translation.h"

namespace relic86::jit {

class LinkPatience {
 public:
  explicit LinkPatience(bool waits) : taken_(waits ? kCounts : 0) {}

  // The branch has been taken once more: whether it is to be linked.
  bool over(const ExitPoint& branch) {
    if (taken_.empty()) return true;
    u8& taken = taken_[reinterpret_cast<u64>(&branch) * kSpread >> (64 - kBits)];
    if (taken >= kTimes) return true;
    ++taken;
    return false;
  }

 private:
  static constexpr unsigned kBits = 16;
  static constexpr std::size_t kCounts = std::size_t{1} << kBits;
  static constexpr u64 kSpread = 0x9E3779B97F4A7C15;  // Fibonacci hashing
  static constexpr u8 kTimes = 16;
  std::vector<u8> taken_;
};

}  // namespace relic86::jit
