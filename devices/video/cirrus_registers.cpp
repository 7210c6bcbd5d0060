// Extension registers of the CL-GD5446 (sources: docs/devices.md); the VGA's are in vga_registers.cpp
//
//   3C5h  02     RW   plane mask; 8 bits for the extended write modes
//         06     RW   key: reads 12h after 12h was written, else 0Fh. The GD5446 no longer locks anything with it
//         07     RW   bit 0 packed pixels; 3:1 depth (0: 8 bits, 1 and 3: 16, 2: 24, 4: 32); 7:4 ISA address, kept only
//         08-0A  RW   EEPROM, scratch;  0Bh-0Eh clock numerators;  0Fh DRAM control (4 MiB)
//         10,11  RW   cursor X and Y: bits 10:3, with bits 2:0 from bits 7:5 of the index (10h, 30h, ... F0h)
//         12     RW   cursor: 0 shown, 1 palette ports lead to the cursor's colours, 2 64x64
//         13     RW   cursor pattern, in the last 16 KiB of video memory
//         14-16  RW   scratch, performance;  17h configuration (5:3 bus, fixed; 2 registers at B8000h; 6 in the frame
//                     buffer instead);  18h signature;  1Bh-1Eh clock denominators (5:1) and post-scalar (0);  1Fh
//                     clock
//   3CFh  00,01  RW   VGA's set/reset; 8 bits as colours of BitBLT and extended write modes, continued in 10h-15h
//         05     RW   bit 2: with bits 1:0 write modes 4 and 5
//         09,0A  RW   bank offsets;  0Bh mode extensions;  0Ch-0Fh colour key, power: kept only
//         20-39  RW   BitBLT (cirrus_blit.h);  31h start and status
//   3D5h  19-1D  RW   1Ah interlace; 1Bh, 1Dh: start address bits 16-19, pitch bit 8;  others kept only
//         22     R    data latch;  24h R attribute flip-flop;  26h R attribute index;  27h R part: B8h
//   3C6h         RW   hidden DAC register, at the fifth access after four reads
#include "devices/video/cirrus_registers.h"

#include <algorithm>

