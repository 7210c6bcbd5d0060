// Whether accesses that are not aligned raise #AC (SDM 3A 6.15, vector 17).
#pragma once

#include "cpu/lazy_flags.h"
#include "cpu/state.h"

namespace relic86 {

// In ring 3, with CR0.AM and EFLAGS.AC set. Elsewhere EFLAGS.AC means something else: STAC sets it for SMAP.
inline bool checks_alignment(const CpuState& state) {
  constexpr u32 kCr0Am = 1u << 18;
  return (state.system_flags & kAC) != 0 && (state.cr0 & kCr0Am) != 0 && state.mode.cpl == 3;
}

}  // namespace relic86
