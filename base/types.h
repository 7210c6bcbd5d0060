// Fixed-width integers and the address types of the guest machine.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace relic86 {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

// A guest number that must not be mixed up with another kind: explicit construction, comparison, offset arithmetic.
template <class Tag, class Raw>
struct GuestNumber {
  Raw raw{};

  constexpr GuestNumber() = default;
  constexpr explicit GuestNumber(Raw value) : raw(value) {}

  friend constexpr auto operator<=>(GuestNumber, GuestNumber) = default;
  constexpr GuestNumber operator+(Raw offset) const { return GuestNumber(static_cast<Raw>(raw + offset)); }
  constexpr GuestNumber operator-(Raw offset) const { return GuestNumber(static_cast<Raw>(raw - offset)); }
  constexpr Raw operator-(GuestNumber other) const { return static_cast<Raw>(raw - other.raw); }
};

using PhysAddr = GuestNumber<struct PhysAddrTag, u64>;  // physical address, after paging, before the A20 mask
using LinAddr =
    GuestNumber<struct LinAddrTag, u64>;  // linear address, after segmentation; 32-bit guests: bits 63:32 zero
using IoPort = GuestNumber<struct IoPortTag, u16>;  // I/O port, 0 to FFFFh
// Offset into the machine's one backing store (system RAM, then ROMs and video RAM): what code and dirty pages are
// known by, however they are mapped. See memory/backing_store.h.
using BackingOffset = GuestNumber<struct BackingOffsetTag, u64>;

// Segment selector (SDM 3A 3.4.2).
struct Selector {
  u16 raw{};
  constexpr Selector() = default;
  constexpr explicit Selector(u16 value) : raw(value) {}
  constexpr unsigned rpl() const { return raw & 3u; }
  constexpr bool local() const { return (raw & 4u) != 0; }
  constexpr u32 table_offset() const { return raw & 0xFFF8u; }
  constexpr bool null() const { return (raw & 0xFFFCu) == 0; }
  friend constexpr auto operator<=>(Selector, Selector) = default;
};

using GuestTime = i64;  // nanoseconds of guest time since power-on

inline constexpr u32 kPageSize = 4096;
inline constexpr u32 kPageShift = 12;

constexpr u64 all_ones(unsigned width_bytes) { return width_bytes >= 8 ? ~u64{0} : (u64{1} << (width_bytes * 8)) - 1; }

}  // namespace relic86
