#include "devices/video/vga_picture.h"

#include <fmt/format.h>

#include <algorithm>

#include "devices/video/vga_geometry.h"
#include "devices/video/vga_graphics_renderer.h"
#include "devices/video/vga_palette.h"

namespace relic86 {

namespace {
constexpr double kMonitorAspect = 4.0 / 3.0;
constexpr unsigned kBlankWidth = 720, kBlankHeight = 400;  // of a screen without a mode
}  // namespace

void draw_vga_mode(const VgaRegisters& registers, std::span<const u8> vram, bool eight_bit_dac, VgaBlink blink,
                   Frame& frame) {
  frame.text_mode = !registers.graphics_mode();
  const VgaGeometry geometry = VgaGeometry::of(registers);
  if (!geometry.displayed && geometry.columns < 2) {
    frame.width = kBlankWidth;
    frame.height = kBlankHeight;
    frame.pixels.resize(u64{kBlankWidth} * kBlankHeight);
  } else if (frame.text_mode) {
    render_text(registers, vram, eight_bit_dac, blink, frame);
  } else {
    render_graphics(registers, vram, eight_bit_dac, frame);
  }
  if (!geometry.displayed) {
    std::fill(frame.pixels.begin(), frame.pixels.end(), 0u);
  } else if (!registers.video_enabled()) {
    std::fill(frame.pixels.begin(), frame.pixels.end(), overscan_colour(registers, eight_bit_dac));
  }
  // The VGA fills its 4:3 tube with every mode.
  frame.pixel_aspect = kMonitorAspect * frame.height / frame.width;
}

std::string vga_mode_name(const VgaRegisters& registers) {
  const VgaGeometry geometry = VgaGeometry::of(registers);
  if (!registers.graphics_mode()) {
    const unsigned scans = geometry.row_height * (geometry.double_scan ? 2 : 1);
    return fmt::format("text {}x{}", geometry.columns, geometry.lines / scans);
  }
  const u8 mode = registers.graphics()[VgaRegisters::kGraphicsMode];
  const bool many = (mode & 0x40) != 0;
  const unsigned colours = many ? 256 : (mode & 0x20) != 0 ? 4 : 16;
  return fmt::format("graphics {}x{}, {} colours", geometry.columns * (many ? 4 : 8),
                     geometry.lines / geometry.repeated_lines(registers), colours);
}

}  // namespace relic86
