// What must hold of the intermediate representation of a block, whoever made it: the columns of ops.def, uses after
// definitions, and no step that can fault after the first one that writes.
#pragma once

#include <optional>
#include <string>

#include "jit/ir/ir.h"

namespace relic86::jit {

// The first rule that a block breaks, with the place: "instruction 2, v4 = Add: ...". Nothing: it breaks none.
//
// - Fields: the operands that the row asks for and no others, defined before, of the right kind and width; size, reg,
//   segment, address size and immediate within what the row allows. Low and High follow their Pair at once.
// - Faults: an operation that may leave the block before anything is done comes before every register, flag, memory or
//   other state that its instruction writes. A Store after a LoadForWrite of the same Address cannot fault. An
//   operation that both faults and writes sees to the order itself (Push, Pop, the compound ones).
// - Addresses: no register of an Address is written before its last access, unless a LoadForWrite has settled it.
// - Flags: flags_read covers what the nodes read and have not defined; flags_killed is covered by what they certainly
//   define. writes_registers and may_exit are what the nodes say.
// - Order: instructions stand next to each other; a branch always taken ends the block; a loop's branch leads to its
//   start, and nothing in it forbids checks before it.
// - Groups: every access lies within its group's bytes, and the counts are right.
std::optional<std::string> broken_rule(const BlockIr& block);

}  // namespace relic86::jit
