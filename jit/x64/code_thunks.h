// Fixed code that far transfers call: a code segment that is known (jit/runtime/descriptor_cache.h) becomes CS.
#pragma once

#include "jit/ir/mode.h"
#include "jit/runtime/descriptor_cache.h"
#include "jit/x64/registers.h"
#include "jit/x64/thunks.h"

namespace relic86::jit::x64 {

CodeThunks emit_code_thunks(x86::Assembler& a, const KnownDescriptor* known);

// Of flat 32-bit code that of code with a limit, and the other way round.
Mode mode_of_other_sort(const Mode& mode);

}  // namespace relic86::jit::x64