namespace relic86 {

namespace {

constexpr u8 kUnlocked = 0x12, kLocked = 0x0F, kKeyBits = 0x17;
constexpr u8 kPartGd5446 = 0xB8;
constexpr u8 kPciBus = 0x20, kBusBits = 0x38;
constexpr u8 kFourMegabytes = 0x04;       // sequencer 15h, where firmware leaves it
constexpr u8 kWideDram = 0x98;            // sequencer 0Fh: 64-bit wide, 4 MiB
constexpr u8 kMemoryClockReset = 0x2D;    // sequencer 1Fh
constexpr u8 kColourCompareReset = 0x0F;  // graphics 18h
constexpr u8 kCursorPaletteBits = 0x3F;
constexpr u8 kHiddenAfter = 4;
constexpr u8 kFirstExtendedSequencer = 5, kFirstExtendedGraphics = 9, kFirstExtendedCrtc = 0x19;
constexpr u8 kLastWritableCrtc = 0x1D;
constexpr u64 kCrystal = 14'318'180;  // Hz

// Bits that keep what is written; extension registers alone. 31h is a matter of its own.
constexpr CirrusRegisters::GraphicsFile kGraphicsBits = {
    0xFF, 0xFF, 0,    0,    0,    0x07, 0,    0,    0,    0xFF, 0xFF, 0x3F, 0xFF, 0xFF, 0xFF, 0xFF,  // 00h
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0xFF, 0,    0,    0,    0,    0,    0,    0,     // 10h
    0xFF, 0x1F, 0xFF, 0x07, 0xFF, 0x1F, 0xFF, 0x1F, 0xFF, 0xFF, 0x3F, 0,    0xFF, 0xFF, 0x3F, 0x1F,  // 20h
    0xFF, 0xE4, 0xFF, 0x1F, 0xFF, 0xFF, 0,    0,    0xFF, 0xFF, 0,    0,    0,    0,    0,    0};    // 30h
constexpr std::array<u8, 0x20> kSequencerBits = {0,    0,    0xFF, 0,    0,    0,    0,    0xFF, 0xFF, 0xFF, 0xFF,
                                                 0x7F, 0x7F, 0x7F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F, 0xFF, 0xFF,
                                                 0xFF, 0xC7, 0xFF, 0,    0,    0x3F, 0x3F, 0x3F, 0x3F, 0xFF};

// Whether a sequencer index names the cursor's position: 10h and 11h, 30h and 31h, and so on.
bool cursor_position(u8 index) { return (index & 0x1E) == CirrusRegisters::kCursorX; }

}  // namespace

void CirrusRegisters::reset() {
  sequencer_ = {};
  graphics_ = {};
  crtc_ = {};
  cursor_palette_ = {};
  sequencer_index_ = graphics_index_ = crtc_index_ = 0;
  cursor_x_ = cursor_y_ = 0;
  hidden_dac_ = mask_reads_ = palette_index_ = palette_component_ = 0;
  sequencer_[kKey] = kLocked;
  sequencer_[kDramControl] = kWideDram;
  sequencer_[kMemorySize] = kFourMegabytes;
  sequencer_[kConfiguration] = kPciBus;
  sequencer_[kMemoryClock] = kMemoryClockReset;
  constexpr std::array<u8, 4> kNumerators = {0x66, 0x5B, 0x45, 0x7E};  // 25.18, 28.325, 41.165 and 36.08 MHz
  constexpr std::array<u8, 4> kDenominators = {0x3B, 0x2F, 0x30, 0x33};
  std::copy(kNumerators.begin(), kNumerators.end(), sequencer_.begin() + kClockNumerator);
  std::copy(kDenominators.begin(), kDenominators.end(), sequencer_.begin() + kClockDenominator);
  graphics_[0x18] = kColourCompareReset;
  crtc_[kPartId] = kPartGd5446;
  generation_++;
  cursor_generation_++;
}

void CirrusRegisters::state(StateArchive& archive) {
  archive.bytes("sequencer", sequencer_);
  archive.bytes("graphics", graphics_);
  archive.bytes("crtc", crtc_);
  archive.field("sequencer_index", sequencer_index_);
  archive.field("graphics_index", graphics_index_);
  archive.field("crtc_index", crtc_index_);
  archive.field("cursor_x", cursor_x_);
  archive.field("cursor_y", cursor_y_);
  archive.field("hidden_dac", hidden_dac_);
  archive.field("mask_reads", mask_reads_);
  archive.bytes("cursor_palette", cursor_palette_);
  archive.field("palette_index", palette_index_);
  archive.field("palette_component", palette_component_);
  if (!archive.loading()) return;
  for (u8 i = 0; i < sequencer_.size(); i++) {
    const bool own = i == kKey || i == kConfiguration;
    if (!own) sequencer_[i] &= kSequencerBits[i];
  }
  sequencer_[kKey] = sequencer_[kKey] == kUnlocked ? kUnlocked : kLocked;
  sequencer_[kConfiguration] = static_cast<u8>((sequencer_[kConfiguration] & ~kBusBits) | kPciBus);
  for (u8 i = 0; i < graphics_.size(); i++) graphics_[i] &= kGraphicsBits[i];
  for (u8 i = 0; i < crtc_.size(); i++) {
    if (i < kFirstExtendedCrtc || i > kLastWritableCrtc) crtc_[i] = 0;
  }
  crtc_[kPartId] = kPartGd5446;
  cursor_x_ &= 0x7FF;
  cursor_y_ &= 0x7FF;
  mask_reads_ = std::min(mask_reads_, kHiddenAfter);
  for (u8& component : cursor_palette_) component &= kCursorPaletteBits;
  palette_component_ %= 3;
  generation_++;
  cursor_generation_++;
}

bool CirrusRegisters::crtc_port(u16 port) const {
  return port == (vga_.colour_addressing() ? 0x3D5 : 0x3B5) && crtc_index_ >= kFirstExtendedCrtc;
}

u8 CirrusRegisters::read(u16 port, u8 status1, u32 latch, bool blit_busy) {
  if (crtc_port(port)) return read_crtc(latch);
  if (port == 0x3C6) return read_mask_port();
  if (port >= 0x3C7 && port <= 0x3C9) mask_reads_ = 0;
  switch (port) {
    case 0x3C4:
      // The low bits of the cursor's position read back in the index.
      if (cursor_position(sequencer_index_)) {
        const unsigned position = (sequencer_index_ & 1) != 0 ? cursor_y_ : cursor_x_;
        return static_cast<u8>((sequencer_index_ & 0x1F) | (position & 7) << 5);
      }
      return sequencer_index_;
    case 0x3C5:
      if (cursor_position(sequencer_index_)) return sequencer_[sequencer_index_ & 0x1F];
      if (sequencer_index_ >= sequencer_.size()) return 0xFF;
      if (sequencer_index_ < kFirstExtendedSequencer && sequencer_index_ != VgaRegisters::kMapMask) break;
      return sequencer_[sequencer_index_];
    case 0x3C9:
      if (cursor_palette_selected()) return read_cursor_colour();
      break;
    case 0x3CE: return graphics_index_;
    case 0x3CF: return read_graphics(graphics_index_, blit_busy);
    default: break;
  }
  return vga_.read(port, status1);
}

u8 CirrusRegisters::read_crtc(u32 latch) const {
  switch (crtc_index_) {
    case kLatchReadback: {
      const unsigned plane = vga_.graphics()[VgaRegisters::kReadMapSelect];
      return static_cast<u8>(latch >> (plane * 8));
    }
    case kToggleReadback: return vga_.attribute_data_next() ? 0x80 : 0;
    case kIndexReadback: return static_cast<u8>(vga_.attribute_index() | (vga_.video_enabled() ? 0x20 : 0));
    default: return crtc_index_ < crtc_.size() ? crtc_[crtc_index_] : 0xFF;
  }
}

u8 CirrusRegisters::read_mask_port() {
  if (mask_reads_ == kHiddenAfter) {
    mask_reads_ = 0;
    return hidden_dac_;
  }
  mask_reads_++;
  return vga_.palette_mask();
}

u8 CirrusRegisters::read_cursor_colour() {
  const u8 value = cursor_palette_[(palette_index_ & 15) * 3u + palette_component_];
  if (++palette_component_ == 3) {
    palette_component_ = 0;
    palette_index_++;
  }
  return value;
}

void CirrusRegisters::write_cursor_colour(u8 value) {
  cursor_palette_[(palette_index_ & 15) * 3u + palette_component_] = value & kCursorPaletteBits;
  cursor_generation_++;
  if (++palette_component_ == 3) {
    palette_component_ = 0;
    palette_index_++;
  }
}

u8 CirrusRegisters::read_graphics(u8 index, bool blit_busy) const {
  if (index >= graphics_.size()) return 0xFF;
  switch (index) {
    case kBackground:
    case kForeground: return graphics_[index];
    case kBlitStart: return static_cast<u8>(graphics_[index] | (blit_busy ? kBusy | kStart | kProgress : 0));
    case VgaRegisters::kGraphicsMode: return static_cast<u8>(vga_.graphics()[index] | graphics_[index]);
    default: return index < kFirstExtendedGraphics ? vga_.graphics()[index] : graphics_[index];
  }
}

CirrusRegisters::Effect CirrusRegisters::write(u16 port, u8 value) {
  if (crtc_port(port)) {
    write_crtc(value);
    return Effect::None;
  }
  if (port == 0x3C6 && mask_reads_ == kHiddenAfter) {
    mask_reads_ = 0;
    if (hidden_dac_ != value) generation_++;
    hidden_dac_ = value;
    return Effect::None;
  }
  if (port >= 0x3C6 && port <= 0x3C9) mask_reads_ = 0;
  switch (port) {
    case 0x3B4:
    case 0x3D4:
      if ((port == 0x3D4) == vga_.colour_addressing()) crtc_index_ = value;
      break;
    case 0x3C2: vga_.write(port, value, false); return Effect::Mapping;
    case 0x3C4: sequencer_index_ = value; break;
    case 0x3C5: write_sequencer(value); return Effect::Mapping;
    case 0x3C7:
    case 0x3C8:
      palette_index_ = value;
      palette_component_ = 0;
      break;
    case 0x3C9:
      if (!cursor_palette_selected()) break;
      write_cursor_colour(value);
      return Effect::None;
    case 0x3CE: graphics_index_ = value; break;
    case 0x3CF: return write_graphics(graphics_index_, value);
    default: break;
  }
  vga_.write(port, value, false);
  return Effect::None;
}

void CirrusRegisters::write_sequencer(u8 value) {
  const u8 index = sequencer_index_;
  if (cursor_position(index)) {
    u16& position = (index & 1) != 0 ? cursor_y_ : cursor_x_;
    position = static_cast<u16>(value << 3 | index >> 5);
    sequencer_[index & 0x1F] = value;
    cursor_generation_++;
    return;
  }
  if (index < kFirstExtendedSequencer) vga_.set_sequencer(index, value);
  if (index >= sequencer_.size()) return;
  if (index == kKey) {
    sequencer_[kKey] = (value & kKeyBits) == kUnlocked ? kUnlocked : kLocked;
    return;
  }
  const u8 fixed = index == kConfiguration ? kPciBus : 0;
  sequencer_[index] = static_cast<u8>((value & kSequencerBits[index]) | fixed);
  if (index == kCursorAttributes || index == kCursorPattern)
    cursor_generation_++;
  else
    generation_++;
}

void CirrusRegisters::write_crtc(u8 value) {
  if (crtc_index_ > kLastWritableCrtc || crtc_[crtc_index_] == value) return;
  crtc_[crtc_index_] = value;
  generation_++;
}

CirrusRegisters::Effect CirrusRegisters::write_graphics(u8 index, u8 value) {
  if (index >= graphics_.size()) return Effect::None;
  if (index < kFirstExtendedGraphics) vga_.set_graphics(index, value);
  const u8 old = graphics_[index];
  graphics_[index] = value & kGraphicsBits[index];
  if (index == kPowerManagement && old != value) generation_++;
  switch (index) {
    case kBlitStart:
      if ((value & kReset) != 0) return Effect::ResetBlit;
      return (value & kStart) != 0 ? Effect::StartBlit : Effect::None;
    case kTargetHigh: return (graphics_[kBlitStart] & kAutoStart) != 0 ? Effect::StartBlit : Effect::None;
    case kOffset0:
    case kOffset1:
    case kModeExtensions: return old != graphics_[index] ? Effect::Mapping : Effect::None;
    default: return index < kFirstExtendedGraphics ? Effect::Mapping : Effect::None;
  }
}

unsigned CirrusRegisters::depth() const {
  constexpr u8 kXga = 0x01;  // hidden DAC 3:0: 5-6-5 instead of 5-5-5
  switch (sequencer_[kExtendedMode] >> 1 & 7) {
    case 0: return 8;
    case 2: return 24;
    case 4: return 32;
    default: return (hidden_dac_ & 0x0F) == kXga ? 16 : 15;
  }
}

u64 CirrusRegisters::dot_clock() const {
  const unsigned select = vga_.miscellaneous_output() >> 2 & 3u;
  const u8 denominator = sequencer_[kClockDenominator + select];
  const unsigned divisor = std::max(denominator >> 1 & 0x1Fu, 1u) * ((denominator & 1) != 0 ? 2u : 1u);
  const u64 numerator = std::max<u64>(sequencer_[kClockNumerator + select], 1);
  return kCrystal * numerator / divisor;
}

}  // namespace relic86
