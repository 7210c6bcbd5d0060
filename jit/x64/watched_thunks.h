// Fixed code for stores to pages that are watched for code: what is there already, and what hits no code, needs no C++.
#pragma once

#include <cstddef>

#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

// Places in the assembler's code: see Thunks. By size (1, 2, 4 bytes) and by user.
struct WatchedThunks {
  std::size_t store[3][2] = {};
};

WatchedThunks emit_watched_thunks(x86::Assembler& a);

}  // namespace relic86::jit::x64
