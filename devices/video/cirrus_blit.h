// What the BitBLT registers of the GD5446 ask for (graphics controller registers 20h to 33h; sources: docs/devices.md):
// their meaning, without the engine that carries it out.
#pragma once

#include <array>

#include "devices/video/cirrus_registers.h"

namespace relic86 {

struct CirrusBlit {
  // Nothing: the registers ask for what the engine does not do.
  enum class Kind : u8 { Nothing, Copy, Expand, MonoPattern, ColourPattern, Solid } kind = Kind::Nothing;
  u32 width = 1;             // bytes, 1 to 8192
  u32 height = 1;            // lines, 1 to 2048
  u32 target = 0;            // first byte of video memory; of a backward copy the last one
  u32 source = 0;            //
  u32 target_pitch = 0;      // bytes from line to line
  u32 source_pitch = 0;      //
  u32 pixel_bytes = 1;       // 1 to 4
  u32 skip = 0;              // bytes at the left of each line that an expansion or a pattern leaves alone
  u32 preset = 0;            // row of the pattern that the first line takes
  u8 operation = 0;          // raster operation, as GR32h has it
  bool backwards = false;    // a copy from the last byte to the first
  bool from_system = false;  // the CPU writes the source
  bool to_system = false;    // the CPU reads the target
  bool transparent = false;
  bool inverted = false;     // of an expansion with transparency: the zeros are drawn, in the background's colour
  bool whole_words = false;  // each line of an expansion's source from the CPU ends with a doubleword
  std::array<u8, 4> foreground{};
  std::array<u8, 4> background{};
  std::array<u8, 2> key{};  // the transparent colour of a copy

  static CirrusBlit of(const CirrusRegisters::GraphicsFile& registers);

  u32 pixels() const { return (width + pixel_bytes - 1) / pixel_bytes; }
  u32 pattern_pitch() const { return kind == Kind::MonoPattern ? 1 : pixel_bytes == 3 ? 32 : 8 * pixel_bytes; }
  // Bytes that the CPU writes or reads for a line; a pattern is one line.
  u32 transfer_bytes() const;
};

// The pattern that each of the raster operations makes of source and target, as bits: bit 2s + t is the result for
// source bit s and target bit t. A code that means nothing leaves the target alone.
u8 cirrus_truth_table(u8 operation);

}  // namespace relic86
