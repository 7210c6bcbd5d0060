#include "devices/video/vbe_renderer.h"

#include <cstring>

#include "base/assert.h"
#include "devices/video/packed_pixels.h"
#include "devices/video/vga_graphics_renderer.h"
#include "devices/video/vga_palette.h"

namespace relic86 {

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
  if (!dispi_.planar()) return draw_packed_pixels(from, dispi_.depth(), dac_, std::span(out, width));
  for (unsigned x = 0; x < width; x += 8, from += 4) {
    u32 planes;
    std::memcpy(&planes, from, 4);
    draw_planar_pixels(planes, attribute_, out + x);
  }
}

}  // namespace relic86
