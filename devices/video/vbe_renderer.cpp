#include "devices/video/vbe_renderer.h"

#include <cstring>

#include "base/assert.h"
#include "devices/video/vga_graphics_renderer.h"
#include "devices/video/vga_palette.h"

namespace relic86 {

namespace {
// A component of fewer bits as eight: the upper ones are repeated below, so that white is white.
u32 expand(u32 value, unsigned bits) { return value << (8 - bits) | value >> (2 * bits - 8); }
}  // namespace

VbeRenderer::VbeRenderer(const VbeDispi& dispi, const VgaRegisters& registers, std::span<const u8> vram)
    : dispi_(dispi),
      vram_(vram),
      dac_(dac_colours(registers, dispi.eight_bit_dac())),
      attribute_(attribute_colours(registers, dispi.eight_bit_dac())) {}

u32 VbeRenderer::row_bytes() const {
  return dispi_.planar() ? dispi_.width() / 2 : dispi_.width() * ((dispi_.depth() + 7) / 8);
}

void VbeRenderer::draw(Frame& frame) const {
  frame.width = dispi_.width();
  frame.height = dispi_.height();
  frame.pixels.resize(u64{frame.width} * frame.height);
  for (unsigned y = 0; y < frame.height; y++) row(y, frame);
}

void VbeRenderer::row(unsigned y, Frame& frame) const {
  const u64 start = dispi_.picture_start() + u64{y} * dispi_.pitch();
  RELIC86_ASSERT(start + row_bytes() <= vram_.size());  // VbeDispi keeps pictures within memory
  const u8* from = vram_.data() + start;
  u32* out = &frame.pixels[u64{y} * frame.width];
  const unsigned width = dispi_.width();
  switch (dispi_.depth()) {
    case 4:
      for (unsigned x = 0; x < width; x += 8, from += 4) {
        u32 planes;
        std::memcpy(&planes, from, 4);
        draw_planar_pixels(planes, attribute_, out + x);
      }
      break;
    case 8:
      for (unsigned x = 0; x < width; x++) out[x] = dac_[from[x]];
      break;
    case 15:
      for (unsigned x = 0; x < width; x++) {
        const u32 v = from[x * 2] | u32{from[x * 2 + 1]} << 8;
        out[x] = expand(v >> 10 & 31, 5) << 16 | expand(v >> 5 & 31, 5) << 8 | expand(v & 31, 5);
      }
      break;
    case 16:
      for (unsigned x = 0; x < width; x++) {
        const u32 v = from[x * 2] | u32{from[x * 2 + 1]} << 8;
        out[x] = expand(v >> 11, 5) << 16 | expand(v >> 5 & 63, 6) << 8 | expand(v & 31, 5);
      }
      break;
    case 24:
      for (unsigned x = 0; x < width; x++) out[x] = from[x * 3] | from[x * 3 + 1] << 8 | from[x * 3 + 2] << 16;
      break;
    default:
      for (unsigned x = 0; x < width; x++) {
        u32 v;
        std::memcpy(&v, from + x * 4, 4);
        out[x] = v & 0xFFFFFF;
      }
      break;
  }
}

}  // namespace relic86
