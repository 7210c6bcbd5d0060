// Shifts, rotates, bit tests and scans.
#pragma once

#include "cpu/semantics/operands.h"

namespace relic86::semantics {

#define RELIC86_SHIFT(Name, operation)                         \
  struct Name {                                                \
    template <class B, class D, class C>                       \
    static void run(B& b, D destination, C count) {            \
      const auto value = b.load_for_write(destination);        \
      if (b.faulted()) return;                                 \
      b.store(destination, b.operation(value, b.load(count))); \
    }                                                          \
  };
RELIC86_SHIFT(Rol, rol)
RELIC86_SHIFT(Ror, ror)
RELIC86_SHIFT(Rcl, rcl)
RELIC86_SHIFT(Rcr, rcr)
RELIC86_SHIFT(Shl, shl)
RELIC86_SHIFT(Shr, shr)
RELIC86_SHIFT(Sar, sar)
#undef RELIC86_SHIFT

#define RELIC86_DOUBLE_SHIFT(Name, operation)                                  \
  struct Name {                                                                \
    template <class B, class D, class S, class C>                              \
    static void run(B& b, D destination, S source, C count) {                  \
      const auto value = b.load_for_write(destination);                        \
      if (b.faulted()) return;                                                 \
      b.store(destination, b.operation(value, b.load(source), b.load(count))); \
    }                                                                          \
  };
RELIC86_DOUBLE_SHIFT(Shld, shld)
RELIC86_DOUBLE_SHIFT(Shrd, shrd)
#undef RELIC86_DOUBLE_SHIFT

// BT Ev,Gv reaches beyond a memory operand; BT Ev,Ib does not.
struct Bt {
  template <class B, class D, class W>
  static void run(B& b, D destination, RegRegister<W> source) {
    const auto index = b.load(source);
    const auto value = b.load(b.bit_string(destination, index));
    if (b.faulted()) return;
    b.bt(value, index);
  }
  template <class B, class D>
  static void run(B& b, D destination, Immediate<u8> source) {
    const auto value = b.load(destination);
    if (b.faulted()) return;
    b.bt(value, b.template zero_extend<typename D::Width>(b.load(source)));
  }
};

#define RELIC86_BIT_CHANGE(Name, operation)                                         \
  struct Name {                                                                     \
    template <class B, class D, class W>                                            \
    static void run(B& b, D destination, RegRegister<W> source) {                   \
      const auto index = b.load(source);                                            \
      const auto place = b.bit_string(destination, index);                          \
      const auto value = b.load_for_write(place);                                   \
      if (b.faulted()) return;                                                      \
      b.store(place, b.operation(value, index));                                    \
    }                                                                               \
    template <class B, class D>                                                     \
    static void run(B& b, D destination, Immediate<u8> source) {                    \
      const auto value = b.load_for_write(destination);                             \
      if (b.faulted()) return;                                                      \
      const auto index = b.template zero_extend<typename D::Width>(b.load(source)); \
      b.store(destination, b.operation(value, index));                              \
    }                                                                               \
  };
RELIC86_BIT_CHANGE(Bts, bts)
RELIC86_BIT_CHANGE(Btr, btr)
RELIC86_BIT_CHANGE(Btc, btc)
#undef RELIC86_BIT_CHANGE

struct Bsf {
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    const auto value = b.load(source);
    if (b.faulted()) return;
    b.store_found(destination, b.bsf(value, b.load(destination)));
  }
};
struct Bsr {
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    const auto value = b.load(source);
    if (b.faulted()) return;
    b.store_found(destination, b.bsr(value, b.load(destination)));
  }
};
struct Bswap {
  template <class B, class D>
  static void run(B& b, D destination) {
    b.store(destination, b.byte_swap(b.load(destination)));
  }
};

}  // namespace relic86::semantics
