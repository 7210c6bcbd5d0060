// What more than one place knows of long mode (SDM 3A 2.2.1, 9.8.5; APM 2 chapter 14).
#pragma once

#include "cpu/canonical.h"
#include "cpu/state.h"

namespace relic86 {

// IA32_EFER (SDM 4, table 2-2; APM 2 3.1.7).
inline constexpr u64 kEferSce = 1u << 0, kEferLme = 1u << 8, kEferLma = 1u << 10, kEferNxe = 1u << 11,
                     kEferFfxsr = 1u << 14;

// Where a table or task-state segment lies: outside of long mode its addresses wrap at 4 GiB.
inline LinAddr system_address(const CpuState& state, u64 linear) {
  return LinAddr(state.mode.long_mode ? linear : static_cast<u32>(linear));
}

}  // namespace relic86
