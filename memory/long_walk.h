// How TlbWalk::directory names the page tables of 4-level and 5-level paging: the address of the topmost one, which is
// a multiple of 4096, and marks in its lowest bits. Only code that knows the marks may use it (jit/x64/walk_thunks.h).
#pragma once

#include "base/types.h"

namespace relic86 {

inline constexpr u64 kWalkLong = 1;         // else the directory is one of 32-bit paging
inline constexpr u64 kWalkNoUserPages = 2;  // of the supervisor's accesses: SMAP keeps them from pages of user mode
inline constexpr u64 kWalkFiveLevels = 4;   // of long ones: else there are four

}  // namespace relic86
