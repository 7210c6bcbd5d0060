// Draws the VGA's alphanumeric modes, and reads them as text.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "devices/host_sinks.h"
#include "devices/video/vga_registers.h"

namespace relic86 {

// Halves of the blink periods (IBM: the cursor blinks every 16 frames, characters every 32).
struct VgaBlink {
  bool cursor_shown = true;
  bool characters_shown = true;
  static VgaBlink at(u64 frame_number) { return {(frame_number & 8) == 0, (frame_number & 16) == 0}; }
  friend bool operator==(const VgaBlink&, const VgaBlink&) = default;
};

// vram: at least the 256 KiB of the planes, stored as vga_memory.h says. Fills width, height and pixels.
void render_text(const VgaRegisters& registers, std::span<const u8> vram, bool eight_bit_dac, VgaBlink blink,
                 Frame& frame);

// The character rows in UTF-8 (code page 437), trailing blanks stripped.
std::vector<std::string> read_text(const VgaRegisters& registers, std::span<const u8> vram);

}  // namespace relic86
