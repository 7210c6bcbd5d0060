// The VEX prefix of a row's instruction, with random registers.
#pragma once

#include <vector>

#include "cpu/code_size.h"
#include "cpu/instruction_table.h"
#include "tests/native/random.h"

namespace relic86::native {

inline bool has_vex(const InstructionRow& row) { return row.map >= OpcodeMap::VexTwoByte; }

// Appends the prefix. Now and then a bit is one that the row does not allow. The value: the bits R, X and B of the
// registers, and W, at their places in REX.
u8 put_vex(std::vector<u8>& bytes, Random& random, const InstructionRow& row, CodeSize size);

}  // namespace relic86::native
