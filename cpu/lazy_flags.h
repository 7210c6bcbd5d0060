// The six arithmetic flags in a form that costs an ALU operation a handful of host operations to set: the sign-extended
// result, and the carry out of each bit position. Every flag is then a few operations to read.
//
//   ZF = result == 0          SF = result < 0, inverted by kSignDelta      PF = even parity of result[7:0] ^
//   carries[15:8] AF = carries bit 3        CF = carries bit 31                          OF = carries bit 31 ^ bit 30
#pragma once

#include <bit>

#include "base/types.h"

namespace relic86 {

// EFLAGS bits (SDM 1 3.4.3).
enum Eflags : u32 {
  kCF = 1u << 0,
  kFixed1 = 1u << 1,
  kPF = 1u << 2,
  kAF = 1u << 4,
  kZF = 1u << 6,
  kSF = 1u << 7,
  kTF = 1u << 8,
  kIF = 1u << 9,
  kDF = 1u << 10,
  kOF = 1u << 11,
  kIOPL = 3u << 12,
  kNT = 1u << 14,
  kRF = 1u << 16,
  kVM = 1u << 17,
  kAC = 1u << 18,
  kVIF = 1u << 19,
  kVIP = 1u << 20,
  kID = 1u << 21,
  kArithmeticFlags = kCF | kPF | kAF | kZF | kSF | kOF,
};

struct LazyFlags {
  i64 result = 1;
  u32 carries = 0;

  static constexpr u32 kCarryBit = 1u << 31;
  static constexpr u32 kBelowTopBit = 1u << 30;
  static constexpr u32 kAuxBit = 1u << 3;
  static constexpr u32 kSignDelta = 1u << 0;

  bool zf() const { return result == 0; }
  bool sf() const { return (result < 0) != ((carries & kSignDelta) != 0); }
  bool cf() const { return (carries & kCarryBit) != 0; }
  bool of() const { return ((carries ^ (carries << 1)) & kCarryBit) != 0; }
  bool af() const { return (carries & kAuxBit) != 0; }
  bool pf() const { return (std::popcount(static_cast<u8>(static_cast<u64>(result) ^ (carries >> 8))) & 1) == 0; }

  // carry_vector: the carry (or borrow) out of every bit of a W-wide operation.
  template <class W>
  static constexpr u32 pack_carries(W carry_vector) {
    if constexpr (sizeof(W) == 8) {
      return (static_cast<u32>(carry_vector >> 32) & 0xC0000000u) | (static_cast<u32>(carry_vector) & kAuxBit);
    } else if constexpr (sizeof(W) == 4) {
      return carry_vector & (0xC0000000u | kAuxBit);
    } else {
      constexpr unsigned kShift = 32 - sizeof(W) * 8;
      return ((static_cast<u32>(carry_vector) << kShift) & 0xC0000000u) | (carry_vector & kAuxBit);
    }
  }

  u32 eflags() const {
    return (cf() ? kCF : 0u) | (pf() ? kPF : 0u) | (af() ? kAF : 0u) | (zf() ? kZF : 0u) | (sf() ? kSF : 0u) |
           (of() ? kOF : 0u);
  }
  void set_eflags(u32 eflags) {
    // result is 0 for ZF, else 1; sign and parity are then put right by their deltas.
    result = (eflags & kZF) != 0 ? 0 : 1;
    carries = (eflags & kSF) != 0 ? kSignDelta : 0;
    const bool parity_of_result = result == 0;
    if (((eflags & kPF) != 0) != parity_of_result) carries |= 1u << 8;
    if ((eflags & kAF) != 0) carries |= kAuxBit;
    set_cf_of((eflags & kCF) != 0, (eflags & kOF) != 0);
  }
  void set_cf_of(bool carry, bool overflow) {
    carries &= ~(kCarryBit | kBelowTopBit);
    if (carry) carries |= kCarryBit;
    if (carry != overflow) carries |= kBelowTopBit;
  }
  void set_cf(bool carry) { set_cf_of(carry, of()); }
};

}  // namespace relic86
