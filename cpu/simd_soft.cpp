// Floating-point ones are shuffles around SSE2's additions, so that rounding and exceptions are the host's. The order
// in which lanes come does not show: exceptions are collected.
#include "cpu/simd_soft.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

namespace relic86::simd_soft {

namespace {

using simd_unit::Map;
using simd_unit::Prefix;

// --- SSE3 ---

template <class Lane>
struct Lanes {
  static constexpr unsigned kCount = 16 / sizeof(Lane);
  Lane lane[kCount];
};
template <class Lane>
Lanes<Lane> lanes_of(const FxState::Slot& slot) {
  Lanes<Lane> lanes;
  std::memcpy(&lanes, slot.bytes, sizeof lanes);
  return lanes;
}
template <class Lane>
void put_lanes(FxState::Slot& slot, const Lanes<Lane>& lanes) {
  std::memcpy(slot.bytes, &lanes, sizeof lanes);
}

// Lane i := the source's lane i with its lowest bits replaced: MOVSLDUP, MOVSHDUP, MOVDDUP.
template <class Lane, unsigned odd>
void duplicate(FxState::Slot& destination, const FxState::Slot& source) {
  Lanes<Lane> from = lanes_of<Lane>(source), to;
  for (unsigned i = 0; i < Lanes<Lane>::kCount; ++i) to.lane[i] = from.lane[(i & ~1u) | odd];
  put_lanes(destination, to);
}

constexpr u8 kAdd = 0x58, kSubtract = 0x5C;

template <class Lane>
constexpr Prefix packed() {
  return sizeof(Lane) == 8 ? Prefix::P66 : Prefix::None;
}

// HADDPS and relatives: even lanes of both operands on one side, odd ones on the other.
template <class Lane, u8 opcode>
void horizontal(FxState::Slot& destination, const FxState::Slot& source) {
  constexpr unsigned kHalf = Lanes<Lane>::kCount / 2;
  const Lanes<Lane> first = lanes_of<Lane>(destination), second = lanes_of<Lane>(source);
  Lanes<Lane> even, odd;
  for (unsigned i = 0; i < kHalf; ++i) {
    even.lane[i] = first.lane[2 * i], odd.lane[i] = first.lane[2 * i + 1];
    even.lane[kHalf + i] = second.lane[2 * i], odd.lane[kHalf + i] = second.lane[2 * i + 1];
  }
  FxState::Slot left, right;
  put_lanes(left, even);
  put_lanes(right, odd);
  simd_unit::xmm_operation(Map::TwoByte, packed<Lane>(), opcode)(left, right);
  destination = left;
}

// ADDSUBPS, ADDSUBPD: even lanes are subtracted, odd ones added. Each operation sees 0 where the other one's lanes are:
// 0 + 0 raises nothing.
template <class Lane>
void add_and_subtract(FxState::Slot& destination, const FxState::Slot& source) {
  const Lanes<Lane> first = lanes_of<Lane>(destination), second = lanes_of<Lane>(source);
  Lanes<Lane> even[2] = {}, odd[2] = {};
  for (unsigned i = 0; i < Lanes<Lane>::kCount; ++i) {
    Lanes<Lane>* const side = (i & 1) != 0 ? odd : even;
    side[0].lane[i] = first.lane[i];
    side[1].lane[i] = second.lane[i];
  }
  FxState::Slot difference, sum, right;
  put_lanes(difference, even[0]);
  put_lanes(right, even[1]);
  simd_unit::xmm_operation(Map::TwoByte, packed<Lane>(), kSubtract)(difference, right);
  put_lanes(sum, odd[0]);
  put_lanes(right, odd[1]);
  simd_unit::xmm_operation(Map::TwoByte, packed<Lane>(), kAdd)(sum, right);
  Lanes<Lane> result = lanes_of<Lane>(difference);
  const Lanes<Lane> added = lanes_of<Lane>(sum);
  for (unsigned i = 1; i < Lanes<Lane>::kCount; i += 2) result.lane[i] = added.lane[i];
  put_lanes(destination, result);
}

// --- SSSE3 (SDM 2), on 8 or 16 bytes ---

i16 saturate(i32 value) { return static_cast<i16>(std::clamp(value, -0x8000, 0x7FFF)); }

template <class Lane, class Each>
void each_lane(u8* destination, const u8* source, unsigned size, Each each) {
  for (unsigned at = 0; at < size; at += sizeof(Lane)) {
    Lane left, right;
    std::memcpy(&left, destination + at, sizeof left);
    std::memcpy(&right, source + at, sizeof right);
    const Lane result = each(left, right);
    std::memcpy(destination + at, &result, sizeof result);
  }
}
// Neighbours of the destination, then of the source.
template <class Lane, class Each>
void each_pair(u8* destination, const u8* source, unsigned size, Each each) {
  Lane in[32 / sizeof(Lane)], out[16 / sizeof(Lane)];
  std::memcpy(in, destination, size);
  std::memcpy(reinterpret_cast<u8*>(in) + size, source, size);
  for (unsigned i = 0; i < size / sizeof(Lane); ++i) out[i] = each(in[2 * i], in[2 * i + 1]);
  std::memcpy(destination, out, size);
}

template <class Lane>
Lane with_sign(Lane value, Lane sign) {
  using Unsigned = std::make_unsigned_t<Lane>;
  const auto negated = static_cast<Lane>(static_cast<Unsigned>(0) - static_cast<Unsigned>(value));
  return sign < 0 ? negated : sign == 0 ? Lane{0} : value;
}
template <class Lane>
Lane magnitude(Lane, Lane value) {
  return with_sign<Lane>(value, value < 0 ? Lane{-1} : Lane{1});
}

template <u8 opcode>
void ssse3(u8* to, const u8* from, unsigned size) {
  if constexpr (opcode == 0x00) {  // PSHUFB
    u8 result[16];
    for (unsigned i = 0; i < size; ++i) result[i] = (from[i] & 0x80) != 0 ? u8{0} : to[from[i] & (size - 1)];
    std::memcpy(to, result, size);
  } else if constexpr (opcode == 0x01) {
    each_pair<u16>(to, from, size, [](u16 a, u16 b) { return static_cast<u16>(a + b); });
  } else if constexpr (opcode == 0x02) {
    each_pair<u32>(to, from, size, [](u32 a, u32 b) { return a + b; });
  } else if constexpr (opcode == 0x03) {
    each_pair<i16>(to, from, size, [](i16 a, i16 b) { return saturate(a + b); });
  } else if constexpr (opcode == 0x04) {  // PMADDUBSW: unsigned bytes of the destination, signed ones of the source
    each_lane<u16>(to, from, size, [](u16 a, u16 b) {
      const i32 low = (a & 0xFF) * static_cast<i8>(b & 0xFF), high = (a >> 8) * static_cast<i8>(b >> 8);
      return static_cast<u16>(saturate(low + high));
    });
  } else if constexpr (opcode == 0x05) {
    each_pair<u16>(to, from, size, [](u16 a, u16 b) { return static_cast<u16>(a - b); });
  } else if constexpr (opcode == 0x06) {
    each_pair<u32>(to, from, size, [](u32 a, u32 b) { return a - b; });
  } else if constexpr (opcode == 0x07) {
    each_pair<i16>(to, from, size, [](i16 a, i16 b) { return saturate(a - b); });
  } else if constexpr (opcode == 0x08) {
    each_lane<i8>(to, from, size, with_sign<i8>);
  } else if constexpr (opcode == 0x09) {
    each_lane<i16>(to, from, size, with_sign<i16>);
  } else if constexpr (opcode == 0x0A) {
    each_lane<i32>(to, from, size, with_sign<i32>);
  } else if constexpr (opcode == 0x0B) {  // PMULHRSW
    each_lane<i16>(to, from, size, [](i16 a, i16 b) { return static_cast<i16>((((i32{a} * b) >> 14) + 1) >> 1); });
  } else if constexpr (opcode == 0x1C) {
    each_lane<i8>(to, from, size, magnitude<i8>);
  } else if constexpr (opcode == 0x1D) {
    each_lane<i16>(to, from, size, magnitude<i16>);
  } else {
    each_lane<i32>(to, from, size, magnitude<i32>);
  }
}
template <u8 opcode>
void ssse3_xmm(FxState::Slot& destination, const FxState::Slot& source) {
  const FxState::Slot from = source;  // may be the destination
  ssse3<opcode>(destination.bytes, from.bytes, 16);
}
template <u8 opcode>
void ssse3_mmx(u64& destination, u64 source) {
  u8 to[8], from[8];
  std::memcpy(to, &destination, 8);
  std::memcpy(from, &source, 8);
  ssse3<opcode>(to, from, 8);
  std::memcpy(&destination, to, 8);
}

#define RELIC86_SSSE3(form)                \
  switch (opcode) {                        \
    case 0x00: return &ssse3_##form<0x00>; \
    case 0x01: return &ssse3_##form<0x01>; \
    case 0x02: return &ssse3_##form<0x02>; \
    case 0x03: return &ssse3_##form<0x03>; \
    case 0x04: return &ssse3_##form<0x04>; \
    case 0x05: return &ssse3_##form<0x05>; \
    case 0x06: return &ssse3_##form<0x06>; \
    case 0x07: return &ssse3_##form<0x07>; \
    case 0x08: return &ssse3_##form<0x08>; \
    case 0x09: return &ssse3_##form<0x09>; \
    case 0x0A: return &ssse3_##form<0x0A>; \
    case 0x0B: return &ssse3_##form<0x0B>; \
    case 0x1C: return &ssse3_##form<0x1C>; \
    case 0x1D: return &ssse3_##form<0x1D>; \
    case 0x1E: return &ssse3_##form<0x1E>; \
    default: return nullptr;               \
  }
simd_unit::XmmOperation ssse3_xmm_operation(u8 opcode){RELIC86_SSSE3(xmm)} simd_unit::MmxOperation
    ssse3_mmx_operation(u8 opcode){RELIC86_SSSE3(mmx)}
#undef RELIC86_SSSE3

simd_unit::XmmOperation sse3_operation(const InstructionRow& row) {
  const std::string_view name = row.mnemonic;
  if (name == "movsldup") return &duplicate<u32, 0>;
  if (name == "movshdup") return &duplicate<u32, 1>;
  if (name == "movddup") return &duplicate<u64, 0>;
  if (name == "haddps") return &horizontal<u32, kAdd>;
  if (name == "haddpd") return &horizontal<u64, kAdd>;
  if (name == "hsubps") return &horizontal<u32, kSubtract>;
  if (name == "hsubpd") return &horizontal<u64, kSubtract>;
  if (name == "addsubps") return &add_and_subtract<u32>;
  if (name == "addsubpd") return &add_and_subtract<u64>;
  return nullptr;
}

// --- Approximations: what is exact to 24 bits, rounded to 12. The manual allows a relative error of 1.5 * 2^-12. ---

constexpr u32 kSign = 0x80000000, kInfinity = 0x7F800000, kQuiet = 0x00400000, kSmallestNormal = 0x00800000;
constexpr u32 kIndefinite = 0xFFC00000;

u32 rounded_to_12_bits(float value) {
  const u32 raw = std::bit_cast<u32>(value);
  constexpr unsigned kDropped = 12;
  const u32 result = (raw + (1u << (kDropped - 1))) & ~((1u << kDropped) - 1);
  return (result & ~kSign) < kSmallestNormal ? result & kSign : result;
}

// SDM 2, RCPPS: denormal numbers count as 0, results too small are 0.
u32 reciprocal(u32 x) {
  const u32 size = x & ~kSign;
  if (size > kInfinity) return x | kQuiet;
  if (size == kInfinity) return x & kSign;
  if (size < kSmallestNormal) return (x & kSign) | kInfinity;
  return rounded_to_12_bits(static_cast<float>(1.0 / double{std::bit_cast<float>(x)}));
}
// SDM 2, RSQRTPS.
u32 reciprocal_root(u32 x) {
  const u32 size = x & ~kSign;
  if (size > kInfinity) return x | kQuiet;
  if (size < kSmallestNormal) return (x & kSign) | kInfinity;
  if ((x & kSign) != 0) return kIndefinite;
  if (size == kInfinity) return 0;
  return rounded_to_12_bits(static_cast<float>(1.0 / std::sqrt(double{std::bit_cast<float>(x)})));
}

template <u32 (*function)(u32), unsigned count>
void approximate(FxState::Slot& destination, const FxState::Slot& source) {
  const Lanes<u32> from = lanes_of<u32>(source);
  Lanes<u32> to = lanes_of<u32>(destination);
  for (unsigned i = 0; i < count; ++i) to.lane[i] = function(from.lane[i]);
  put_lanes(destination, to);
}

simd_unit::XmmOperation approximation(const InstructionRow& row) {
  const std::string_view name = row.mnemonic;
  if (name == "rcpps") return &approximate<reciprocal, 4>;
  if (name == "rcpss") return &approximate<reciprocal, 1>;
  if (name == "rsqrtps") return &approximate<reciprocal_root, 4>;
  if (name == "rsqrtss") return &approximate<reciprocal_root, 1>;
  return nullptr;
}

bool exact_function(std::string_view name) {
  constexpr std::string_view kNames[] = {"fsin",  "fcos",    "fsincos", "fptan", "fpatan",  "f2xm1",
                                         "fyl2x", "fyl2xp1", "rcpps",   "rcpss", "rsqrtps", "rsqrtss"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

simd_unit::XmmOperation xmm_operation(const InstructionRow& row, const HostUnits& units) {
  if (!units.ssse3 && row.feature == Feature::Ssse3) return ssse3_xmm_operation(row.opcode);
  if (!units.sse3 && row.feature == Feature::Sse3) return sse3_operation(row);
  return units.exact_functions ? approximation(row) : nullptr;
}

simd_unit::MmxOperation mmx_operation(const InstructionRow& row, const HostUnits& units) {
  return !units.ssse3 && row.feature == Feature::Ssse3 ? ssse3_mmx_operation(row.opcode) : nullptr;
}

bool host_carries_out(const InstructionRow& row, const HostUnits& units) {
  if (!units.ssse3 && row.feature == Feature::Ssse3) return false;
  if (!units.sse3 && row.feature == Feature::Sse3) return false;
  if (!units.sse41 && row.feature == Feature::Sse41) return false;
  if (!units.sse42 && row.feature == Feature::Sse42) return false;
  if (!units.aes && row.feature == Feature::Aes) return false;
  if (!units.pclmulqdq && row.feature == Feature::Pclmulqdq) return false;
  if (!units.sha && row.feature == Feature::Sha) return false;
  if (!units.avx && (row.shape & kShapeAvx) != 0) return false;
  return !units.exact_functions || !exact_function(row.mnemonic);
}

}  // namespace relic86::simd_soft
