// Conditions of Jcc, SETcc and CMOVcc by their encoding (SDM 2 appendix B.1.4.7).
#pragma once

#include "cpu/lazy_flags.h"

namespace relic86 {

enum class Condition : u8 {
  Overflow,
  NotOverflow,
  Below,
  AboveOrEqual,
  Equal,
  NotEqual,
  BelowOrEqual,
  Above,
  Sign,
  NotSign,
  ParityEven,
  ParityOdd,
  Less,
  GreaterOrEqual,
  LessOrEqual,
  Greater,
};

constexpr u32 flags_read_by(Condition condition) {
  switch (static_cast<Condition>(static_cast<u8>(condition) & 0xE)) {
    case Condition::Overflow: return kOF;
    case Condition::Below: return kCF;
    case Condition::Equal: return kZF;
    case Condition::BelowOrEqual: return kCF | kZF;
    case Condition::Sign: return kSF;
    case Condition::ParityEven: return kPF;
    case Condition::Less: return kSF | kOF;
    default: return kSF | kOF | kZF;
  }
}

template <Condition condition>
inline bool holds(const LazyFlags& flags) {
  constexpr bool kInverted = (static_cast<u8>(condition) & 1) != 0;
  constexpr auto kPlain = static_cast<Condition>(static_cast<u8>(condition) & 0xE);
  bool value = false;
  if constexpr (kPlain == Condition::Overflow) value = flags.of();
  if constexpr (kPlain == Condition::Below) value = flags.cf();
  if constexpr (kPlain == Condition::Equal) value = flags.zf();
  if constexpr (kPlain == Condition::BelowOrEqual) value = flags.cf() || flags.zf();
  if constexpr (kPlain == Condition::Sign) value = flags.sf();
  if constexpr (kPlain == Condition::ParityEven) value = flags.pf();
  if constexpr (kPlain == Condition::Less) value = flags.sf() != flags.of();
  if constexpr (kPlain == Condition::LessOrEqual) value = flags.zf() || flags.sf() != flags.of();
  return value != kInverted;
}

}  // namespace relic86
