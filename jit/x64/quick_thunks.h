// Fixed code that fills a slot of the inline table (memory/inline_tlb.h) from the TLB's entries, for translated 64-bit
// code that did not find its page there.
#pragma once

#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

struct QuickThunks {
  std::size_t bring[3][2] = {};  // places in the code, by QuickKind and by user
  asmjit::Label label[3][2];     // the same, for other fixed code
};

QuickThunks emit_quick_thunks(x86::Assembler& a);

}  // namespace relic86::jit::x64
