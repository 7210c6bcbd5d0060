// Fixed code for REP MOVS and REP STOS of 64-bit code: one host instruction for each run within a page on both sides.
#pragma once

#include "jit/x64/registers.h"
#include "jit/x64/walk_thunks.h"

namespace relic86::jit::x64 {

struct StringThunks {
  // Places in the code: by whether it moves (else it fills), by the logarithm of the element's size, by user.
  std::size_t repeat[2][4][2] = {};
};

StringThunks emit_string_thunks(x86::Assembler& a, const WalkThunks& walk);

}  // namespace relic86::jit::x64
