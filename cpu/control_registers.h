// Bits of CR0 that more than one place works with (SDM 3A 2.5).
#pragma once

#include "base/types.h"

namespace relic86 {

inline constexpr u32 kCr0Pe = 1u << 0, kCr0Mp = 1u << 1, kCr0Em = 1u << 2, kCr0Ts = 1u << 3, kCr0Et = 1u << 4;
inline constexpr u32 kCr0Known = 0xE005003F;
// What task switches and users of the units change: nothing but the units' availability depends on it.
inline constexpr u32 kCr0UnitFlags = kCr0Mp | kCr0Em | kCr0Ts;
// What LMSW loads; PE it can only set.
inline constexpr u32 kCr0MachineStatus = 0xF;

}  // namespace relic86
