#include "devices/video/cirrus_renderer.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/assert.h"
#include "devices/video/packed_pixels.h"
#include "devices/video/vga_geometry.h"
#include "devices/video/vga_palette.h"

namespace relic86 {

namespace {

enum CursorAttribute : u8 { kCursorShown = 0x01, kCursorLarge = 0x04 };
constexpr u8 kStaticSync = 0x06;       // graphics 0Eh: neither HSYNC nor VSYNC moves
constexpr u32 kCursorMemory = 0x4000;  // at the end of video memory
constexpr u32 kPatternUnit = 0x100;
constexpr u8 kLargePatterns = 0x3C, kSmallPatterns = 0x3F;
constexpr unsigned kSmallCursor = 32, kLargeCursor = 64;

u32 colour_of(std::span<const u8, 3> components) {
  u32 colour = 0;
  for (const u8 component : components) colour = colour << 8 | (component & 0x3Fu) << 2 | (component & 0x3Fu) >> 4;
  return colour;
}

// The hidden DAC register's 8-bit modes: grey, and 3-3-2.
bool special_palette(u8 hidden_dac, std::array<u32, 256>& palette) {
  constexpr u8 kExtended = 0x80, kModeBits = 0x0F, kGrey = 8, kThreeThreeTwo = 9;
  if ((hidden_dac & kExtended) == 0) return false;
  const auto scaled = [](u32 value, u32 most) { return value * 255 / most; };
  for (u32 i = 0; i < palette.size(); i++) {
    if ((hidden_dac & kModeBits) == kGrey)
      palette[i] = i * 0x010101;
    else if ((hidden_dac & kModeBits) == kThreeThreeTwo)
      palette[i] = scaled(i >> 5, 7) << 16 | scaled(i >> 2 & 7, 7) << 8 | scaled(i & 3, 3);
    else
      return false;
  }
  return true;
}

}  // namespace

CirrusMode CirrusMode::of(const VgaRegisters& vga, const CirrusRegisters& registers) {
  const VgaGeometry geometry = VgaGeometry::of(vga);
  const u8 display = registers.crtc(CirrusRegisters::kDisplayControl);
  const u8 overlay = registers.crtc(CirrusRegisters::kOverlayControl);
  const bool interlaced = (registers.crtc(CirrusRegisters::kInterlaceControl) & 1) != 0;
  CirrusMode mode;
  mode.width = geometry.columns * 8;
  mode.repeat = geometry.row_height * (geometry.double_scan ? 2 : 1);
  mode.height = (geometry.lines * (interlaced ? 2 : 1) + mode.repeat - 1) / mode.repeat;
  mode.depth = registers.depth();
  // Addresses count doublewords, pitches eight bytes.
  const u32 start = geometry.start | (display & 1u) << 16 | (display >> 2 & 3u) << 17 | (overlay >> 7 & 1u) << 19;
  mode.start = start * 4;
  mode.pitch = (vga.crtc()[VgaRegisters::kOffset] | (display >> 4 & 1u) << 8) * 8;
  mode.split = geometry.line_compare / mode.repeat;
  // SeaBIOS leaves the sequencer's screen-off bit set in these modes, and Linux's DRM driver does not enable the CRTC's
  // sync pulses: neither can count here as it does in the VGA's modes. Power management does.
  const bool powered = (registers.graphics()[CirrusRegisters::kPowerManagement] & kStaticSync) == 0;
  mode.displayed = powered && vga.video_enabled();
  return mode;
}

u32 CirrusMode::row_bytes() const { return width * packed_pixel_bytes(depth); }

CirrusCursor CirrusCursor::of(const CirrusRegisters& registers, u32 vram_bytes) {
  const u8 attributes = registers.sequencer(CirrusRegisters::kCursorAttributes);
  const u8 select = registers.sequencer(CirrusRegisters::kCursorPattern);
  const bool large = (attributes & kCursorLarge) != 0;
  CirrusCursor cursor;
  cursor.shown = (attributes & kCursorShown) != 0;
  cursor.size = large ? kLargeCursor : kSmallCursor;
  cursor.x = registers.cursor_x();
  cursor.y = registers.cursor_y();
  cursor.pattern = vram_bytes - kCursorMemory + (select & (large ? kLargePatterns : kSmallPatterns)) * kPatternUnit;
  return cursor;
}

CirrusRenderer::CirrusRenderer(const VgaRegisters& vga, const CirrusRegisters& registers, std::span<const u8> vram)
    : mode_(CirrusMode::of(vga, registers)), registers_(registers), vram_(vram) {
  RELIC86_ASSERT(std::has_single_bit(vram.size()) && vram.size() > kCursorMemory);
  if (!special_palette(registers.hidden_dac(), palette_)) palette_ = dac_colours(vga, false);
}

void CirrusRenderer::draw(Frame& frame) const {
  frame.text_mode = false;
  frame.width = mode_.width;
  frame.height = mode_.height;
  frame.pixels.resize(u64{frame.width} * frame.height);
  for (unsigned y = 0; y < frame.height; y++) row(y, frame);
}

void CirrusRenderer::row(unsigned y, Frame& frame) const {
  const std::span<u32> out = std::span(frame.pixels).subspan(u64{y} * frame.width, frame.width);
  if (!mode_.displayed) return std::fill(out.begin(), out.end(), 0u);
  const std::size_t bytes = mode_.row_bytes();
  const std::size_t at = mode_.row_start(y) & (vram_.size() - 1);
  if (at + bytes <= vram_.size()) {
    draw_packed_pixels(&vram_[at], mode_.depth, palette_, out);
  } else {  // the row goes on at the start of video memory
    std::vector<u8> joined(bytes);
    for (std::size_t i = 0; i < bytes; i++) joined[i] = vram_[(at + i) & (vram_.size() - 1)];
    draw_packed_pixels(joined.data(), mode_.depth, palette_, out);
  }
  cursor_row(y, out);
}

// Two planes say what a pixel of the cursor is: 0 nothing, 1 the screen's inverse, 2 background, 3 foreground, where
// the first plane's bit is the low one. A large pattern has both planes of a row side by side.
void CirrusRenderer::cursor_row(unsigned y, std::span<u32> out) const {
  const CirrusCursor cursor = CirrusCursor::of(registers_, static_cast<u32>(vram_.size()));
  if (!cursor.shown || y < cursor.y || y - cursor.y >= cursor.size) return;
  const unsigned row = y - cursor.y, row_bytes = cursor.size / 8;
  const bool large = cursor.size == kLargeCursor;
  const u8* low = &vram_[cursor.pattern + row * (large ? 2 * row_bytes : row_bytes)];
  const u8* high = low + (large ? row_bytes : row_bytes * cursor.size);
  const u32 background = colour_of(registers_.cursor_colour(0)), foreground = colour_of(registers_.cursor_colour(15));
  for (unsigned i = 0; i < cursor.size && cursor.x + i < out.size(); i++) {
    const unsigned shift = 7 - i % 8;
    u32& pixel = out[cursor.x + i];
    switch ((low[i / 8] >> shift & 1) | (high[i / 8] >> shift & 1) << 1) {
      case 1: pixel ^= 0xFFFFFF; break;
      case 2: pixel = background; break;
      case 3: pixel = foreground; break;
      default: break;
    }
  }
}

}  // namespace relic86
