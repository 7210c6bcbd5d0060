#include "jit/analyse/flag_analysis.h"

#include <algorithm>

namespace relic86::jit {

bool leaves_after_writing(const InsnIr& insn) {
  return insn.cold || insn.branches ||
         std::ranges::any_of(insn.nodes, [](const Node& node) { return info(node.op).has(kOpExitsLate); });
}

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
      // Registers are looked at as they are before the instruction, and perhaps as it has left them.
      need.clobbered |= written;
      if (leaves_after_writing(insn)) need.clobbered |= insn.writes_registers;
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
