// Bits of the VGA's registers that say how bytes of the window reach the planes, and planes as bytes of a word: plane p
// in bits 8p+7:8p.
#pragma once

#include <array>

#include "base/types.h"

namespace relic86::vga_planes {

inline constexpr u8 kChain4 = 0x08;            // sequencer 4
inline constexpr u8 kSequentialAccess = 0x04;  // sequencer 4, 0: even addresses go to even planes, odd ones to odd
inline constexpr u8 kChainOddEven = 0x02;      // graphics 6
inline constexpr u8 kReadOddEven = 0x10;       // graphics 5
inline constexpr u8 kReadCompare = 0x08;       // graphics 5, read mode 1

// Bit p of a register as a whole byte of plane p.
inline constexpr std::array<u32, 16> kSpread = [] {
  std::array<u32, 16> table{};
  for (u32 bits = 0; bits < table.size(); bits++) {
    for (u32 plane = 0; plane < 4; plane++) table[bits] |= (bits >> plane & 1) * (0xFFu << (plane * 8));
  }
  return table;
}();
constexpr u32 spread(u32 bits) { return kSpread[bits & 15]; }
constexpr u32 repeat(u32 byte) { return byte * 0x01010101u; }

}  // namespace relic86::vga_planes
