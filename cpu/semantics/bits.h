// Counts of bits, and BMI1 and BMI2: bit manipulation on general registers (SDM 2).
#pragma once

#include "cpu/semantics/operands.h"

namespace relic86::semantics {

// One operand, and flags of the result or of the operand.
#define RELIC86_COUNT_OF_BITS(Name, operation) \
  struct Name {                                \
    template <class B, class D, class S>       \
    static void run(B& b, D d, S source) {     \
      const auto value = b.load(source);       \
      if (b.faulted()) return;                 \
      b.store(d, b.operation(value));          \
    }                                          \
  };
RELIC86_COUNT_OF_BITS(Popcnt, popcnt)
RELIC86_COUNT_OF_BITS(Lzcnt, lzcnt)
RELIC86_COUNT_OF_BITS(Tzcnt, tzcnt)
#undef RELIC86_COUNT_OF_BITS

// With a VEX prefix: undefined in real-address and virtual-8086 mode.
#define RELIC86_LOWEST_BIT(Name, operation)          \
  struct Name {                                      \
    template <class B, class D, class S>             \
    static void run(B& b, D destination, S source) { \
      b.check_vex();                                 \
      if (b.faulted()) return;                       \
      const auto value = b.load(source);             \
      if (b.faulted()) return;                       \
      b.store(destination, b.operation(value));      \
    }                                                \
  };
RELIC86_LOWEST_BIT(Blsr, blsr)
RELIC86_LOWEST_BIT(Blsmsk, blsmsk)
RELIC86_LOWEST_BIT(Blsi, blsi)
#undef RELIC86_LOWEST_BIT

// The first source is ModRM's, a register or memory.
#define RELIC86_BITS_BY(Name, operation)                        \
  struct Name {                                                 \
    template <class B, class D, class S, class C>               \
    static void run(B& b, D destination, S source, C second) {  \
      b.check_vex();                                            \
      if (b.faulted()) return;                                  \
      const auto value = b.load(source);                        \
      if (b.faulted()) return;                                  \
      b.store(destination, b.operation(value, b.load(second))); \
    }                                                           \
  };
RELIC86_BITS_BY(Bextr, bextr)
RELIC86_BITS_BY(Bzhi, bzhi)
RELIC86_BITS_BY(Sarx, sarx)
RELIC86_BITS_BY(Shlx, shlx)
RELIC86_BITS_BY(Shrx, shrx)
#undef RELIC86_BITS_BY

// ModRM's source is the mask.
#define RELIC86_BITS_UNDER(Name, operation)                  \
  struct Name {                                              \
    template <class B, class D, class F, class S>            \
    static void run(B& b, D destination, F from, S source) { \
      b.check_vex();                                         \
      if (b.faulted()) return;                               \
      const auto mask = b.load(source);                      \
      if (b.faulted()) return;                               \
      b.store(destination, b.operation(b.load(from), mask)); \
    }                                                        \
  };
RELIC86_BITS_UNDER(Pdep, pdep)
RELIC86_BITS_UNDER(Pext, pext)
#undef RELIC86_BITS_UNDER

struct Andn {
  template <class B, class D, class F, class S>
  static void run(B& b, D destination, F inverted, S source) {
    b.check_vex();
    if (b.faulted()) return;
    const auto value = b.load(source);
    if (b.faulted()) return;
    b.store(destination, b.and_(b.not_(b.load(inverted)), value));
  }
};

struct Rorx {
  template <class B, class D, class S, class C>
  static void run(B& b, D destination, S source, C count) {
    b.check_vex();
    if (b.faulted()) return;
    const auto value = b.load(source);
    if (b.faulted()) return;
    b.store(destination, b.rorx(value, count));
  }
};

// EDX times the source. With one register for both halves it holds the upper one.
struct Mulx {
  template <class B, class H, class L, class S>
  static void run(B& b, H high, L low, S source) {
    b.check_vex();
    if (b.faulted()) return;
    const auto value = b.load(source);
    if (b.faulted()) return;
    const auto product = b.mulx(value);
    b.store(low, product.low);
    b.store(high, product.high);
  }
};

}  // namespace relic86::semantics
