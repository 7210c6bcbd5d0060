// Fixed code for accesses of 2 and 4 bytes that lie over the end of a page, and for stores into pages that hold code.
#pragma once

#include <cstddef>

#include "cpu/code_blocks.h"
#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

// Places in the assembler's code: see Thunks.
struct SplitThunks {
  std::size_t load[2] = {};
  std::size_t store[3][2] = {};
};

// tracking.base null: stores into pages that hold code are never carried out here.
SplitThunks emit_split_thunks(x86::Assembler& a, const BackingStore::WriteTracking& tracking);

}  // namespace relic86::jit::x64
