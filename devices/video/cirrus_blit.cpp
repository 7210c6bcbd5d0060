// BitBLT registers of the CL-GD5446 (sources: docs/devices.md)
//
//   20,21  width - 1 in bytes (12:0)     22,23  height - 1 in lines (10:0)
//   24,25  target pitch (12:0)           26,27  source pitch (12:0)
//   28-2A  target start (21:0)           2C-2E  source start (21:0); 2:0 is a pattern's first row, too
//   2F     pixels at the left that are skipped (2:0; bytes in 4:0 with 24 bits a pixel)
//   30     mode: 0 backwards, 1 to system memory, 2 from system memory, 3 transparency, 5:4 pixel bytes - 1,
//          6 8x8 pattern, 7 colour expansion
//   32     raster operation              33     0 doubleword granularity, 1 inverted expansion, 2 solid fill
//   34,35  transparent colour
#include "devices/video/cirrus_blit.h"

#include <algorithm>

namespace relic86 {

namespace {

enum Mode : u8 {
  kBackwards = 0x01,
  kToSystem = 0x02,
  kFromSystem = 0x04,
  kTransparent = 0x08,
  kPattern = 0x40,
  kExpand = 0x80
};
enum Extension : u8 { kWholeWords = 0x01, kInverted = 0x02, kSolid = 0x04 };
constexpr u32 kPatternRows = 8;
constexpr u32 kWord = 4;  // transfers of copies end each line with a doubleword

u32 aligned(u32 bytes) { return (bytes + kWord - 1) & ~(kWord - 1); }

CirrusBlit::Kind kind_of(const CirrusBlit& blit, u8 mode, u8 extensions) {
  using Kind = CirrusBlit::Kind;
  const bool pattern = (mode & kPattern) != 0, expand = (mode & kExpand) != 0;
  if (blit.to_system) return blit.from_system || pattern || expand || blit.transparent ? Kind::Nothing : Kind::Copy;
  if (pattern && expand) return (extensions & kSolid) != 0 && !blit.transparent ? Kind::Solid : Kind::MonoPattern;
  if (pattern) return Kind::ColourPattern;
  if (expand) return Kind::Expand;
  // A transparent colour has two bytes.
  return blit.transparent && blit.pixel_bytes > blit.key.size() ? Kind::Nothing : Kind::Copy;
}

}  // namespace

CirrusBlit CirrusBlit::of(const CirrusRegisters::GraphicsFile& g) {
  const auto word = [&g](unsigned index) { return g[index] | u32{g[index + 1]} << 8; };
  const auto address = [&](unsigned index) { return word(index) | u32{g[index + 2]} << 16; };
  const u8 mode = g[0x30], extensions = g[0x33];
  CirrusBlit blit;
  blit.width = (word(0x20) & 0x1FFF) + 1;
  blit.height = (word(0x22) & 0x7FF) + 1;
  blit.target_pitch = word(0x24) & 0x1FFF;
  blit.source_pitch = word(0x26) & 0x1FFF;
  blit.target = address(0x28) & 0x3FFFFF;
  blit.source = address(0x2C) & 0x3FFFFF;
  blit.pixel_bytes = (mode >> 4 & 3u) + 1;
  blit.skip = blit.pixel_bytes == 3 ? g[0x2F] & 0x1Fu : (g[0x2F] & 7) * blit.pixel_bytes;
  blit.preset = blit.source % kPatternRows;
  blit.operation = g[0x32];
  blit.to_system = (mode & kToSystem) != 0;
  blit.from_system = (mode & kFromSystem) != 0;
  blit.transparent = (mode & kTransparent) != 0;
  blit.inverted = (extensions & kInverted) != 0;
  blit.whole_words = (extensions & kWholeWords) != 0;
  blit.foreground = {g[0x01], g[0x11], g[0x13], g[0x15]};
  blit.background = {g[0x00], g[0x10], g[0x12], g[0x14]};
  blit.key = {g[0x34], g[0x35]};
  blit.kind = kind_of(blit, mode, extensions);
  // The direction counts where a line of the source is in video memory.
  blit.backwards = (mode & kBackwards) != 0 && blit.kind == Kind::Copy && !blit.from_system && !blit.to_system;
  if (blit.kind == Kind::Solid) {
    blit.skip = 0;
    blit.from_system = false;
  }
  return blit;
}

u32 CirrusBlit::transfer_bytes() const {
  switch (kind) {
    case Kind::MonoPattern:
    case Kind::ColourPattern: return pattern_pitch() * kPatternRows;
    case Kind::Expand: return whole_words ? aligned((pixels() + 7) / 8) : (pixels() + 7) / 8;
    default: return aligned(width);
  }
}

u8 cirrus_truth_table(u8 operation) {
  struct Row {
    u8 code, table;
  };
  constexpr u8 kTargetAlone = 0b1010;
  static constexpr Row kRows[] = {{0x00, 0b0000}, {0x05, 0b1000}, {0x06, kTargetAlone}, {0x09, 0b0100},
                                  {0x0B, 0b0101}, {0x0D, 0b1100}, {0x0E, 0b1111},       {0x50, 0b0010},
                                  {0x59, 0b0110}, {0x6D, 0b1110}, {0x90, 0b0001},       {0x95, 0b1001},
                                  {0xAD, 0b1101}, {0xD0, 0b0011}, {0xD6, 0b1011},       {0xDA, 0b0111}};
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.code == operation; });
  return row == std::end(kRows) ? kTargetAlone : row->table;
}

}  // namespace relic86
