#include "devices/video/vga_graphics_renderer.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "devices/video/vga_geometry.h"
#include "devices/video/vga_palette.h"

namespace relic86 {

namespace {
constexpr u8 kShift256 = 0x40;         // graphics 5
constexpr u8 kShiftInterleave = 0x20;  // graphics 5

struct Colours {
  std::array<u32, 256> dac;
  std::array<u32, 16> attribute;
};

u32 planes_at(std::span<const u8> vram, u32 plane_address) {
  u32 planes;
  std::memcpy(&planes, &vram[u64{plane_address} * 4], 4);
  return planes;
}

// CGA's four colours: two bits a pixel, four pixels from planes 0 and 2, then four from planes 1 and 3.
void interleaved_pixels(u32 planes, const std::array<u32, 16>& colours, u32* out) {
  for (unsigned i = 0; i < 8; i++) {
    const u32 pair = planes >> (i / 4 * 8);
    const unsigned shift = 6 - i % 4 * 2;
    out[i] = colours[(pair >> shift & 3) | (pair >> (16 + shift) & 3) << 2];
  }
}

struct GraphicsLine {
  const VgaRegisters& registers;
  std::span<const u8> vram;
  const Colours& colours;
  unsigned columns;
  bool shift256;
  bool interleave;
  unsigned character_pixels;
  // CRTC 14h bit 5 and 17h bit 3: the address counter moves at every fourth or second character clock.
  unsigned count_shift;

  void draw(const ScanlineWalker& walker, u32* out) const {
    for (unsigned column = 0; column <= columns; column++, out += character_pixels) {
      const u32 counter = walker.counter() + (column >> count_shift);
      const u32 planes = planes_at(vram, crtc_plane_address(registers, counter, walker.row_scan()));
      if (shift256) {
        for (unsigned i = 0; i < 4; i++) out[i] = colours.dac[planes >> (i * 8) & 0xFF];
      } else if (interleave) {
        interleaved_pixels(planes, colours.attribute, out);
      } else {
        draw_planar_pixels(planes, colours.attribute, out);
      }
    }
  }
};

}  // namespace

void draw_planar_pixels(u32 planes, const std::array<u32, 16>& colours, u32* out) {
  for (unsigned i = 0; i < 8; i++) {
    const u32 bits = planes >> (7 - i) & 0x01010101u;
    out[i] = colours[(bits | bits >> 7 | bits >> 14 | bits >> 21) & 15];
  }
}

void render_graphics(const VgaRegisters& registers, std::span<const u8> vram, bool eight_bit_dac, Frame& frame) {
  const VgaGeometry geometry = VgaGeometry::of(registers);
  const auto& crtc = registers.crtc();
  const u8 mode = registers.graphics()[VgaRegisters::kGraphicsMode];
  const bool shift256 = (mode & kShift256) != 0;
  const Colours colours{dac_colours(registers, eight_bit_dac), attribute_colours(registers, eight_bit_dac)};
  const bool by_four = (crtc[VgaRegisters::kUnderlineLocation] & 0x20) != 0;
  const bool by_two = (crtc[VgaRegisters::kModeControl] & 0x08) != 0;
  const GraphicsLine line_renderer{registers,
                                   vram,
                                   colours,
                                   geometry.columns,
                                   shift256,
                                   (mode & kShiftInterleave) != 0,
                                   shift256 ? 4u : 8u,
                                   by_four  ? 2u
                                   : by_two ? 1u
                                            : 0u};
  const unsigned repeat = geometry.repeated_lines(registers);
  frame.width = geometry.columns * line_renderer.character_pixels;
  frame.height = (geometry.lines + repeat - 1) / repeat;
  frame.pixels.assign(u64{frame.width} * frame.height, 0);
  std::vector<u32> scratch(frame.width + line_renderer.character_pixels);
  ScanlineWalker walker(registers);
  for (unsigned line = 0; line < geometry.lines; line++, walker.next()) {
    if (line % repeat != 0 || geometry.blanked(line)) continue;
    line_renderer.draw(walker, scratch.data());
    // 256-colour pixels take two dots each, so panning counts them in twos.
    const unsigned pan = shift256 ? (walker.panning() & 7) / 2 : walker.panning() & 7;
    const auto shown = std::span(frame.pixels).subspan(u64{line / repeat} * frame.width, frame.width);
    std::copy_n(scratch.begin() + pan, frame.width, shown.begin());
    geometry.blank_columns(shown, line_renderer.character_pixels);
  }
}

}  // namespace relic86
