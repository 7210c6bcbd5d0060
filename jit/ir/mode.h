// What a translation assumes of the processor's mode. Everything assumed is in the key: code size, stack size,
// privilege of data accesses, what is to be checked of accesses through each segment, how CS's limit is seen to, and
// whether the host's units may carry out x87, MMX and SSE instructions as they are.
#pragma once

#include <array>

#include "cpu/alignment.h"
#include "cpu/control_bits.h"
#include "cpu/cpu.h"

namespace relic86::jit {

struct Mode {
  bool code32 = false;     // and in 64-bit code
  bool stack32 = false;    // and in 64-bit code
  bool long_mode = false;  // 64-bit code, and 16- and 32-bit code in compatibility mode
  bool code64 = false;
  bool wide_linear = false;  // of 64-bit code: CR4.LA57, linear addresses of 57 bits
  bool user = false;
  bool flat_code = false;  // 32-bit code, base 0, limit FFFFFFFFh; 64-bit code
  // The code page may reach over CS's limit, or holds other code than 16-bit code below 64 KiB: blocks look at
  // EngineArea::page_end (jit/x64/branches_limits.cpp).
  bool limited = false;
  bool down = false;     // DF
  bool aligned = false;  // CR0.AM and EFLAGS.AC at CPL 3: unaligned accesses raise #AC
  // No #NM or #UD for the whole unit, and no x87 exception pending.
  bool x87 = false;
  bool sse = false;
  bool avx = false;    // no #NM or #UD for instructions with a VEX prefix that AVX has
  bool traps = false;  // an x87 or SSE exception may be unmasked: the host's unit may trap (jit/runtime/host_traps.h)
  // SegmentKind bits, as far as known_kinds() tells them apart.
  std::array<u8, kSegmentRegisters> segments{};

  using Key = u64;

  bool reads(unsigned segment) const { return has(segment, kSegmentReads); }
  bool writes(unsigned segment) const { return has(segment, kSegmentWrites); }
  bool flat(unsigned segment) const { return has(segment, kSegmentFlat); }
  // 16-bit targets lie below a limit of FFFFh, 32-bit ones below a flat one.
  // Of 64-bit code: targets are canonical.
  bool checks_target(unsigned bytes) const { return code64 ? bytes == 8 : !flat_code && (limited || bytes == 4); }
  // Of addresses and the stack pointer, as registers hold them: 16-bit code cuts them elsewhere.
  u8 pointer_bytes() const { return code64 ? 8 : 4; }
  unsigned code_bytes() const { return code64 ? 8 : code32 ? 4 : 2; }  // of EIP or RIP
  // Linear addresses are offsets in CS, and leave a stamp room above them (memory/jump_cache.h).
  bool caches_jumps() const { return code64 ? !wide_linear : flat_code && code32; }
  unsigned linear_bits() const { return wide_linear ? kWideLinearBits : kLinearBits; }
  bool expands_down(unsigned segment) const { return has(segment, kSegmentExpandsDown); }
  bool top_is_4g(unsigned segment) const { return has(segment, kSegmentTop4G); }
  // Whether only an unaligned access may reach over the limit, with offsets of 16 bits or 32.
  bool roomy(unsigned segment, bool narrow) const {
    return has(segment, kSegmentReaches4G) || (narrow && has(segment, kSegmentReaches64K));
  }

  constexpr Key key() const {
    Key key = 0;
    for (unsigned i = 0; i < kSegmentRegisters; ++i) key |= Key{segments[i]} << (8 * i);
    return key | (code32 ? kCode32 : 0) | (stack32 ? kStack32 : 0) | (user ? kUser : 0) | (flat_code ? kFlatCode : 0) |
           (limited ? kLimited : 0) | (long_mode ? kLong : 0) | (code64 ? kCode64 : 0) |
           (wide_linear ? kWideLinear : 0) | (down ? kDown : 0) | (aligned ? kAligned : 0) | (x87 ? kX87 : 0) |
           (sse ? kSse : 0) | (traps ? kTraps : 0) | (avx ? kAvx : 0);
  }
  static Mode of_key(Key key) {
    Mode mode;
    for (unsigned i = 0; i < kSegmentRegisters; ++i) mode.segments[i] = static_cast<u8>(key >> (8 * i));
    mode.code32 = (key & kCode32) != 0;
    mode.stack32 = (key & kStack32) != 0;
    mode.long_mode = (key & kLong) != 0;
    mode.code64 = (key & kCode64) != 0;
    mode.wide_linear = (key & kWideLinear) != 0;
    mode.user = (key & kUser) != 0;
    mode.flat_code = (key & kFlatCode) != 0;
    mode.limited = (key & kLimited) != 0;
    mode.down = (key & kDown) != 0;
    mode.aligned = (key & kAligned) != 0;
    mode.x87 = (key & kX87) != 0;
    mode.sse = (key & kSse) != 0;
    mode.traps = (key & kTraps) != 0;
    mode.avx = (key & kAvx) != 0;
    return mode;
  }
  static constexpr Key kX87 = Key{1} << 53, kSse = Key{1} << 54, kTraps = Key{1} << 57,
                       kAvx = Key{1} << 60;  // can be switched off

  static bool of_code32(Key key) { return (key & kCode32) != 0; }

