// Draws the VBE modes: linear pixels of 8 to 32 bits, or four planes.
#pragma once

#include <array>
#include <span>

#include "devices/host_sinks.h"
#include "devices/video/vbe_dispi.h"
#include "devices/video/vga_registers.h"

namespace relic86 {

// For one picture: it keeps the palette of the moment it was made.
class VbeRenderer {
 public:
  // vram: all video memory that the DISPI registers were made for. The interface must be enabled.
  VbeRenderer(const VbeDispi& dispi, const VgaRegisters& registers, std::span<const u8> vram);

  u32 row_bytes() const;  // of video memory, shown in a row
  // Sets width and height, and draws every row.
  void draw(Frame& frame) const;
  // Draws row y into a frame that has the mode's dimensions.
  void row(unsigned y, Frame& frame) const;

 private:
  const VbeDispi& dispi_;
  std::span<const u8> vram_;
  std::array<u32, 256> dac_;
  std::array<u32, 16> attribute_;
};

}  // namespace relic86
