// Descriptors and segment registers (SDM 3A chapters 3 and 5).
#pragma once

#include <array>

#include "cpu/alignment.h"
#include "cpu/cpu.h"

namespace relic86 {

// A descriptor as it lies in a table (SDM 3A 3.4.5).
struct Descriptor {
  u32 low = 0;
  u32 high = 0;

  u32 base() const { return low >> 16 | (high & 0xFF) << 16 | (high & 0xFF000000u); }
  u32 limit() const {
    const u32 raw = (low & 0xFFFF) | (high & 0xF0000);
    return (high & 1u << 23) != 0 ? raw << 12 | 0xFFF : raw;
  }
  u16 attributes() const { return static_cast<u16>(high >> 8 & 0xF0FF); }
  unsigned type() const { return high >> 8 & 15; }
  bool code_or_data() const { return (high & 1u << 12) != 0; }
  bool code() const { return (high & 0x1800) == 0x1800; }
  bool conforming() const { return code() && (high & 1u << 10) != 0; }
  // 4 GiB from 0 on, expand-up: code, or data that may be written.
  bool flat() const {
    constexpr u32 kHighHalf = 0xFF8F04FF, kFlatHighHalf = 0x008F0000;  // base, granularity, limit, expand-down
    if (low != 0xFFFF) return false;
    return code() ? (high & kHighHalf & ~0x400u) == kFlatHighHalf : (high & kHighHalf) == kFlatHighHalf && writable();
  }
  bool expands_down() const { return !code() && (high & 1u << 10) != 0; }  // of code and data
  bool readable() const { return !code() || (high & 1u << 9) != 0; }
  bool writable() const { return code_or_data() && !code() && (high & 1u << 9) != 0; }
  unsigned dpl() const { return high >> 13 & 3; }
  bool present() const { return (high & 1u << 15) != 0; }
  bool big() const { return (high & 1u << 22) != 0; }
  bool long_code() const {
    return code() && (high & 1u << 21) != 0;
  }  // L: 64-bit code, if the processor is in long mode
  // Gates (SDM 3A 5.8.3, 6.11)
  Selector gate_selector() const { return Selector(static_cast<u16>(low >> 16)); }
  u32 gate_offset(bool wide) const { return wide ? (low & 0xFFFF) | (high & 0xFFFF0000u) : low & 0xFFFF; }
};

// A system descriptor or gate of long mode: 16 bytes (SDM 3A 3.5, 5.8.3.1, 6.14.1).
struct WideDescriptor : Descriptor {
  u32 upper = 0;  // bits 63:32 of base or offset
  u32 last = 0;   // where a descriptor of 8 bytes would have type and S, both are 0
  u64 wide_base() const { return u64{upper} << 32 | base(); }
  u64 wide_offset() const { return u64{upper} << 32 | gate_offset(true); }
  bool continues() const { return (last & 0x1F00) == 0; }
};

// Types of system descriptors (SDM 3A table 3-2). In long mode those of 32 bits are those of 64 bits, and of the others
// only the LDT's is left.
enum SystemType : unsigned {
  kTss16 = 1,
  kLdt = 2,
  kTss16Busy = 3,
  kCallGate16 = 4,
  kTaskGate = 5,
  kInterruptGate16 = 6,
  kTrapGate16 = 7,
  kTss32 = 9,
  kTss32Busy = 11,
  kCallGate32 = 12,
  kInterruptGate32 = 14,
  kTrapGate32 = 15,
};

// The error code that names a selector.
inline u32 selector_error(Selector selector, u32 external = 0) { return (selector.raw & 0xFFFCu) | external; }

// Where a selector's descriptor of 8 or 16 bytes lies; false: beyond its table's limit, or in an LDT that is not there.
bool locate_descriptor(const CpuState& state, Selector selector, LinAddr& address, u32 size = 8);
// Reads the selector's descriptor. A selector beyond its table raises vector(selector); false.
bool fetch_descriptor(Cpu& cpu, Selector selector, Descriptor& descriptor, Vector vector, u32 external = 0);
// Of long mode: the first 8 bytes as above, then, if they are a system descriptor's, the other 8 as well.
bool fetch_wide_descriptor(Cpu& cpu, Selector selector, WideDescriptor& descriptor, Vector vector, u32 external = 0);
// The same without faults, for LAR, LSL, VERR, VERW: nullopt when beyond its table; page faults still raise (false in
// ok).
bool peek_descriptor(Cpu& cpu, Selector selector, std::optional<Descriptor>& descriptor);
// Sets the accessed bit in the table, if it is clear. False: page fault.
bool set_accessed(Cpu& cpu, Selector selector, Descriptor& descriptor);

// Fills a segment register's hidden part; no checks.
void set_segment(Cpu& cpu, SegmentName name, Selector selector, const Descriptor& descriptor);
void set_segment_null(Cpu& cpu, SegmentName name, Selector selector);
// SS of 64-bit mode that holds a null selector: the privilege stays known by its DPL.
void set_stack_null(Cpu& cpu, Selector selector, unsigned privilege);
// 4 GiB from 0 on, for what reads no descriptor: SYSENTER, SYSCALL and the ways back.
void set_flat_segment(Cpu& cpu, SegmentName name, u32 selector, u16 attributes);
// Real-address and virtual-8086 mode: base = selector * 16 (SDM 3A 20.1.1); in real mode limit and attributes stay.
void set_segment_real(Cpu& cpu, SegmentName name, Selector selector);

// MOV, POP, LxS to DS, ES, FS, GS or SS with every check of the present mode. False: fault raised, nothing changed.
bool load_segment(Cpu& cpu, SegmentName name, Selector selector);
// SS of a more or less privileged stack: checked against the privilege it is for, faults as vector(selector).
bool load_stack_descriptor(Cpu& cpu, Selector selector, unsigned privilege, Vector vector, u32 external,
                           Descriptor& descriptor);

// What type, S and P (bits 0 to 4, and 5) of a segment allow: SegmentKind bits, and whether its limit says more. For
// what is no segment see Segment::kind.
inline constexpr u8 kLimitCounts = 1u << 7;
inline constexpr std::array<u8, 64> kRightsByType = [] {
  std::array<u8, 64> rights{};
  rights.fill(kSegmentReads | kSegmentWrites);
  for (unsigned type = 0; type < 16; ++type) {
    const bool code = (type & 8) != 0, flagged = (type & 2) != 0;  // readable code, writable data
    u8& each = rights[32 | 16 | type];
    if (!code && (type & 4) != 0) {
      each = flagged ? kSegmentReads | kSegmentWrites | kSegmentExpandsDown : 0;
    } else {
      each = static_cast<u8>(kLimitCounts | (!code || flagged ? kSegmentReads : 0) |
                             (!code && flagged ? kSegmentWrites : 0));
    }
  }
  return rights;
}();

// SegmentKind bits as derive_limits() sets them.
inline u8 kind_of(const Segment& segment) {
  constexpr u32 kHighest = 0xFFFFFFFF, kHighest16 = 0xFFFF;
  constexpr unsigned kReadsAndWrites = kSegmentReads | kSegmentWrites;
  const unsigned rights = kRightsByType[(segment.attributes & 31u) | (segment.attributes >> 2 & 32u)];
  const bool words = segment.base % 4 == 0;
  const auto bit = [](bool holds, SegmentKind kind) { return holds ? unsigned{kind} : 0u; };
  if ((rights & kSegmentExpandsDown) != 0) [[unlikely]]
    return static_cast<u8>(words ? rights | bit(segment.big(), kSegmentTop4G) : 0u);
  const bool counts = words && (rights & kLimitCounts) != 0, highest = segment.limit == kHighest;
  const bool flat = counts && (rights & kReadsAndWrites) == kReadsAndWrites && segment.base == 0 && highest;
  return static_cast<u8>((rights & kReadsAndWrites) | bit(counts && segment.limit >= kHighest16, kSegmentReaches64K) |
                         bit(counts && highest, kSegmentReaches4G) | bit(flat, kSegmentFlat));
}

// The inline limits (Segment::read_end, write_end) from type and limit; for translated code end and kind.
inline void derive_limits(const CpuState& state, Segment& segment) {
  const unsigned kind = kind_of(segment);
  const u64 end = segment.usable() ? u64{segment.limit} + 1 : 0;
  segment.kind = kind;
  segment.end = end;
  // Alignment checks look at every access: no inline path. Nor has an expand-down segment one.
  const bool plain = !checks_alignment(state) && (kind & kSegmentExpandsDown) == 0;
  segment.read_end = plain && (kind & kSegmentReads) != 0 ? end : 0;
  segment.write_end = plain && (kind & kSegmentWrites) != 0 ? end : 0;
}

// After CS, SS or EFLAGS.VM changed while EFLAGS.AC is clear: what Cpu::update_mode() makes of them.
inline void update_ring(CpuState& state) {
  CpuMode& mode = state.mode;
  mode.v86 = mode.protected_mode && (state.system_flags & kVM) != 0;
  mode.code32 = state.segment[kCs].big();
  mode.stack32 = state.segment[kSs].big();
  mode.cpl = !mode.protected_mode ? u8{0} : mode.v86 ? u8{3} : static_cast<u8>(state.segment[kSs].dpl());
}

}  // namespace relic86
