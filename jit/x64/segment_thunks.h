// Fixed code for MOV and POP of ES, DS, FS and GS, VERR and VERW: what the interpreter's functions do, for descriptors
// that have been met before, and nothing for all others.
#pragma once

#include "jit/x64/registers.h"
#include "jit/x64/thunks.h"

namespace relic86::jit::x64 {

// Before any of the code is placed: where each begins, from the assembler's start.
// A function of that code: Z: rcx leads to what is known of the selector in ebp, whose descriptor has not changed. In
// protected mode alone; changes rax, rcx, rdx.
asmjit::Label emit_find(x86::Assembler& a, const KnownDescriptor* known);
SegmentThunks emit_segment_thunks(x86::Assembler& a, const KnownDescriptor* known);

}  // namespace relic86::jit::x64
