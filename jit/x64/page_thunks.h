// Fixed code for accesses to pages without a fast entry in the TLB: it makes one (fill_thunks.h), or finds that this
// access may be plain though the page's are not: what a data breakpoint of DR0 to DR3 does not come near, and stores
// where nobody answers (ROM).
#pragma once

#include <cstddef>

#include "jit/x64/fill_thunks.h"

namespace relic86::jit::x64 {

// Places in the assembler's code: see Thunks.
struct PageThunks {
  std::size_t access[2][2] = {};  // by whether it is a write, and by user
  std::size_t store[2] = {};      // by user
};

PageThunks emit_page_thunks(x86::Assembler& a, const FillThunks& fill);

}  // namespace relic86::jit::x64
