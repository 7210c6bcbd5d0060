// What a translation assumes of the processor's mode. Everything assumed is in the key: code size, stack size,
// privilege of data accesses, which segments are flat, that no byte of a code page lies beyond CS's limit, and whether
// the host's units may carry out x87, MMX and SSE instructions as they are.
#pragma once

#include "cpu/cpu.h"

namespace relic86::jit {

struct Mode {
  bool code32 = false;
  bool stack32 = false;
  bool user = false;
  u8 flat_segments = 0;  // bit n: segment n is flat and unrestricted
  // No #NM or #UD for the whole unit, and no x87 exception pending.
  bool x87 = false;
  bool sse = false;
  bool traps = false;  // an x87 or SSE exception may be unmasked: the host's unit may trap (jit/runtime/host_traps.h)
  bool down = false;   // DF
  // Of 16-bit code, bit n: segment n starts at a multiple of 4 and reaches to FFFFh at least, for reading and writing.
  u8 roomy_segments = 0;
  // Not of the processor: a block's variant in which every access checks its own page.
  bool unshared = false;

  // Of data accesses: those through CS are checked, since code is never writable and may not be readable.
  bool flat(unsigned segment) const { return segment != kCs && (flat_segments >> segment & 1) != 0; }
  bool flat_code() const { return (flat_segments >> kCs & 1) != 0; }
  u32 key() const {
    return (code32 ? 1u : 0u) | (stack32 ? 2u : 0u) | (user ? 4u : 0u) | u32{flat_segments} << 3 |
           (x87 ? 1u << 9 : 0u) | (sse ? 1u << 10 : 0u) | (down ? 1u << 11 : 0u) | roomy_bits() << 12 |
           (traps ? 1u << 15 : 0u) | (unshared ? kUnshared : 0u);
  }
  bool roomy(unsigned segment) const { return (roomy_segments >> segment & 1) != 0; }
  static Mode of_key(u32 key) {
    Mode mode;
    mode.code32 = (key & 1) != 0;
    mode.stack32 = (key & 2) != 0;
    mode.user = (key & 4) != 0;
    mode.flat_segments = static_cast<u8>(key >> 3 & 0x3F);
    mode.x87 = (key & 1u << 9) != 0;
    mode.sse = (key & 1u << 10) != 0;
    mode.down = (key & 1u << 11) != 0;
    for (unsigned i = 0; i < std::size(kRoomy); ++i) {
      if ((key & 1u << (12 + i)) != 0) mode.roomy_segments = static_cast<u8>(mode.roomy_segments | 1u << kRoomy[i]);
    }
    mode.traps = (key & 1u << 15) != 0;
    mode.unshared = (key & kUnshared) != 0;
    return mode;
  }
  static constexpr u32 kUnshared = 1u << 16;
  static constexpr u32 kKeys = 1u << 16;  // variants not counted

  static bool is_roomy(const Segment& segment) {
    return segment.read_end >= 0x10000 && segment.write_end >= 0x10000 && segment.base % 4 == 0;
  }
  static constexpr bool knows_roomy(unsigned segment) { return segment == kEs || segment == kSs || segment == kDs; }

  static Mode of(const CpuState& state) {
    Mode mode;
    mode.code32 = state.mode.code32;
    mode.stack32 = state.mode.stack32;
    mode.user = state.mode.cpl == 3;
    // Without branches: this is asked whenever translated code is left.
    constexpr u64 kAll = u64{1} << 32;
    u32 flat = 0;
    for (unsigned i = kEs; i < kSegmentRegisters; ++i) {
      const Segment& segment = state.segment[i];
      const u64 differs = segment.base | (segment.read_end ^ kAll) | (segment.write_end ^ kAll);
      flat |= (differs == 0 ? 1u : 0u) << i;
    }
    const Segment& code = state.segment[kCs];
    const u64 differs = code.base | (code.limit ^ 0xFFFFFFFFu) | (state.mode.code32 ? 0u : 1u);
    mode.flat_segments = static_cast<u8>((flat & ~(1u << kCs)) | (differs == 0 ? 1u : 0u) << kCs);
    mode.down = (state.system_flags & kDF) != 0;
    if (!mode.code32) {
      for (const SegmentName name : kRoomy) {
        if (is_roomy(state.segment[name])) mode.roomy_segments = static_cast<u8>(mode.roomy_segments | 1u << name);
      }
    }
    constexpr u32 kEm = 1u << 2, kTs = 1u << 3, kOsFxsr = 1u << 9;
    constexpr u32 kX87Masks = 0x3F, kX87Summary = 0x80, kSseMasks = 0x1F80, kMxcsrReserved = 0xFFFF0000;
    if ((state.cr0 & (kEm | kTs)) == 0 && (state.fx.mxcsr & kMxcsrReserved) == 0) {
      mode.x87 = (state.fx.status & kX87Summary) == 0;
      mode.sse = (state.cr4 & kOsFxsr) != 0;
      mode.traps = (state.fx.control & kX87Masks) != kX87Masks || (state.fx.mxcsr & kSseMasks) != kSseMasks;
    }
    return mode;
  }

 private:
  static constexpr SegmentName kRoomy[] = {kEs, kSs, kDs};  // those that the key knows of
  u32 roomy_bits() const {
    u32 bits = 0;
    for (unsigned i = 0; i < std::size(kRoomy); ++i) bits |= (roomy_segments >> kRoomy[i] & 1u) << i;
    return bits;
  }
};

}  // namespace relic86::jit