  // The bits of a segment's kind that code of this size knows. 32-bit code does not tell apart whether a segment
  // reaches over 64 KiB, nor for FS and GS whether it reaches over 4 GiB: an operating system runs the same code with
  // these two null, and with the segment of a thread's data in them.
  static constexpr u8 known_kinds(unsigned segment, bool of_code32) {
    if (!of_code32) return 0xFF;
    const bool of_a_thread = segment == kFs || segment == kGs;
    return static_cast<u8>(0xFFu & ~u32{kSegmentReaches64K} & ~(of_a_thread ? u32{kSegmentReaches4G} : 0u));
  }

  // What an operand's address must be a multiple of then (SDM 3A table 6-7).
  static constexpr u32 alignment_of(u32 bytes) {
    return bytes == 10 ? 8 : bytes <= 16 && (bytes & (bytes - 1)) == 0 ? bytes : 1;
  }

  // Without branches as far as possible: this is asked whenever translated code is left. What it says of segments has
  // been kept up by derive_limits().
  [[gnu::always_inline]] static Key key_of(const CpuState& state) { return known(ring_of(state)) | units_of(state); }
  // The key after an instruction that has left the units alone, in a mode with this key.
  [[gnu::always_inline]] static Key key_after(const CpuState& state, Key before) {
    const Key units = before & (kX87 | kSse | kTraps);
    return known(ring_of(state)) | units | ((units & kSse) != 0 ? avx_of(state) : 0);
  }

 private:
  // Everything but the units.
  [[gnu::always_inline]] static Key ring_of(const CpuState& state) {
    const Key levels = (state.mode.cpl == 3 ? kUser : 0) | ((state.system_flags & kDF) != 0 ? kDown : 0) |
                       (checks_alignment(state) ? kAligned : 0) | (state.mode.long_mode ? kLong : 0);
    if (state.mode.code64) [[unlikely]]
      return long_code() | levels | ((state.cr4 & kCr4La57) != 0 ? kWideLinear : 0);
    const Segment& code = state.segment[kCs];
    Key key = 0;
    for (unsigned i = 0; i < kSegmentRegisters; ++i) key |= state.segment[i].kind << (8 * i);
    const u64 differs = code.base | (code.limit ^ 0xFFFFFFFFu) | (state.mode.code32 ? 0u : 1u);
    if (differs == 0) {
      key |= kFlatCode;
    } else {
      constexpr u32 kHighest16 = 0xFFFF;
      const u32 page = state.eip() - (static_cast<u32>(code.base + state.rip) & (kPageSize - 1));
      const bool within = !state.mode.code32 && code.limit >= kHighest16 && page + (kPageSize - 1) <= kHighest16;
      if (!within) key |= kLimited;
    }
    return key | (state.mode.code32 ? kCode32 : 0) | (state.mode.stack32 ? kStack32 : 0) | levels;
  }
  static Key units_of(const CpuState& state) {
    constexpr u32 kEm = 1u << 2, kTs = 1u << 3, kOsFxsr = 1u << 9;
    constexpr u32 kX87Masks = 0x3F, kX87Summary = 0x80, kSseMasks = 0x1F80, kMxcsrReserved = 0xFFFF0000;
    if ((state.cr0 & (kEm | kTs)) != 0 || (state.fx.mxcsr & kMxcsrReserved) != 0) return 0;
    const bool x87 = (state.fx.status & kX87Summary) == 0, sse = (state.cr4 & kOsFxsr) != 0;
    const bool traps = (state.fx.control & kX87Masks) != kX87Masks || (state.fx.mxcsr & kSseMasks) != kSseMasks;
    return (x87 ? kX87 : 0) | (sse ? kSse | avx_of(state) : 0) | (traps && (x87 || sse) ? kTraps : 0);
  }
  // Beyond what SSE wants.
  [[gnu::always_inline]] static Key avx_of(const CpuState& state) {
    constexpr u64 kOsXsave = u64{1} << 18, kStates = 6;
    const bool enabled = (state.cr4 & kOsXsave) != 0 && (state.xcr0 & kStates) == kStates;
    return enabled && !state.mode.real_or_v86() ? kAvx : 0;
  }

  static constexpr Key kCode32 = Key{1} << 48, kStack32 = Key{1} << 49, kUser = Key{1} << 50, kFlatCode = Key{1} << 51,
                       kDown = Key{1} << 52, kAligned = Key{1} << 55, kLimited = Key{1} << 56, kCode64 = Key{1} << 58,
                       kLong = Key{1} << 59, kWideLinear = Key{1} << 61;
  // 64-bit code looks at no segment but for the bases of FS and GS, which have all 64 bits.
  static constexpr Key long_code() {
    constexpr Key kOpen = kSegmentReads | kSegmentWrites;
    Key key = kCode64 | kCode32 | kStack32 | kFlatCode;
    for (unsigned i = 0; i < kSegmentRegisters; ++i) key |= (kOpen | (i < kFs ? kSegmentFlat : 0)) << (8 * i);
    return key;
  }
  [[gnu::always_inline]] static Key known(Key key) {
    return (key & kCode32) != 0 ? key & (known_by_code32() | ~kKinds) : key;
  }
  static constexpr Key kKinds = (Key{1} << (8 * kSegmentRegisters)) - 1;
  static constexpr Key known_by_code32() {
    Key known = 0;
    for (unsigned i = 0; i < kSegmentRegisters; ++i) known |= Key{known_kinds(i, true)} << (8 * i);
    return known;
  }
  bool has(unsigned segment, SegmentKind kind) const { return (segments[segment] & kind) != 0; }
};

}  // namespace relic86::jit
