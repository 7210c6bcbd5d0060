// Pixels of 8 to 32 bits that lie one after another in video memory, as colours.
#pragma once

#include <array>
#include <span>

#include "base/types.h"

namespace relic86 {

// Bytes of a pixel of 8, 15, 16, 24 or 32 bits.
constexpr u32 packed_pixel_bytes(unsigned depth) { return (depth + 7) / 8; }

// out.size() pixels of this depth from memory that has that many: palette indexes (8), 5-5-5 (15), 5-6-5 (16), 8-8-8
// with blue in the first byte (24 and 32).
void draw_packed_pixels(const u8* from, unsigned depth, const std::array<u32, 256>& palette, std::span<u32> out);

}  // namespace relic86
