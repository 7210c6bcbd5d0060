// Draws the VGA's graphics modes (planar, CGA's interleaved ones, 256 colours) and the VBE modes.
#pragma once

#include <span>

#include "devices/host_sinks.h"
#include "devices/vbe_dispi.h"
#include "devices/vga_registers.h"

namespace relic86 {

// vram: at least the 256 KiB of the planes, stored as vga_memory.h says. Fill width, height and pixels.
void render_graphics(const VgaRegisters& registers, std::span<const u8> vram, bool eight_bit_dac, Frame& frame);
// vram: all video memory that the DISPI registers were made for.
void render_vbe(const VbeDispi& dispi, const VgaRegisters& registers, std::span<const u8> vram, Frame& frame);

}  // namespace relic86
