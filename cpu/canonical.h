// Canonical linear addresses of 64-bit mode (SDM 1 3.3.7.1): the bits from the highest one that is translated on are
// equal. 4-level paging translates 48 bits, 5-level paging (CR4.LA57) 57.
#pragma once

#include "base/types.h"

namespace relic86 {

inline constexpr unsigned kLinearBits = 48, kWideLinearBits = 57;

class LinearWidth {
 public:
  constexpr explicit LinearWidth(unsigned bits = kLinearBits) : half_(u64{1} << (bits - 1)) {}

  // The first address that is not canonical, and the size of each half.
  constexpr u64 lower_half_end() const { return half_; }
  constexpr bool canonical(u64 address) const { return address + half_ < 2 * half_; }
  // Whether all of an access of size bytes is canonical; one that wraps at the end of the address space is.
  constexpr bool canonical(u64 address, u32 size) const { return canonical(address) && canonical(address + size - 1); }

 private:
  u64 half_;
};

}  // namespace relic86
