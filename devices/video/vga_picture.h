// The picture of the VGA's own modes, text and graphics, as every adapter that contains a VGA shows it.
#pragma once

#include <span>
#include <string>

#include "devices/host_sinks.h"
#include "devices/video/vga_registers.h"
#include "devices/video/vga_text_renderer.h"

namespace relic86 {

// vram: at least the 256 KiB of the planes, stored as vga_memory.h says. Fills all of frame; a screen that is switched
// off is black, one whose palette belongs to the CPU has the overscan colour.
void draw_vga_mode(const VgaRegisters& registers, std::span<const u8> vram, bool eight_bit_dac, VgaBlink blink,
                   Frame& frame);
// "text 80x25", "graphics 640x480, 16 colours".
std::string vga_mode_name(const VgaRegisters& registers);

}  // namespace relic86
