// Draws the VGA's own graphics modes: planar, CGA's interleaved ones, 256 colours.
#pragma once

#include <array>
#include <span>

#include "devices/host_sinks.h"
#include "devices/video/vga_registers.h"

namespace relic86 {

// vram: at least the 256 KiB of the planes, stored as vga_memory.h says. Fills width, height and pixels.
void render_graphics(const VgaRegisters& registers, std::span<const u8> vram, bool eight_bit_dac, Frame& frame);

// Eight pixels of one bit from each plane, the leftmost in bit 7. planes: plane p in bits 8p+7:8p.
void draw_planar_pixels(u32 planes, const std::array<u32, 16>& colours, u32* out);

}  // namespace relic86
