// Fixed code that walks the guest's page tables and fills the TLB, as Mmu and Tlb::fill do, for what is common: 32-bit
// paging, tables and page in RAM, A and D set already, and a replaced page that nobody holds.
#pragma once

#include <cstddef>

#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

// Places in the assembler's code: see Thunks. By whether the access is a write, and by user.
struct FillThunks {
  std::size_t fill[2][2] = {};
  asmjit::Label label[2][2];  // for other fixed code
};

FillThunks emit_fill_thunks(x86::Assembler& a);

}  // namespace relic86::jit::x64
