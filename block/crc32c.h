// CRC-32C (Castagnoli), as VHDX uses it.
#pragma once

#include <array>
#include <span>

#include "base/types.h"

namespace relic86 {

inline u32 crc32c(std::span<const u8> bytes) {
  constexpr u32 kPolynomial = 0x82F63B78;  // bits reversed
  static constexpr std::array<u32, 256> kTable = [] {
    std::array<u32, 256> table{};
    for (u32 i = 0; i < table.size(); i++) {
      u32 value = i;
      for (int bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? value >> 1 ^ kPolynomial : value >> 1;
      table[i] = value;
    }
    return table;
  }();
  u32 value = ~u32{0};
  for (const u8 byte : bytes) value = value >> 8 ^ kTable[(value ^ byte) & 0xFF];
  return ~value;
}

}  // namespace relic86
