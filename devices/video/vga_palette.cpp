#include "devices/video/vga_palette.h"

namespace relic86 {

namespace {
constexpr u8 kPaletteSize = 0x80;  // attribute 10h: bits 5 and 4 come from the colour select register

u32 dac_colour(const VgaRegisters& registers, unsigned index, bool eight_bit_dac) {
  u32 colour = 0;
  for (unsigned i = 0; i < 3; i++) {
    u32 component = registers.palette()[(index & registers.palette_mask()) * 3u + i];
    // Six bits reach full white when the upper ones are repeated.
    if (!eight_bit_dac) component = (component & 0x3F) << 2 | (component & 0x3F) >> 4;
    colour = colour << 8 | component;
  }
  return colour;
}
}  // namespace

std::array<u32, 256> dac_colours(const VgaRegisters& registers, bool eight_bit_dac) {
  std::array<u32, 256> colours{};
  for (unsigned i = 0; i < 256; i++) colours[i] = dac_colour(registers, i, eight_bit_dac);
  return colours;
}

std::array<u32, 16> attribute_colours(const VgaRegisters& registers, bool eight_bit_dac) {
  const auto& attribute = registers.attribute();
  const unsigned select = attribute[VgaRegisters::kColourSelect];
  std::array<u32, 16> colours{};
  for (unsigned i = 0; i < 16; i++) {
    unsigned index = attribute[i & attribute[VgaRegisters::kColourPlaneEnable]] & 0x3Fu;
    if ((attribute[VgaRegisters::kAttributeMode] & kPaletteSize) != 0) index = (index & 0x0F) | (select & 3) << 4;
    colours[i] = dac_colour(registers, index | (select >> 2 & 3) << 6, eight_bit_dac);
  }
  return colours;
}

u32 overscan_colour(const VgaRegisters& registers, bool eight_bit_dac) {
  return dac_colour(registers, registers.attribute()[VgaRegisters::kOverscan], eight_bit_dac);
}

}  // namespace relic86
