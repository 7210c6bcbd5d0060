// What the host's processor and the emulated one have in common during a case: the memory map below 4 GiB, the
// descriptors, and the records that go in and come out. Linear addresses are equal on both sides.
#pragma once

#include "base/types.h"
#include "cpu/state.h"

namespace relic86::native {

// --- Memory map. Everything else below 4 GiB is not present on either side. ---
inline constexpr u32 kCode = 0x400000, kCodeSize = 0x10000;  // read and execute
inline constexpr u32 kSlotSize = 256, kSlots = kCodeSize / kSlotSize;
inline constexpr u32 kData = 0x500000, kDataSize = 0x2000;  // read and write, not executable
inline constexpr u32 kReadOnly = 0x502000;                  // one page behind it that is only readable
inline constexpr u32 kStub = 0x7E37D000;                    // host only: the way in and out
inline constexpr u32 kControl = 0x7E37E000;                 // host only: what the stub loads and stores
inline constexpr u32 kStubSize = 0x10000;                   // with the emulated side's own tables
// The part of the data that every case starts with anew; it straddles the two pages.
inline constexpr u32 kWindow = 0x500E00, kWindowSize = 0x400;

// --- Selectors: Linux's own, then entries of the local descriptor table. ---
inline constexpr u16 kCode32 = 0x23, kFlat = 0x2B;
inline constexpr u16 kCode64 = 0x33;        // an empty entry on the emulated side, where the far jump to the end faults
inline constexpr u16 kCode16 = 0x0F;        // base kCode, 64 KiB
inline constexpr u16 kData16 = 0x17;        // base kData16Base, 64 KiB, 16-bit stack
inline constexpr u16 kSmall = 0x1F;         // base kData, limit 1FFFh
inline constexpr u16 kExpandDown = 0x27;    // base 0, offsets above 500FFFh
inline constexpr u16 kReadOnlyFlat = 0x2F;  // base 0, 4 GiB, not writable
inline constexpr u16 kAbsent = 0x37;        // not present
inline constexpr u32 kData16Base = 0x4F3000;

struct LdtEntry {
  unsigned index;
  u32 base, limit;  // limit: last valid byte, or page with pages
  bool wide, code, expand_down, read_only, pages, absent;
};
inline constexpr LdtEntry kLdtEntries[] = {
    {1, kCode, 0xFFFF, false, true, false, false, false, false},
    {2, kData16Base, 0xFFFF, false, false, false, false, false, false},
    {3, kData, 0x1FFF, true, false, false, false, false, false},
    {4, 0, 0x500, true, false, true, false, true, false},
    {5, 0, 0xFFFFF, true, false, false, true, true, false},
    {6, 0, 0xFFFFF, true, false, false, false, true, true},
};
inline constexpr unsigned kLdtCount = 7;

// --- Records ---
enum SegmentSlot : unsigned { kSlotEs, kSlotCs, kSlotSs, kSlotDs, kSlotFs, kSlotGs, kSlotCount };  // by encoding

struct alignas(64) CaseInput {
  FxState fx;  // loaded when units is set
  u32 gpr[8];
  u32 eflags;
  u32 eip;
  u16 segment[kSlotCount];
  bool units;    // x87, MMX and XMM registers take part
  bool vectors;  // so do the upper halves of YMM registers
  FxState::Slot ymm_high[8];
  u8 window[kWindowSize];
};

inline constexpr u32 kCompleted = 0x100;  // CaseResult::vector: ran to its end
inline constexpr u32 kHung = 0x101;       // the emulator's budget ran out
inline constexpr u32 kChildDied = 0x102;  // the host's side ended without a fault that it could report
struct alignas(64) CaseResult {
  FxState fx;
  u32 gpr[8];
  u32 eflags;
  u32 eip;
  u32 vector;  // exception, or kCompleted
  u32 error_code;
  u32 cr2;  // page faults only, else 0
  u16 segment[kSlotCount];
  u64 stray;  // hash of the data outside the window if a store changed it, else 0
  FxState::Slot ymm_high[8];
  u8 window[kWindowSize];
};

// What the data and the read-only page hold outside the window.
constexpr u8 background(u32 address) { return static_cast<u8>((address * 37) ^ (address >> 8) * 11); }

}  // namespace relic86::native
