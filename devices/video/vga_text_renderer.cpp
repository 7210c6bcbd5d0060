#include "devices/video/vga_text_renderer.h"

#include <algorithm>

#include "base/code_page_437.h"
#include "devices/video/vga_geometry.h"
#include "devices/video/vga_palette.h"

namespace relic86 {

namespace {
constexpr u8 kLineGraphics = 0x04;  // attribute 10h
constexpr u8 kBlinkEnable = 0x08;   // attribute 10h
constexpr u8 kCursorOff = 0x20;     // CRTC 0Ah
constexpr u32 kFontCharacterBytes = 32;

// Bytes of plane 2 where each of the eight character maps begins (IBM, character map select register).
constexpr u32 kCharacterMaps[8] = {0x0000, 0x4000, 0x8000, 0xC000, 0x2000, 0x6000, 0xA000, 0xE000};

struct Cell {
  u8 character;
  u8 attribute;
};

Cell cell_at(std::span<const u8> vram, u32 plane_address) {
  return {vram[plane_address * 4u], vram[plane_address * 4u + 1]};
}

class TextRenderer {
 public:
  TextRenderer(const VgaRegisters& registers, std::span<const u8> vram, bool eight_bit_dac, VgaBlink blink)
      : registers_(registers),
        vram_(vram),
        geometry_(VgaGeometry::of(registers)),
        colours_(attribute_colours(registers, eight_bit_dac)),
        blink_(blink) {
    const auto& crtc = registers.crtc();
    const unsigned select = registers.sequencer()[VgaRegisters::kCharacterMapSelect];
    fonts_[0] = kCharacterMaps[(select & 3) | (select >> 4 & 1) << 2];
    fonts_[1] = kCharacterMaps[(select >> 2 & 3) | (select >> 5 & 1) << 2];
    cursor_start_ = crtc[VgaRegisters::kCursorStart] & 0x1Fu;
    cursor_end_ = crtc[VgaRegisters::kCursorEnd] & 0x1Fu;
    cursor_at_ = crtc[VgaRegisters::kCursorLocationHigh] * 256u + crtc[VgaRegisters::kCursorLocationLow] +
                 (crtc[VgaRegisters::kCursorEnd] >> 5 & 3u);  // skew
    cursor_on_ = (crtc[VgaRegisters::kCursorStart] & kCursorOff) == 0 && blink.cursor_shown;
    underline_at_ = crtc[VgaRegisters::kUnderlineLocation] & 0x1Fu;
    mode_ = registers.attribute()[VgaRegisters::kAttributeMode];
  }

  unsigned width() const { return geometry_.columns * geometry_.character_dots; }

  void line(const ScanlineWalker& walker, u32* pixels) {
    const unsigned dots = geometry_.character_dots;
    const unsigned pan = panning(walker);
    // One more character than is shown: panning brings part of it in.
    scratch_.resize((geometry_.columns + 1) * dots);
    for (unsigned column = 0; column <= geometry_.columns; column++) {
      character((walker.counter() + column) & 0xFFFF, walker.row_scan(), &scratch_[column * dots]);
    }
    std::copy_n(scratch_.begin() + pan, width(), pixels);
  }

 private:
  unsigned panning(const ScanlineWalker& walker) const {
    const unsigned value = walker.panning();
    if (geometry_.character_dots == 9) return value >= 8 ? 0 : value + 1;
    return value & 7;
  }

  void character(u32 counter, unsigned row, u32* out) const {
    const Cell cell = cell_at(vram_, crtc_plane_address(registers_, counter, row));
    const u32 font = fonts_[cell.attribute >> 3 & 1];
    unsigned bits = vram_[(font + cell.character * kFontCharacterBytes + row) * 4 + 2] * 2u;
    if ((mode_ & kLineGraphics) != 0 && cell.character >= 0xC0 && cell.character <= 0xDF) bits |= bits >> 1 & 1;
    unsigned background = cell.attribute >> 4;
    if ((mode_ & kBlinkEnable) != 0) {
      background &= 7;
      if ((cell.attribute & 0x80) != 0 && !blink_.characters_shown) bits = 0;
    }
    if (row == underline_at_ && (cell.attribute & 0x77) == 0x01) bits = 0x1FF;
    if (cursor_on_ && counter == (cursor_at_ & 0xFFFF) && row >= cursor_start_ && row <= cursor_end_) bits = 0x1FF;
    const u32 on = colours_[cell.attribute & 15];
    const u32 off = colours_[background];
    for (unsigned i = 0; i < geometry_.character_dots; i++) out[i] = (bits >> (8 - i) & 1) != 0 ? on : off;
  }

  const VgaRegisters& registers_;
  std::span<const u8> vram_;
  VgaGeometry geometry_;
  std::array<u32, 16> colours_;
  VgaBlink blink_;
  std::array<u32, 2> fonts_{};  // for attribute bit 3 clear and set
  unsigned cursor_start_ = 0;
  unsigned cursor_end_ = 0;
  u32 cursor_at_ = 0;
  bool cursor_on_ = false;
  unsigned underline_at_ = 0;
  u8 mode_ = 0;
  std::vector<u32> scratch_;
};

}  // namespace

void render_text(const VgaRegisters& registers, std::span<const u8> vram, bool eight_bit_dac, VgaBlink blink,
                 Frame& frame) {
  const VgaGeometry geometry = VgaGeometry::of(registers);
  TextRenderer renderer(registers, vram, eight_bit_dac, blink);
  const unsigned repeat = geometry.repeated_lines(registers);
  frame.width = renderer.width();
  frame.height = (geometry.lines + repeat - 1) / repeat;
  frame.pixels.assign(u64{frame.width} * frame.height, 0);
  ScanlineWalker walker(registers);
  for (unsigned line = 0; line < geometry.lines; line++, walker.next()) {
    if (line % repeat != 0 || geometry.blanked(line)) continue;
    const auto shown = std::span(frame.pixels).subspan(u64{line / repeat} * frame.width, frame.width);
    renderer.line(walker, shown.data());
    geometry.blank_columns(shown, geometry.character_dots);
  }
}

std::vector<std::string> read_text(const VgaRegisters& registers, std::span<const u8> vram) {
  const VgaGeometry geometry = VgaGeometry::of(registers);
  std::vector<std::string> lines;
  ScanlineWalker walker(registers);
  for (unsigned line = 0; line < geometry.lines; line++, walker.next()) {
    if (!walker.row_start()) continue;
    std::string text;
    for (unsigned column = 0; column < geometry.columns; column++) {
      const u32 counter = (walker.counter() + column) & 0xFFFF;
      text += code_page_437(cell_at(vram, crtc_plane_address(registers, counter, walker.row_scan())).character);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    lines.push_back(std::move(text));
  }
  return lines;
}

}  // namespace relic86
