// The way from 64-bit code into a case in a 32- or 16-bit code segment and back (host_stub.cpp).
#pragma once

#include "tests/native/layout.h"

namespace relic86::native {

// At kControl. The stub knows the offsets.
struct HostControl {
  u32 gpr[8];              // 00
  u64 eflags;              // 20
  u32 eip;                 // 28, with cs a far pointer
  u16 cs;                  // 2C
  u16 es, ss, ds, fs, gs;  // 2E 30 32 34 36
  u64 host_rsp;            // 38
  const FxState* fx_in;    // 40, null: not loaded
  FxState* fx_out;         // 48, null: not stored
  u32 gpr_out[8];          // 50
  u64 eflags_out;          // 70
  u16 segment_out[6];      // 78
  u16 reserved[2];
  u32 default_mxcsr;            // 88
  u32 faulted;                  // 8C
  const FxState::Slot* ymm_in;  // 90, bits 255:128 of eight
  FxState::Slot* ymm_out;       // 98, null: not stored
};
static_assert(offsetof(HostControl, cs) == 0x2C && offsetof(HostControl, host_rsp) == 0x38);
static_assert(offsetof(HostControl, gpr_out) == 0x50 && offsetof(HostControl, segment_out) == 0x78);
static_assert(offsetof(HostControl, ymm_in) == 0x90 && offsetof(HostControl, ymm_out) == 0x98);
static_assert(offsetof(HostControl, default_mxcsr) == 0x88 && offsetof(HostControl, faulted) == 0x8C);

extern "C" {
// The stub as linked; it runs at kStub, where it is copied to.
extern const u8 relic86_native_stub[], relic86_native_stub_vectors[], relic86_native_stub_leave[],
    relic86_native_stub_signal[], relic86_native_stub_end[];
// Called by the stub's signal handler on the signal stack.
void relic86_native_capture(void* context);
}

inline u32 stub_address(const u8* label) { return kStub + static_cast<u32>(label - relic86_native_stub); }

}  // namespace relic86::native
