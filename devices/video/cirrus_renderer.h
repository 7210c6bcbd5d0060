// The picture of the GD5446's packed-pixel modes, with its cursor.
#pragma once

#include <array>
#include <span>

#include "devices/host_sinks.h"
#include "devices/video/cirrus_registers.h"

namespace relic86 {

// What the CRTC's registers mean for such a mode.
struct CirrusMode {
  unsigned width = 8;      // pixels, 8 to 2048
  unsigned height = 1;     // rows of pixels, 1 to 2048
  unsigned depth = 8;      // 8, 15, 16, 24 or 32 bits
  unsigned repeat = 1;     // lines of the monitor for a row, if not interlaced
  u32 start = 0;           // byte of video memory at the top left
  u32 pitch = 0;           // bytes from row to row
  unsigned split = 0;      // the last row above the split screen, which begins at byte 0
  bool displayed = false;  // the monitor on, the palette at work

  static CirrusMode of(const VgaRegisters& vga, const CirrusRegisters& registers);
  u32 row_bytes() const;
  u32 row_start(unsigned y) const { return y > split ? (y - split - 1) * pitch : start + y * pitch; }
};

// For one picture: it keeps the palette and the cursor of the moment it was made.
class CirrusRenderer {
 public:
  // vram: all video memory, a power of two.
  CirrusRenderer(const VgaRegisters& vga, const CirrusRegisters& registers, std::span<const u8> vram);

  const CirrusMode& mode() const { return mode_; }
  // Sets width and height, and draws every row.
  void draw(Frame& frame) const;
  // Draws row y into a frame that has the mode's dimensions.
  void row(unsigned y, Frame& frame) const;

 private:
  void cursor_row(unsigned y, std::span<u32> out) const;

  CirrusMode mode_;
  const CirrusRegisters& registers_;
  std::span<const u8> vram_;
  std::array<u32, 256> palette_;
};

// The rows of the screen that the cursor covers, [first, end), and the bytes of video memory that its pattern takes.
struct CirrusCursor {
  bool shown = false;
  unsigned size = 32;  // pixels and rows
  unsigned x = 0;
  unsigned y = 0;
  u32 pattern = 0;  // byte of video memory

  static CirrusCursor of(const CirrusRegisters& registers, u32 vram_bytes);
  friend bool operator==(const CirrusCursor&, const CirrusCursor&) = default;
};

}  // namespace relic86
