// The way into a case and back, at a place that 32-bit absolute addresses reach (stub.cpp).
#pragma once

#include "tests/native64/layout.h"

namespace relic86::native64 {

// At kControl. The stub knows the offsets.
struct Control {
  u64 gpr[kRegisters];          // 000, by encoding
  u64 rflags;                   // 080
  u64 rip;                      // 088
  const FxState* fx_in;         // 090, null: not loaded
  FxState* fx_out;              // 098, null: not stored
  u64 gpr_out[kRegisters];      // 0A0
  u64 rflags_out;               // 120
  u64 host_rsp;                 // 128
  u32 default_mxcsr;            // 130
  u32 faulted;                  // 134
  void (*capture)(void*);       // 138
  void* present;                // 140, of the child
  u64 leave;                    // 148, where a case ends
  const FxState::Slot* ymm_in;  // 150, bits 255:128 of sixteen; null: not loaded
  FxState::Slot* ymm_out;       // 158, null: not stored
};
static_assert(offsetof(Control, gpr_out) == 0xA0 && offsetof(Control, host_rsp) == 0x128);
static_assert(offsetof(Control, ymm_in) == 0x150 && offsetof(Control, ymm_out) == 0x158);
static_assert(offsetof(Control, faulted) == 0x134 && offsetof(Control, capture) == 0x138);

extern "C" {
// The stub as linked; it runs at kStub, where it is copied to.
extern const u8 relic86_native64_stub[], relic86_native64_leave[], relic86_native64_signal[], relic86_native64_end[];
}

// What a case jumps through to its end.
inline constexpr u32 kLeavePointer = kControl + 0x148;
static_assert(offsetof(Control, leave) == 0x148);

inline u64 stub_address(const u8* label) { return kStub + static_cast<u64>(label - relic86_native64_stub); }

}  // namespace relic86::native64
