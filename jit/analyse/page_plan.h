// Finds accesses of a block that lie near each other whatever the registers hold: same base and index values, constant
// distances. One check of the page serves such a group (the back end keeps its host address in a register).
#pragma once

#include "jit/ir/ir.h"
#include "jit/ir/mode.h"

namespace relic86::jit {

// Marks the access nodes of groups with two or more accesses (Node::group, Node::offset) and fills block.groups; in a
// loop (BlockIr::loop) also those of single accesses at a fixed address.
void plan_pages(BlockIr& block, const Mode& mode);

}  // namespace relic86::jit
