// How many NMIs a processor keeps: one while it handles another (SDM 3A 6.7.1). While it handles none it takes each
// between two instructions; if the host lets it carry out none before the second one comes, it is owed both.
#pragma once

#include "cpu/state.h"

namespace relic86 {

// What to set when an NMI comes.
inline u32 nmi_to_keep(const CpuState& state) {
  const bool second = (state.pending & kPendingNmi) != 0 && !state.nmi_blocked;
  return second ? kPendingNmi | kPendingSecondNmi : kPendingNmi;
}

// What to clear when one is taken.
inline u32 nmi_to_take(const CpuState& state) {
  return (state.pending & kPendingSecondNmi) != 0 ? kPendingSecondNmi : kPendingNmi;
}

}  // namespace relic86
