// Colours of the VGA: from attribute values through the palette registers and the DAC to 00RRGGBBh.
#pragma once

#include <array>

#include "devices/video/vga_registers.h"

namespace relic86 {

// The 256 colours of the DAC, palette mask applied to the index.
std::array<u32, 256> dac_colours(const VgaRegisters& registers, bool eight_bit_dac);
// The colours of the 16 attribute values: internal palette, colour plane enable, colour select.
std::array<u32, 16> attribute_colours(const VgaRegisters& registers, bool eight_bit_dac);
u32 overscan_colour(const VgaRegisters& registers, bool eight_bit_dac);

}  // namespace relic86
