#include "cpu/exact_functions.h"

#ifdef RELIC86_MPFR
// mpfr_get_uj needs intmax_t first.
#include <cstdint>
#define MPFR_USE_INTMAX_T 1
#include <mpfr.h>
#endif

#include <cstring>

#include "cpu/x87_instructions.h"
#include "cpu/x87_stack.h"

namespace relic86::exact_functions {

#ifndef RELIC86_MPFR

bool available() { return false; }
bool execute(FxState&, u8) { return false; }

#else

bool available() { return true; }

namespace {

constexpr u16 kDenormal = 1u << 1, kOverflow = 1u << 3, kUnderflow = 1u << 4, kPrecision = 1u << 5;
constexpr u16 kC1 = 1u << 9, kC2 = 1u << 10;
constexpr unsigned kRoundingShift = 10;
constexpr u64 kIntegerBit = u64{1} << 63;
constexpr long kWorkingBits = 320, kBits = 64;
constexpr long kBias = 16383, kLargest = 16384;  // of exponents e with a value in [2^(e-1), 2^e): largest finite
constexpr long kSmallestNormal = -16381;         // likewise
constexpr long kLowestBit = -16445;              // 2^this is the smallest denormal number
constexpr long kScale = 24576;                   // what an unmasked overflow or underflow takes off (SDM 1 8.5.4)

enum Function : u8 {
  kF2xm1 = 0xF0,
  kFyl2x = 0xF1,
  kFptan = 0xF2,
  kFpatan = 0xF3,
  kFyl2xp1 = 0xF9,
  kFsincos = 0xFB,
  kFsin = 0xFE,
  kFcos = 0xFF,
};

class Number {
 public:
  explicit Number(long bits = kWorkingBits) { mpfr_init2(value_, bits); }
  ~Number() { mpfr_clear(value_); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  operator mpfr_ptr() { return value_; }

 private:
  mpfr_t value_;
};

// A finite number that is not 0. False: not one.
bool load(const FxState::Slot& slot, Number& number, u16& raised) {
  u64 mantissa = 0;
  u16 high = 0;
  std::memcpy(&mantissa, slot.bytes, 8);
  std::memcpy(&high, slot.bytes + 8, 2);
  const unsigned exponent = high & 0x7FFFu;
  if (exponent == 0x7FFF || mantissa == 0) return false;
  if (exponent != 0 && (mantissa & kIntegerBit) == 0) return false;  // unnormal
  if (exponent == 0) raised |= kDenormal;
  mpfr_set_uj(number, mantissa, MPFR_RNDN);
  const long scale = (exponent == 0 ? 1L : static_cast<long>(exponent)) - kBias - (kBits - 1);
  mpfr_mul_2si(number, number, scale, MPFR_RNDN);
  if ((high & 0x8000) != 0) mpfr_neg(number, number, MPFR_RNDN);
  return true;
}

mpfr_rnd_t rounding_of(u16 control) {
  constexpr mpfr_rnd_t kModes[4] = {MPFR_RNDN, MPFR_RNDD, MPFR_RNDU, MPFR_RNDZ};
  return kModes[control >> kRoundingShift & 3];
}

struct Rounded {
  FxState::Slot slot{};
  u16 raised = 0;  // exceptions, and C1 if rounded away from 0
};

void put(FxState::Slot& slot, bool negative, u64 mantissa, long exponent) {
  const u16 high = static_cast<u16>((negative ? 0x8000u : 0u) | static_cast<unsigned>(exponent));
  std::memcpy(slot.bytes, &mantissa, 8);
  std::memcpy(slot.bytes + 8, &high, 2);
}

// The magnitude of value as a whole number of 2^lowest.
u64 whole(Number& value, long lowest) {
  Number scaled(kBits);
  mpfr_mul_2si(scaled, value, -lowest, MPFR_RNDZ);
  mpfr_abs(scaled, scaled, MPFR_RNDZ);
  return mpfr_get_uj(scaled, MPFR_RNDZ);
}

Rounded round_denormal(Number& value, u16 control, bool inexact) {
  Rounded out;
  const bool negative = mpfr_signbit(value) != 0;
  const long bits = mpfr_get_exp(value) - kLowestBit;
  // To an integer multiple of the lowest bit.
  Number scaled, integer;
  mpfr_mul_2si(scaled, value, -kLowestBit, MPFR_RNDN);
  const int direction = mpfr_rint(integer, scaled, rounding_of(control));
  const u64 mantissa = bits < 0 && mpfr_zero_p(integer) != 0 ? 0 : whole(integer, 0);
  put(out.slot, negative, mantissa, (mantissa & kIntegerBit) != 0 ? 1 : 0);
  if (direction != 0 || inexact) out.raised |= kPrecision | kUnderflow;
  if (direction != 0 && (direction > 0) != negative) out.raised |= kC1;
  return out;
}

Rounded overflow(bool negative, u16 control) {
  Rounded out;
  out.raised = kOverflow | kPrecision;
  const mpfr_rnd_t mode = rounding_of(control);
  const bool infinite = mode == MPFR_RNDN || (mode == MPFR_RNDU && !negative) || (mode == MPFR_RNDD && negative);
  if (infinite) out.raised |= kC1;
  put(out.slot, negative, infinite ? kIntegerBit : ~u64{0}, infinite ? 0x7FFF : 0x7FFE);
  return out;
}

// To 64 bits, with the masked or unmasked response to what that raises. inexact: value itself is rounded.
Rounded round(Number& value, u16 control, bool inexact) {
  Rounded out;
  const bool negative = mpfr_signbit(value) != 0;
  if (mpfr_zero_p(value) != 0) {
    put(out.slot, negative, 0, 0);
    return out;
  }
  Number result(kBits);
  const int direction = mpfr_set(result, value, rounding_of(control));
  long exponent = mpfr_get_exp(result);
  if (exponent > kLargest) {
    if ((control & kOverflow) != 0) return overflow(negative, control);
    out.raised |= kOverflow;
    exponent -= kScale;
  } else if (exponent < kSmallestNormal) {
    if ((control & kUnderflow) != 0) return round_denormal(value, control, inexact);
    out.raised |= kUnderflow;
    exponent += kScale;
  }
  put(out.slot, negative, whole(result, mpfr_get_exp(result) - kBits), exponent - 1 + kBias);
  if (direction != 0 || inexact) out.raised |= kPrecision;
  if (direction != 0 && (direction > 0) != negative) out.raised |= kC1;
  return out;
}

using x87_stack::has;
using x87_stack::pop;

void push(FxState& fx, const FxState::Slot& value) {
  x87_stack::push(fx);
  fx.st[0] = value;
}

// 2^x - 1.
int power_less_one(Number& result, Number& x) {
  if (mpfr_get_exp(x) >= 0) {  // |x| >= 0.5: nothing is lost, and whole powers stay exact
    int inexact = mpfr_exp2(result, x, MPFR_RNDN);
    inexact |= mpfr_sub_ui(result, result, 1, MPFR_RNDN);
    return inexact;
  }
  Number log2;
  mpfr_const_log2(log2, MPFR_RNDN);
  mpfr_mul(result, x, log2, MPFR_RNDN);
  mpfr_expm1(result, result, MPFR_RNDN);
  return 1;
}

// log2(1 + x).
int logarithm_plus_one(Number& result, Number& x) {
  Number log2;
  mpfr_const_log2(log2, MPFR_RNDN);
  mpfr_log1p(result, x, MPFR_RNDN);
  mpfr_div(result, result, log2, MPFR_RNDN);
  return 1;
}

// Of ST(1) and ST(0); the register that holds it is popped to. False: operands out of the function's range.
bool binary(u8 function, Number& result, Number& y, Number& x, int& inexact) {
  if (function == kFpatan) {
    inexact = mpfr_atan2(result, y, x, MPFR_RNDN);
    return true;
  }
  if (function == kFyl2x) {
    if (mpfr_sgn(static_cast<mpfr_ptr>(x)) < 0) return false;
    inexact = mpfr_log2(result, x, MPFR_RNDN);
  } else {
    if (mpfr_cmp_si(x, -1) <= 0) return false;
    inexact = logarithm_plus_one(result, x);
  }
  inexact |= mpfr_mul(result, result, y, MPFR_RNDN);
  return true;
}

void finish(FxState& fx, u16 raised) {
  fx.status = static_cast<u16>((fx.status & ~kC1) | raised);
  x87_update_summary(fx);
}

bool execute_binary(FxState& fx, u8 function) {
  Number x, y, result;
  u16 raised = 0;
  int inexact = 0;
  if (!has(fx, 1) || !load(fx.st[0], x, raised) || !load(fx.st[1], y, raised)) return false;
  if ((raised & ~fx.control) != 0 || !binary(function, result, y, x, inexact)) return false;
  const Rounded rounded = round(result, fx.control, inexact != 0);
  fx.st[1] = rounded.slot;
  pop(fx);
  finish(fx, raised | rounded.raised);
  return true;
}

// FSIN, FCOS, FSINCOS, FPTAN.
bool execute_angle(FxState& fx, u8 function) {
  constexpr long kRange = 63;
  const bool pushes = function == kFptan || function == kFsincos;
  Number x, result, second;
  u16 raised = 0;
  if (!load(fx.st[0], x, raised) || (raised & ~fx.control) != 0 || mpfr_get_exp(x) > kRange) return false;
  if (pushes && has(fx, 7)) return false;
  switch (function) {
    case kFsin: mpfr_sin(result, x, MPFR_RNDN); break;
    case kFcos: mpfr_cos(result, x, MPFR_RNDN); break;
    case kFptan: mpfr_tan(result, x, MPFR_RNDN); break;
    default: mpfr_sin_cos(result, second, x, MPFR_RNDN); break;
  }
  const Rounded rounded = round(result, fx.control, true);
  u16 all = raised | rounded.raised;
  fx.st[0] = rounded.slot;
  fx.status &= static_cast<u16>(~kC2);
  if (function == kFptan) {
    FxState::Slot one{};
    put(one, false, kIntegerBit, kBias);
    push(fx, one);
  } else if (pushes) {
    const Rounded cosine = round(second, fx.control, true);
    all = static_cast<u16>((all & ~kC1) | cosine.raised);
    push(fx, cosine.slot);
  }
  finish(fx, all);
  return true;
}

}  // namespace

bool execute(FxState& fx, u8 modrm) {
  if (!has(fx, 0)) return false;
  switch (modrm) {
    case kFyl2x:
    case kFpatan:
    case kFyl2xp1: return execute_binary(fx, modrm);
    case kFsin:
    case kFcos:
    case kFptan:
    case kFsincos: return execute_angle(fx, modrm);
    case kF2xm1: {
      Number x, result;
      u16 raised = 0;
      if (!load(fx.st[0], x, raised) || (raised & ~fx.control) != 0) return false;
      const bool inexact = power_less_one(result, x) != 0;
      const Rounded rounded = round(result, fx.control, inexact);
      fx.st[0] = rounded.slot;
      finish(fx, raised | rounded.raised);
      return true;
    }
    default: return false;
  }
}

#endif

}  // namespace relic86::exact_functions
