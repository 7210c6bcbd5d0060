// What ExecBuilder's operations take and give (cpu/semantics/exec_builder.h): values that no text can look into.
#pragma once

#include <type_traits>

#include "base/types.h"

namespace relic86 {

template <bool kLong>
class ExecBuilderOf;

template <class W>
class ExecValue {
 public:
  using Width = W;

 private:
  template <bool kLong>
  friend class ExecBuilderOf;
  explicit constexpr ExecValue(W raw) : raw_(raw) {}
  W raw_;
};

class ExecTruth {
  template <bool kLong>
  friend class ExecBuilderOf;
  explicit constexpr ExecTruth(bool raw) : raw_(raw) {}
  bool raw_;
};

// A memory operand whose offset is known.
template <class W, class Offset>
struct ExecPlace {
  using Width = W;
  Offset offset;
};

// Integers twice as wide as an operand, and signed ones; std::make_signed knows nothing of 128 bits.
__extension__ using u128 = unsigned __int128;
__extension__ using i128 = __int128;
template <class W>
struct ExecWidths {
  using Signed = std::make_signed_t<W>;
  using Double = std::conditional_t<sizeof(W) == 1, u16, std::conditional_t<sizeof(W) == 2, u32, u64>>;
  using SignedDouble = std::make_signed_t<Double>;
  using Ring = u64;  // holds the operand and the bits that a shift moves over its end
  using SignedRing = i64;
};
template <>
struct ExecWidths<u64> {
  using Signed = i64;
  using Double = u128;
  using SignedDouble = i128;
  using Ring = u128;
  using SignedRing = i128;
};

template <class V>
struct ExecPair {
  V low;
  V high;
};

}  // namespace relic86
