// The modes that code was translated for, by small numbers: what translations and the lookup table are marked with.
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "jit/ir/mode.h"

namespace relic86::jit {

class ModeNumbers {
 public:
  // Numbers begin at 1, and at most so many are given; then there is none for a new mode, which has no translations.
  static constexpr u32 kMost = (1u << 15) - 1;
  static constexpr u32 kNone = 0;

  u32 number_of(Mode::Key key) {
    Recent& recent = recent_[(key * kSpread) >> (64 - kRecentBits)];
    if (recent.key != key || recent.number == kNone) recent = {key, number_slowly(key)};
    return recent.number;
  }
  // Of a number that is given.
  Mode mode_of(u32 number) const { return Mode::of_key(key_of(number)); }
  Mode::Key key_of(u32 number) const { return keys_[number - 1]; }
  // A guest may have met more modes than any sane one: the translator forgets its code, and then this.
  bool full() const { return keys_.size() >= kMost / 2; }
  void clear() {
    keys_.clear();
    numbers_.clear();
    recent_.fill({});
  }

 private:
  static constexpr unsigned kRecentBits = 6;
  static constexpr u64 kSpread = 0x9E3779B97F4A7C15;  // 2^64 over the golden ratio
  struct Recent {
    Mode::Key key = 0;
    u32 number = 0;
  };
  u32 number_slowly(Mode::Key key) {
    if (keys_.size() >= kMost && !numbers_.contains(key)) return kNone;
    const auto [at, added] = numbers_.try_emplace(key, static_cast<u32>(keys_.size() + 1));
    if (added) keys_.push_back(key);
    return at->second;
  }

  std::array<Recent, 1u << kRecentBits> recent_{};
  std::unordered_map<Mode::Key, u32> numbers_;
  std::vector<Mode::Key> keys_;  // by number less 1
};

}  // namespace relic86::jit
