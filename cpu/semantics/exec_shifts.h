// ExecBuilder's shifts, rotations and divisions: a part of cpu/semantics/exec_builder.h, which includes it.
#pragma once

#include <limits>

#include "cpu/semantics/exec_builder.h"
#include "cpu/vendor_behaviour.h"

namespace relic86 {

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::shl(Value<W> a, Value<u8> count) {
  const unsigned n = shift_count<W>(count);
  if (n == 0) return a;
  using Ring = typename ExecWidths<W>::Ring;
  const Ring wide = static_cast<Ring>(a.raw_) << n;
  const W result = static_cast<W>(wide);
  const bool carry = ((wide >> kBits<W>)&1) != 0;
  return shifted(result, carry, top_bit(result) != carry, (result & 0x10) != 0);
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::shr(Value<W> a, Value<u8> count) {
  const unsigned n = shift_count<W>(count);
  if (n == 0) return a;
  using Ring = typename ExecWidths<W>::Ring;
  const Ring wide = (static_cast<Ring>(a.raw_) << 1) >> n;  // bit 0: the carry
  const W result = static_cast<W>(wide >> 1);
  const bool overflow = top_bit(static_cast<W>(result ^ (result << 1)));
  return shifted(result, (wide & 1) != 0, overflow, true);
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::sar(Value<W> a, Value<u8> count) {
  const unsigned n = shift_count<W>(count);
  if (n == 0) return a;
  using Ring = typename ExecWidths<W>::SignedRing;
  const Ring wide = (static_cast<Ring>(static_cast<SignedOf<W>>(a.raw_)) * 2) >> n;
  return shifted(static_cast<W>(wide >> 1), (wide & 1) != 0, false, true);
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::rol(Value<W> a, Value<u8> count) {
  if (shift_count<W>(count) == 0) return a;
  const W result = std::rotl(a.raw_, static_cast<int>(shift_count<W>(count)));
  const bool carry = (result & 1) != 0;
  return rotated(result, carry, top_bit(result) != carry);
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::ror(Value<W> a, Value<u8> count) {
  if (shift_count<W>(count) == 0) return a;
  const W result = std::rotr(a.raw_, static_cast<int>(shift_count<W>(count)));
  return rotated(result, top_bit(result), top_bit(static_cast<W>(result ^ (result << 1))));
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::rcl(Value<W> a, Value<u8> count) {
  if (shift_count<W>(count) == 0) return a;
  using Ring = typename ExecWidths<W>::Ring;
  const unsigned n = shift_count<W>(count) % (kBits<W> + 1);
  const Ring carry_in = state_.flags.cf() ? 1 : 0;
  const Ring value = a.raw_;
  // The carry is a bit on top of the operand: a rotation of kBits + 1 bits.
  const Ring ring = (carry_in << kBits<W>) | value;
  const Ring turned = (ring << n) | (ring >> (kBits<W> + 1 - n));
  const W result = static_cast<W>(turned);
  const bool carry = ((turned >> kBits<W>)&1) != 0;
  return rotated(result, carry, top_bit(result) != carry);
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::rcr(Value<W> a, Value<u8> count) {
  if (shift_count<W>(count) == 0) return a;
  using Ring = typename ExecWidths<W>::Ring;
  const unsigned n = shift_count<W>(count) % (kBits<W> + 1);
  const Ring ring = (static_cast<Ring>(state_.flags.cf() ? 1 : 0) << kBits<W>) | a.raw_;
  const Ring turned = (ring >> n) | (ring << (kBits<W> + 1 - n));
  const W result = static_cast<W>(turned);
  const bool carry = ((turned >> kBits<W>)&1) != 0;
  return rotated(result, carry, top_bit(static_cast<W>(result ^ (result << 1))));
}

// A 16-bit double shift by more than 16 is undefined: what comes in then is the vendor's choice (DoubleShiftFill).
template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::shld(Value<W> a, Value<W> filler, Value<u8> count) {
  const unsigned n = shift_count<W>(count);
  if (n == 0) return a;
  W result;
  bool carry;
  if constexpr (sizeof(W) == 2) {
    const bool turns = cpu_.vendor().double_shift_fill == DoubleShiftFill::Destination;
    const u64 ring =
        (static_cast<u64>(a.raw_) << 32) | (static_cast<u64>(filler.raw_) << 16) | (turns ? a.raw_ : filler.raw_);
    result = static_cast<W>((ring << n) >> 32);
    carry = (n <= 16 || turns) && ((ring >> (48 - n)) & 1) != 0;
  } else {
    using Both = typename ExecWidths<W>::Double;
    const Both both = (static_cast<Both>(a.raw_) << kBits<W>) | filler.raw_;
    result = static_cast<W>((both << n) >> kBits<W>);
    carry = ((both >> (2 * kBits<W> - n)) & 1) != 0;
  }
  return shifted(result, carry, top_bit(static_cast<W>(result ^ a.raw_)), false);
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::shrd(Value<W> a, Value<W> filler, Value<u8> count) {
  const unsigned n = shift_count<W>(count);
  if (n == 0) return a;
  using Both = typename ExecWidths<W>::Ring;
  Both both;
  bool defined = true;
  if constexpr (sizeof(W) == 2) {
    const bool turns = cpu_.vendor().double_shift_fill == DoubleShiftFill::Destination;
    both = (static_cast<u64>(turns ? a.raw_ : filler.raw_) << 32) | (static_cast<u64>(filler.raw_) << 16) | a.raw_;
    defined = n <= 16 || turns;
  } else {
    both = (static_cast<Both>(filler.raw_) << kBits<W>) | a.raw_;
  }
  const W result = static_cast<W>(both >> n);
  const bool carry = defined && ((both >> (n - 1)) & 1) != 0;
  return shifted(result, carry, top_bit(static_cast<W>(result ^ a.raw_)), false);
}

template <bool kLong>
template <class W>
ExecPair<ExecValue<W>> ExecBuilderOf<kLong>::div(Value<W> high, Value<W> low, Value<W> divisor) {
  using Double = typename ExecWidths<W>::Double;
  if (divisor.raw_ == 0) [[unlikely]]
    return divide_error<W>();
  const Double dividend = static_cast<Double>((static_cast<Double>(high.raw_) << kBits<W>) | low.raw_);
  const Double quotient = static_cast<Double>(dividend / divisor.raw_);
  if (quotient > std::numeric_limits<W>::max()) [[unlikely]]
    return divide_error<W>();
  return {Value<W>(static_cast<W>(quotient)), Value<W>(static_cast<W>(dividend % divisor.raw_))};
}

template <bool kLong>
template <class W>
ExecPair<ExecValue<W>> ExecBuilderOf<kLong>::idiv(Value<W> high, Value<W> low, Value<W> divisor) {
  using Double = typename ExecWidths<W>::Double;
  using SignedDouble = typename ExecWidths<W>::SignedDouble;
  using Signed = SignedOf<W>;
  if (divisor.raw_ == 0) [[unlikely]]
    return divide_error<W>();
  const auto dividend = static_cast<SignedDouble>((static_cast<Double>(high.raw_) << kBits<W>) | low.raw_);
  const auto by = static_cast<Signed>(divisor.raw_);
  // The one quotient that does not fit the wide type; the host would trap.
  if (by == -1 && dividend == static_cast<SignedDouble>(Double{1} << (2 * kBits<W> - 1))) [[unlikely]]
    return divide_error<W>();
  const SignedDouble quotient = static_cast<SignedDouble>(dividend / by);
  if (quotient != static_cast<Signed>(quotient)) [[unlikely]]
    return divide_error<W>();
  return {Value<W>(static_cast<W>(quotient)), Value<W>(static_cast<W>(dividend % by))};
}

}  // namespace relic86
