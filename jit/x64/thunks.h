// The fixed code between C++ and translated code: in, out, and calls that keep the guest's registers.
#pragma once

#include "base/guest_clock.h"
#include "cpu/state.h"
#include "jit/ir/mode.h"
#include "jit/runtime/code_cache.h"
#include "jit/runtime/descriptor_cache.h"

namespace relic86::jit {
struct ExitPoint;
}

namespace relic86::jit::x64 {

// A helper gets its context and the exit point of the call. 0: translated code goes on; 1: it is left; else it goes on
// at this entry of another translation.
using Helper = u64 (*)(void* context, void* exit_point);

struct Helpers {
  void* context = nullptr;
  Helper load = nullptr;      // EngineArea::value := what the access reads
  Helper store = nullptr;     // writes EngineArea::value
  Helper probe = nullptr;     // makes the page writable; then the access is tried again
  Helper touch = nullptr;     // makes an entry for the access; EngineArea::value: 1 if it is a fast one
  Helper cold = nullptr;      // runs the instruction's handler
  Helper depart = nullptr;    // the instruction at an exit of kind Before is carried out; never 0
  Helper transfer = nullptr;  // the block's last instruction, a far transfer, is carried out; never 0
  Helper flatten = nullptr;   // the flags' steps go to CpuState; EngineArea::value: the arithmetic flags
  Helper time = nullptr;      // gives what RDTSC reads
  Helper identify = nullptr;  // CPUID, from and to CpuState
  // IN and OUT, from and to EAX and EDX in CpuState. 0: done; 1: done, and something else is to be looked at, which
  // `ported` does, never 0; 2: nothing was done, the handler sees to it.
  Helper port = nullptr, ported = nullptr;
  ExitPoint* no_frame = nullptr;  // an exit of kind Indirect of no block
  const KnownDescriptor* known = nullptr;
  bool avx = false;           // the host's AVX unit may be used
  ClockLine* line = nullptr;  // guest time may follow it; null: `time` is always called
  bool walks = true;          // string instructions of 64-bit code may walk page tables by fixed code
};

// Each is called with the selector in rbp, its upper bits 0. Z: done. Else nothing has changed.
struct SegmentThunks {
  // By segment and whether the code is 32-bit: the load is done if the segment is then of the kind that it was
  // (Mode::segments).
  u64 load[kSegmentRegisters][2] = {};
  // Where nothing but the kind forbade it, load leaves C set, and r11 leads to what is known of the descriptor: this
  // loads it. Changes r12.
  u64 take[kSegmentRegisters] = {};
  // rbp := 1 if the segment may be read or written, else 0.
  u64 verify_read = 0, verify_write = 0;
  // C: the program may not know of the segment; else rbp := its rights, or its limit.
  u64 rights = 0, limit = 0;
};

// Code of 16 bits, of 32 bits in a segment that is not flat, flat code.
enum class CodeSort : u8 { Narrow, Limited, Flat };

// Of far transfers within a ring of protected mode.
struct CodeThunks {
  // By the sort of the present code, and whether a RETF asks. Called with the selector in rbp, its upper bits 0, and
  // the offset in r10. Z: r11 leads to a code segment that may be entered there, and the mode stays. NZ and C: it leads
  // to one that may be entered, and the mode is mode_of_other_sort() then (x64/code_thunks.h). Else nothing but r11 has
  // changed.
  u64 check[3][2] = {};
  u64 load = 0;  // what r11 leads to becomes CS, rbp is still the selector; rbp and r12 change
};

// What a slot of the inline table (memory/inline_tlb.h) is filled for.
enum QuickKind : u8 { kQuickRead, kQuickWrite, kQuickCode };

struct Thunks {
  void (*enter)(const u8* code, CpuState* state) = nullptr;
  u64 leave = 0;       // jumped to, rbp: ExitPoint*
  u64 depart = 0;      // the same; a helper's work is done first, and perhaps it knows where to go on
  u64 transfer = 0;    // the same for ExitPoint::far, the flags at home
  u64 load_units = 0;  // called: the guest's x87 and SSE state to the host's
  u64 load = 0, store = 0, probe = 0, touch = 0, cold = 0, flatten = 0;
  u64 time = 0;        // EDX:EAX := what RDTSC reads; else as cold
  u64 identify = 0;    // CPUID; else as cold
  u64 port = 0;        // IN and OUT; else as cold
  u64 home_image = 0;  // EngineArea::value: the arithmetic flags; the home stays
  u64 home_flags = 0;  // as flatten, but the home stays; AF is not valid  // called with rbp: ExitPoint*
  // 2 or 4 bytes over the end of a page, from the linear address in rbp on, from or to EngineArea::value: NZ, and
  // nothing done, unless both pages may be accessed directly. By user; stores by size, too: 0 for 2 bytes. rbp changes.
  u64 split_load[2] = {};
  u64 split_store[2][2] = {};
  // The same for an access that reads and writes, which is made by the caller with EngineArea::aside as the entry: Z if
  // the pages lie side by side in the host's memory as well. rbp stays.
  u64 split_join[2] = {};
  // The TLB's entry for the access at the linear address in rbp, by whether it writes and by user. Z: it is a fast one
  // now; else nothing has changed. rbp stays.
  u64 fill[2][2] = {};
  // Of a page without a fast entry. Z: EngineArea::aside is the entry, or what it would be if it allowed an access of up
  // to 16 bytes at the linear address in rbp, within the page; else nothing has changed. rbp stays. By whether it writes
  // and by user; of plain stores, which do not read the place, by user.
  u64 page[2][2] = {};
  u64 page_store[2] = {};
  // A store of EngineArea::value at the linear address in rbp, within a page that is watched for code, by size (1, 2, 4
  // bytes) and by user. Z: done; else nothing has changed. rbp stays.
  u64 watched_store[3][2] = {};
  // A byte from or to EngineArea::value, at the linear address in rbp, where planes of video memory are that fixed code
  // may access. Z: done; else nothing has changed. rbp stays. By user.
  u64 plane_load[2] = {};
  u64 plane_store[2] = {};
  // 64-bit code: the inline table's slot of the page at the linear address in rbp, by QuickKind and by user. Z: it
  // leads to the page now; else nothing has changed. rbp stays.
  u64 quick[3][2] = {};
  // The same, of reads and writes, for an access that nothing can prevent: the page tables are walked if the page has
  // no entry. NZ: it may have one now. By whether the access writes, by QuickKind and by user.
  u64 walk[2][2][2] = {};
  // The same of the code at the address in rbp, to which control goes whatever happens, unless the slice ends here. By
  // user.
  u64 fetch[2] = {};
  // REP MOVS (1) and REP STOS (0) upwards in 64-bit code, with 64-bit addresses and flat segments, by the logarithm of
  // the element's size and by user. RCX is not 0. Z: done; else what is left of it is the handler's. rbp changes.
  u64 repeat[2][4][2] = {};
  SegmentThunks segments{};
  CodeThunks code{};
};

// Null thunks: no executable memory.
Thunks make_thunks(CodeCache& cache, const Helpers& helpers);

}  // namespace relic86::jit::x64
