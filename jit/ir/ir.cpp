#include "jit/ir/ir.h"

namespace relic86::jit {

void summarise(InsnIr& insn) {
  u32 traits = 0, written = 0;
  for (const Node& node : insn.nodes) {
    const OpInfo& row = info(node.op);
    traits |= row.traits;
    if (!row.has(kOpSettles)) written |= registers_written(node);
  }
  insn.writes_registers = written;
  insn.may_exit = (traits & (kOpFaults | kOpLeaves | kOpExitsLate)) != 0 || insn.leaves;
}

}  // namespace relic86::jit
