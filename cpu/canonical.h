// Canonical linear addresses of 64-bit mode (SDM 1 3.3.7.1): bits 63:47 are equal.
#pragma once

#include "base/types.h"

namespace relic86 {

inline constexpr unsigned kLinearBits = 48;
// The first address that is not canonical, and the size of each half.
inline constexpr u64 kLowerHalfEnd = u64{1} << (kLinearBits - 1);

constexpr bool canonical(u64 address) { return address + kLowerHalfEnd < 2 * kLowerHalfEnd; }

// Whether all of an access of size bytes is canonical; one that wraps at the end of the address space is.
constexpr bool canonical(u64 address, u32 size) { return canonical(address) && canonical(address + size - 1); }

}  // namespace relic86
