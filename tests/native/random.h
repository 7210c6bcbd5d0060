// A small generator of repeatable numbers.
#pragma once

#include <array>
#include <iterator>

#include "base/types.h"

namespace relic86::native {

class Random {
 public:
  explicit Random(u64 seed) : state_(seed * 0x9E3779B97F4A7C15 + 0x1234567) {}

  u64 next() {  // splitmix64
    u64 z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  u32 number() { return static_cast<u32>(next()); }
  u32 below(u32 n) { return static_cast<u32>((next() & 0xFFFFFFFF) * n >> 32); }
  bool percent(u32 p) { return below(100) < p; }
  template <class Container>
  auto pick(const Container& from) {
    return *(std::begin(from) + below(static_cast<u32>(std::size(from))));
  }

  // Small, large and boundary values more often than chance.
  u32 value() {
    static constexpr u32 kSpecial[] = {0,          1,          2,          3,          0x0F,       0x10,
                                       0x1F,       0x20,       0x7F,       0x80,       0xFF,       0x100,
                                       0x7FFF,     0x8000,     0xFFFF,     0x10000,    0x7FFFFFFF, 0x80000000,
                                       0x80808080, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFF0000, 0x55555555, 0xAAAAAAAA};
    const u64 bits = next();
    if ((bits & 3) == 0) return kSpecial[(bits >> 8) % std::size(kSpecial)];
    const u32 plain = static_cast<u32>(bits >> 32);
    return (bits & 4) != 0 ? plain : plain >> ((bits >> 8) & 31);
  }

 private:
  u64 state_;
};

}  // namespace relic86::native
