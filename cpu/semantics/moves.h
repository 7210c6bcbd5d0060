// Data movement, stack, conversions, flag bits.
#pragma once

#include "cpu/semantics/condition.h"
#include "cpu/semantics/operands.h"

namespace relic86::semantics {

struct Mov {
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    const auto value = b.load(source);
    if (b.faulted()) return;
    b.store(destination, value);
  }
};
struct Movzx {
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    const auto value = b.load(source);
    if (b.faulted()) return;
    b.store(destination, b.template zero_extend<typename D::Width>(value));
  }
};
struct Movsx {
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    const auto value = b.load(source);
    if (b.faulted()) return;
    b.store(destination, b.template sign_extend<typename D::Width>(value));
  }
};
struct Lea {
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    b.store(destination, b.effective_address(source));
  }
};
struct Xchg {  // the E operand first
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    const auto place = b.place(destination);
    const auto old = b.load_for_write(place);
    if (b.faulted()) return;
    const auto value = b.load(source);
    b.store(source, old);
    b.store(place, value);
  }
};
template <Condition condition>
struct Cmov {  // the source is read, and may fault, whatever the condition says
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    const auto value = b.load(source);
    if (b.faulted()) return;
    b.store(destination, b.select(b.template condition<condition>(), value, b.load(destination)));
  }
};
template <Condition condition>
struct Setcc {
  template <class B, class D>
  static void run(B& b, D destination) {
    b.store(destination, b.truth(b.template condition<condition>()));
  }
};
struct Nop {
  template <class B, class... D>
  static void run(B&, D...) {}
};

// MOVSXD: 32 bits to 64. With smaller operand sizes nothing is extended (SDM 2, MOVSXD).
struct Movsxd {
  template <class B, class D, class S>
  static void run(B& b, D destination, S source) {
    if constexpr (sizeof(typename D::Width) == 8) {
      const auto value = b.load(source);
      if (!b.faulted()) b.store(destination, b.template sign_extend<u64>(value));
    } else {
      const auto value = b.load_movsxd_source(source);
      if (!b.faulted()) b.store(destination, value);
    }
  }
};

// AL to AX, AX to EAX, EAX to RAX; AX to DX:AX, EAX to EDX:EAX, RAX to RDX:RAX.
struct ConvertAccumulator {  // CBW, CWDE, CDQE
  template <class B, class D>
  static void run(B& b, D destination) {
    using W = typename D::Width;
    using Half = std::conditional_t<sizeof(W) == 2, u8, std::conditional_t<sizeof(W) == 4, u16, u32>>;
    b.store(destination, b.template sign_extend<W>(b.load(FixedRegister<Half, kEax>{})));
  }
};
struct ConvertPair {  // CWD, CDQ, CQO
  template <class B, class S>
  static void run(B& b, S source) {
    using W = typename S::Width;
    if constexpr (sizeof(W) == 8) {
      b.store(FixedRegister<W, kEdx>{}, b.sign_copies(b.load(source)));
    } else {
      using Double = std::conditional_t<sizeof(W) == 2, u32, u64>;
      const auto wide = b.template sign_extend<Double>(b.load(source));
      b.store(FixedRegister<W, kEdx>{}, b.template high_half<W>(wide));
    }
  }
};

// --- Stack ---
struct Push {
  template <class B, class S>
  static void run(B& b, S source) {
    const auto value = b.load(source);
    if (b.faulted()) return;
    b.push(value);
  }
};
struct Pop {  // registers; POP [mem] has its own function
  template <class B, class D>
  static void run(B& b, D destination) {
    const auto value = b.template pop<typename D::Width>();
    if (b.faulted()) return;
    b.store(destination, value);
  }
};
struct Leave {
  template <class B, class D>
  static void run(B& b, D frame_register) {
    using W = typename D::Width;
    const auto frame = b.frame_pointer();
    const auto saved = b.template peek<W>(frame);
    if (b.faulted()) return;
    b.set_stack_pointer(b.plain_add(frame, b.template constant<typename B::Pointer>(sizeof(W))));
    b.store(frame_register, saved);
  }
};

// --- Flags ---
struct Lahf {
  template <class B>
  static void run(B& b) {
    b.store(FixedRegister<u8, 4>{}, b.flags_byte());
  }
};
struct Sahf {
  template <class B>
  static void run(B& b) {
    b.set_flags_byte(b.load(FixedRegister<u8, 4>{}));
  }
};
struct Clc {
  template <class B>
  static void run(B& b) {
    b.set_carry(false);
  }
};
struct Stc {
  template <class B>
  static void run(B& b) {
    b.set_carry(true);
  }
};
struct Cmc {
  template <class B>
  static void run(B& b) {
    b.complement_carry();
  }
};
struct Cld {
  template <class B>
  static void run(B& b) {
    b.set_direction(false);
  }
};
struct Std {
  template <class B>
  static void run(B& b) {
    b.set_direction(true);
  }
};
// AL := FFh if CF, else 0 (SALC, undocumented until the Pentium Pro's manuals).
struct Salc {
  template <class B>
  static void run(B& b) {
    const auto carry = b.template condition<Condition::Below>();
    b.store(FixedRegister<u8, kEax>{}, b.select(carry, b.template constant<u8>(0xFF), b.template constant<u8>(0)));
  }
};

}  // namespace relic86::semantics
