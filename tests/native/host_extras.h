// What the host has beyond what is emulated, or lacks: cases that meet it cannot be compared, and are counted by
// reason.
#pragma once

#include <string_view>

#include "tests/native/guest_code.h"

namespace relic86::native {

enum class Skip : u8 {
  None,
  ForeignPages,    // the case touched pages that are the oracle's own
  LeftItsCode,     // a jump ended in another case's bytes or beyond the part whose content is known
  MisalignedMode,  // AMD's parts have a bit 17 in MXCSR (MM), which no model has
  HostDescriptor,  // selectors 30h and 78h, which only the host's table has
  NestedTask,      // IA-32e mode has none: IRET with NT is #GP(0) on the host, a return to the task's caller here
  LockedVerw,      // on AMD family 25 LOCK VERW reads its operand before it is #UD: microcode made VERW clear buffers
  Count,
};

std::string_view skip_text(Skip skip);

bool met_foreign_pages(const CaseResult& emulated);
Skip skip_reason(const GuestCode& code, const CaseResult& host, const CaseResult& emulated);

}  // namespace relic86::native
