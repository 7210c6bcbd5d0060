#include "jit/analyse/flag_analysis.h"

namespace relic86::jit {

FlagNeed flag_need(const BlockIr& block, std::size_t at, u32 defined) { return flag_need_from(block, at + 1, defined); }

FlagNeed flag_need_from(const BlockIr& block, std::size_t first, u32 flags) {
  FlagNeed need;
  u32 live = flags;
  u32 written = 0;
  for (std::size_t i = first; i < block.insns.size(); ++i) {
    const InsnIr& insn = block.insns[i];
    const bool reads = (insn.flags_read & live) != 0;
    if (reads || insn.may_exit) {
      need.read = need.read || reads;
      need.exact = need.exact || insn.may_exit;
      // Registers are looked at as they are before the instruction; branches and cold ones are left behind it too.
      need.clobbered |= written;
      if (insn.cold || insn.branches) need.clobbered |= insn.writes_registers;
    }
    live &= ~insn.flags_killed;
    if (live == 0) return need;
    written |= insn.writes_registers;
  }
  need.exact = true;
  need.clobbered |= written;
  return need;
}

}  // namespace relic86::jit
