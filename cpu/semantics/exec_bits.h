// ExecBuilder's counts of bits and BMI operations: a part of cpu/semantics/exec_builder.h, which includes it.
#pragma once

#include <bit>

#include "cpu/semantics/exec_builder.h"

namespace relic86 {

// Of BMI operations: SF and ZF tell the result; OF and the undefined AF and PF become 0.
template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::bit_result(W result, bool carry) {
  const u32 sign = top_bit(result) ? u32{kSF} : 0u, zero = result == 0 ? u32{kZF} : 0u;
  state_.flags.set_eflags(sign | zero | (carry ? u32{kCF} : 0u));
  return Value<W>(result);
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::bit_count(W source, int count) {
  state_.flags.set_eflags((source == 0 ? u32{kCF} : 0u) | (count == 0 ? u32{kZF} : 0u));
  return Value<W>(static_cast<W>(count));
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::popcnt(Value<W> a) {
  state_.flags.set_eflags(a.raw_ == 0 ? u32{kZF} : 0u);
  return Value<W>(static_cast<W>(std::popcount(a.raw_)));
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::blsr(Value<W> a) {
  return bit_result(static_cast<W>(a.raw_ & (a.raw_ - 1)), a.raw_ == 0);
}
template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::blsmsk(Value<W> a) {
  return bit_result(static_cast<W>(a.raw_ ^ (a.raw_ - 1)), a.raw_ == 0);
}
template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::blsi(Value<W> a) {
  return bit_result(static_cast<W>(a.raw_ & (0 - a.raw_)), a.raw_ != 0);
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::bzhi(Value<W> a, Value<W> index) {
  const unsigned from = static_cast<unsigned>(index.raw_ & 0xFF);
  const bool all = from >= kBits<W>;
  return bit_result(all ? a.raw_ : static_cast<W>(a.raw_ & ((W{1} << from) - 1)), all);
}

// The field's first bit stands in bits 7:0 of the second source, its length in bits 15:8. SF, undefined, is 0.
template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::bextr(Value<W> a, Value<W> control) {
  const unsigned start = static_cast<unsigned>(control.raw_ & 0xFF);
  const unsigned length = static_cast<unsigned>(u64{control.raw_} >> 8 & 0xFF);
  W result = start < kBits<W> ? static_cast<W>(a.raw_ >> start) : W{0};
  if (length < kBits<W>) result = static_cast<W>(result & ((W{1} << length) - 1));
  bit_scan_flags(result == 0);
  return Value<W>(result);
}

template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::sarx(Value<W> a, Value<W> count) {
  return Value<W>(static_cast<W>(static_cast<SignedOf<W>>(a.raw_) >> (count.raw_ & (kBits<W> - 1))));
}

template <bool kLong>
template <class W>
ExecPair<ExecValue<W>> ExecBuilderOf<kLong>::mulx(Value<W> a) {
  using Double = typename ExecWidths<W>::Double;
  const Double product = static_cast<Double>(static_cast<Double>(a.raw_) * read_fixed<W>(kEdx));
  return {Value<W>(static_cast<W>(product)), Value<W>(static_cast<W>(product >> kBits<W>))};
}

// The source's low bits go to the places that the mask names, and the other way round.
template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::pdep(Value<W> source, Value<W> mask) {
  W from = source.raw_, result = 0;
  for (W left = mask.raw_; left != 0; left = static_cast<W>(left & (left - 1)), from = static_cast<W>(from >> 1)) {
    if ((from & 1) != 0) result = static_cast<W>(result | (left & (0 - left)));
  }
  return Value<W>(result);
}
template <bool kLong>
template <class W>
ExecValue<W> ExecBuilderOf<kLong>::pext(Value<W> source, Value<W> mask) {
  W result = 0, place = 1;
  for (W left = mask.raw_; left != 0; left = static_cast<W>(left & (left - 1)), place = static_cast<W>(place << 1)) {
    if ((source.raw_ & left & (0 - left)) != 0) result = static_cast<W>(result | place);
  }
  return Value<W>(result);
}

}  // namespace relic86
