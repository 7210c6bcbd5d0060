// Text of intermediate representation, for failure reports and tests.
#pragma once

#include <string>

#include "jit/ir/ir.h"

namespace relic86::jit {

// One node a line: "v3 = Add.4 v1 v2", with the names of ops.def.
std::string ir_text(const InsnIr& insn);

}  // namespace relic86::jit
