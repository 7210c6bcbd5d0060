// Fixed code for accesses to pages that never take plain ones, where this one may be plain all the same: what a data
// breakpoint of DR0 to DR3 does not come near, and stores where nobody answers (ROM).
#pragma once

#include <cstddef>

#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

// Places in the assembler's code: see Thunks.
struct AsideThunks {
  std::size_t access[2][2] = {};  // by whether it is a write, and by user
  std::size_t store[2] = {};      // by user
};

AsideThunks emit_aside_thunks(x86::Assembler& a);

}  // namespace relic86::jit::x64
