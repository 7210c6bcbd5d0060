// Fixed code for accesses of 2 and 4 bytes that lie over the end of a page.
#pragma once

#include <cstddef>

#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

// Places in the assembler's code: see Thunks.
struct SplitThunks {
  std::size_t load[2] = {};
  std::size_t store[2][2] = {};
  std::size_t join[2] = {};
};

SplitThunks emit_split_thunks(x86::Assembler& a);

}  // namespace relic86::jit::x64
