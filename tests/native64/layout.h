// What both sides have in common during a case of 64-bit code: the memory map (tests/native/layout.h has the pieces),
// and the records that go in and come out. Linear addresses are equal on both sides.
#pragma once

#include "tests/native/layout.h"

namespace relic86::native64 {

using native::kCode;
using native::kCodeSize;
using native::kControl;
using native::kData;
using native::kDataSize;
using native::kReadOnly;
using native::kSlots;
using native::kSlotSize;
using native::kStub;
using native::kStubSize;
using native::kWindow;
using native::kWindowSize;

// The data and the read-only page once more, above 4 GiB: kHigh + address is the same memory.
inline constexpr u64 kHigh = 0x123400000000;
inline constexpr u64 kFsBase = kData - 0x1000, kGsBase = kHigh + kData;
inline constexpr u16 kCodeSelector = 0x33, kStackSelector = 0x2B;
inline constexpr unsigned kRegisters = 16;

struct alignas(64) CaseInput {
  FxState fx;  // loaded when units is set
  u64 gpr[kRegisters];
  u64 rflags;
  u64 rip;
  bool units;    // x87, MMX and XMM registers take part
  bool vectors;  // so do the upper halves of YMM registers
  FxState::Slot ymm_high[16];
  u8 window[kWindowSize];
};

using native::kChildDied;
using native::kCompleted;
using native::kHung;
struct alignas(64) CaseResult {
  FxState fx;
  u64 gpr[kRegisters];
  u64 rflags;
  u64 rip;
  u32 vector;  // exception, or kCompleted
  u32 error_code;
  u64 cr2;    // page faults only, else 0
  u64 stray;  // hash of the data outside the window if a store changed it, else 0
  FxState::Slot ymm_high[16];
  u8 window[kWindowSize];
};

}  // namespace relic86::native64
