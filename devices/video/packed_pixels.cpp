#include "devices/video/packed_pixels.h"

#include <cstring>

namespace relic86 {

namespace {

// A component of fewer bits as eight: the upper ones are repeated below, so that white is white.
u32 expand(u32 value, unsigned bits) { return value << (8 - bits) | value >> (2 * bits - 8); }

}  // namespace

void draw_packed_pixels(const u8* from, unsigned depth, const std::array<u32, 256>& palette, std::span<u32> out) {
  const std::size_t width = out.size();
  switch (depth) {
    case 8:
      for (std::size_t x = 0; x < width; x++) out[x] = palette[from[x]];
      break;
    case 15:
      for (std::size_t x = 0; x < width; x++) {
        const u32 v = from[x * 2] | u32{from[x * 2 + 1]} << 8;
        out[x] = expand(v >> 10 & 31, 5) << 16 | expand(v >> 5 & 31, 5) << 8 | expand(v & 31, 5);
      }
      break;
    case 16:
      for (std::size_t x = 0; x < width; x++) {
        const u32 v = from[x * 2] | u32{from[x * 2 + 1]} << 8;
        out[x] = expand(v >> 11, 5) << 16 | expand(v >> 5 & 63, 6) << 8 | expand(v & 31, 5);
      }
      break;
    case 24:
      for (std::size_t x = 0; x < width; x++) out[x] = from[x * 3] | from[x * 3 + 1] << 8 | from[x * 3 + 2] << 16;
      break;
    default:
      for (std::size_t x = 0; x < width; x++) {
        u32 v;
        std::memcpy(&v, from + x * 4, 4);
        out[x] = v & 0xFFFFFF;
      }
      break;
  }
}

}  // namespace relic86
