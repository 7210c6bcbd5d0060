// Fixed code that walks the guest's page tables of 4-level and 5-level paging and fills the TLB, as Mmu and Tlb::fill
// do, for what is common: tables and page in RAM below 4 GiB, pages of 4 KiB and 2 MiB, A and D set already, and a
// replaced page that nobody holds. For translated 64-bit code.
#pragma once

#include "jit/x64/quick_thunks.h"
#include "jit/x64/registers.h"

namespace relic86::jit::x64 {

// Places in the assembler's code: see Thunks::walk. By what the access is and what the slot is filled for, and by user.
struct WalkThunks {
  std::size_t bring[2][2][2] = {};
  std::size_t fetch[2] = {};  // see Thunks::fetch
  // For code that keeps host addresses where no thunk sees them: these replace no entry, and walk only if
  // keeping_walks. By whether the access writes, and by user.
  asmjit::Label keeping[2][2];
};

WalkThunks emit_walk_thunks(x86::Assembler& a, const QuickThunks& quick, bool keeping_walks);

}  // namespace relic86::jit::x64
