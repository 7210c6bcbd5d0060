// Addition, subtraction, logic, multiplication, division. The form of these texts: exec_builder.h.
#pragma once

#include "cpu/semantics/condition.h"
#include "cpu/semantics/operands.h"

namespace relic86::semantics {

// Two-operand instructions that read and write the first operand.
#define RELIC86_READ_MODIFY_WRITE(Name, operation)     \
  struct Name {                                        \
    template <class B, class D, class S>               \
    static void run(B& b, D destination, S source) {   \
      const auto right = b.load(source);               \
      if (b.faulted()) return;                         \
      const auto left = b.load_for_write(destination); \
      if (b.faulted()) return;                         \
      b.store(destination, b.operation(left, right));  \
    }                                                  \
  };
RELIC86_READ_MODIFY_WRITE(Add, add)
RELIC86_READ_MODIFY_WRITE(Adc, adc)
RELIC86_READ_MODIFY_WRITE(Sub, sub)
RELIC86_READ_MODIFY_WRITE(Sbb, sbb)
RELIC86_READ_MODIFY_WRITE(And, and_)
RELIC86_READ_MODIFY_WRITE(Or, or_)
RELIC86_READ_MODIFY_WRITE(Xor, xor_)
#undef RELIC86_READ_MODIFY_WRITE

struct Cmp {
  template <class B, class D, class S>
  static void run(B& b, D first, S second) {
    const auto left = b.load(first);
    if (b.faulted()) return;
    const auto right = b.load(second);
    if (b.faulted()) return;
    b.sub(left, right);
  }
};

struct Test {
  template <class B, class D, class S>
  static void run(B& b, D first, S second) {
    const auto left = b.load(first);
    if (b.faulted()) return;
    b.and_(left, b.load(second));
  }
};

#define RELIC86_UNARY(Name, operation)                  \
  struct Name {                                         \
    template <class B, class D>                         \
    static void run(B& b, D destination) {              \
      const auto value = b.load_for_write(destination); \
      if (b.faulted()) return;                          \
      b.store(destination, b.operation(value));         \
    }                                                   \
  };
RELIC86_UNARY(Inc, inc)
RELIC86_UNARY(Dec, dec)
RELIC86_UNARY(Neg, neg)
RELIC86_UNARY(Not, not_)
#undef RELIC86_UNARY

// The register pair of MUL and DIV: AH:AL, DX:AX, EDX:EAX.
template <class W>
using LowHalf = FixedRegister<W, kEax>;
template <class W>
using HighHalf = FixedRegister<W, sizeof(W) == 1 ? 4 : static_cast<u8>(kEdx)>;

#define RELIC86_MULTIPLY(Name, operation)                            \
  struct Name {                                                      \
    template <class B, class S>                                      \
    static void run(B& b, S source) {                                \
      using W = typename S::Width;                                   \
      const auto right = b.load(source);                             \
      if (b.faulted()) return;                                       \
      const auto product = b.operation(b.load(LowHalf<W>{}), right); \
      b.store(LowHalf<W>{}, product.low);                            \
      b.store(HighHalf<W>{}, product.high);                          \
    }                                                                \
  };
RELIC86_MULTIPLY(Mul, mul)
RELIC86_MULTIPLY(Imul, imul)
#undef RELIC86_MULTIPLY

#define RELIC86_DIVIDE(Name, operation)                                                      \
  struct Name {                                                                              \
    template <class B, class S>                                                              \
    static void run(B& b, S source) {                                                        \
      using W = typename S::Width;                                                           \
      const auto divisor = b.load(source);                                                   \
      if (b.faulted()) return;                                                               \
      const auto result = b.operation(b.load(HighHalf<W>{}), b.load(LowHalf<W>{}), divisor); \
      if (b.faulted()) return;                                                               \
      b.store(LowHalf<W>{}, result.low);                                                     \
      b.store(HighHalf<W>{}, result.high);                                                   \
    }                                                                                        \
  };
RELIC86_DIVIDE(Div, div)
RELIC86_DIVIDE(Idiv, idiv)
#undef RELIC86_DIVIDE

struct ImulTruncated {  // IMUL Gv,Ev and IMUL Gv,Ev,Iz
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    const auto right = b.load(source);
    if (b.faulted()) return;
    b.store(destination, b.imul(b.load(destination), right).low);
  }
  template <class B, class D, class S, class I>
  static void run(B& b, D destination, S source, I immediate) {
    const auto left = b.load(source);
    if (b.faulted()) return;
    b.store(destination, b.imul(left, b.load(immediate)).low);
  }
};

struct Xadd {
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    const auto place = b.place(destination);
    const auto old = b.load_for_write(place);
    if (b.faulted()) return;
    const auto sum = b.add(old, b.load(source));
    // The source first: XADD of a register with itself leaves the sum.
    b.store(source, old);
    b.store(place, sum);
  }
};

struct Cmpxchg {
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    using W = typename D::Width;
    const auto place = b.place(destination);
    const auto old = b.load_for_write(place);
    if (b.faulted()) return;
    const auto accumulator = b.load(LowHalf<W>{});
    const auto replacement = b.load(source);
    b.sub(accumulator, old);
    const auto equal = b.template condition<Condition::Equal>();
    // The destination is written in either case (SDM 2, CMPXCHG), the accumulator only when they differ.
    b.store_unless(equal, LowHalf<W>{}, old, accumulator);
    b.store_if(equal, place, replacement, old);
  }
};

}  // namespace relic86::semantics
