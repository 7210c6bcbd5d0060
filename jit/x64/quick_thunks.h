// Fixed code that fills a slot of the inline table (memory/inline_tlb.h) from the TLB's entries, for translated 64-bit
// code that did not find its page there.
#pragma once

#include "jit/runtime/engine_area.h"
#include "jit/x64/registers.h"
#include "jit/x64/thunks.h"

namespace relic86::jit::x64 {

// By QuickKind.
inline constexpr std::size_t kQuickFields[3] = {offsetof(InlineTlbSlot, read), offsetof(InlineTlbSlot, write),
                                                offsetof(InlineTlbSlot, code)};
// at := how many bytes into the table of high pages the home of a tag lies (HighTlb::home). The tag stays.
void emit_high_home(x86::Assembler& a, const x86::Gp& at, const x86::Gp& tag, const x86::Gp& scratch);
// A field of the slot that lies so many bytes into the table of supervisor's or user's pages.
x86::Mem quick_slot(const x86::Gp& slot, bool user, std::size_t field);

struct QuickThunks {
  std::size_t bring[3][2] = {};  // places in the code, by QuickKind and by user
  asmjit::Label label[3][2];     // the same, for other fixed code
};

QuickThunks emit_quick_thunks(x86::Assembler& a);

}  // namespace relic86::jit::x64
