// The registers that the Cirrus Logic GD5446 has beyond the VGA's (sources: docs/devices.md): extended sequencer,
// graphics controller and CRTC, the hidden DAC register, the cursor's colours. They stand around a VgaRegisters, which
// keeps everything that the VGA knows.
#pragma once

#include <array>
#include <span>

#include "base/state_archive.h"
#include "base/types.h"
#include "devices/video/vga_registers.h"

namespace relic86 {

class CirrusRegisters {
 public:
  enum Sequencer : u8 {
    kKey = 0x06,
    kExtendedMode = 0x07,
    kClockNumerator = 0x0B,  // four clocks, 0Bh to 0Eh
    kDramControl = 0x0F,
    kCursorX = 0x10,
    kCursorY = 0x11,
    kCursorAttributes = 0x12,
    kCursorPattern = 0x13,
    kMemorySize = 0x15,
    kConfiguration = 0x17,
    kClockDenominator = 0x1B,  // four clocks, 1Bh to 1Eh
    kMemoryClock = 0x1F,
  };
  enum Graphics : u8 {
    kBackground = 0x00,  // byte 0 of the BitBLT's colours; bytes 1 to 3 are GR10h, 12h and 14h
    kForeground = 0x01,  // 11h, 13h and 15h
    kOffset0 = 0x09,
    kOffset1 = 0x0A,
    kModeExtensions = 0x0B,
    kPowerManagement = 0x0E,
    kTargetHigh = 0x2A,
    kBlitStart = 0x31,
  };
  enum Crtc : u8 {
    kInterlaceControl = 0x1A,
    kDisplayControl = 0x1B,
    kOverlayControl = 0x1D,
    kLatchReadback = 0x22,
    kToggleReadback = 0x24,
    kIndexReadback = 0x26,
    kPartId = 0x27,
  };
  // Bits of the mode extensions, GR0Bh.
  enum ModeExtension : u8 {
    kDualBanks = 0x01,
    kEightByteAddressing = 0x02,
    kExtendedWriteModes = 0x04,
    kEightByteLatches = 0x08,
    kSixteenByteAddressing = 0x10,
    kLargeBanks = 0x20,
  };
  // Bits of the BitBLT's start and status register, GR31h.
  enum BlitControl : u8 { kBusy = 0x01, kStart = 0x02, kReset = 0x04, kProgress = 0x08, kAutoStart = 0x80 };

  // What a write asks of the device beyond keeping the value.
  enum class Effect : u8 { None, Mapping, StartBlit, ResetBlit };

  using GraphicsFile = std::array<u8, 0x40>;

  explicit CirrusRegisters(VgaRegisters& vga) : vga_(vga) { reset(); }

  void reset();  // of the extensions alone
  void state(StateArchive& archive);

  // Byte accesses to ports 3B4h-3DFh, the VGA's registers included. status1: input status register 1; latch: the
  // graphics controller's data latches; blit_busy: a BitBLT waits for the CPU.
  u8 read(u16 port, u8 status1, u32 latch, bool blit_busy);
  Effect write(u16 port, u8 value);
  // Graphics controller registers by index, as the BitBLT's memory-mapped registers reach them.
  u8 read_graphics(u8 index, bool blit_busy) const;
  Effect write_graphics(u8 index, u8 value);

  u8 sequencer(u8 index) const { return sequencer_[index]; }  // 2 and 5 up
  u8 crtc(u8 index) const { return crtc_[index]; }            // 19h to 27h
  const GraphicsFile& graphics() const { return graphics_; }
  u8 hidden_dac() const { return hidden_dac_; }
  unsigned cursor_x() const { return cursor_x_; }  // of the pattern's left column, 0 to 2047
  unsigned cursor_y() const { return cursor_y_; }
  // Colour 0 to 15 of the cursor's palette: red, green, blue, 6 bits each. 0 is the background's, 15 the foreground's.
  std::span<const u8, 3> cursor_colour(unsigned index) const {
    return std::span<const u8>(cursor_palette_).subspan(index * 3).first<3>();
  }
  // Pixels lie one after another in video memory (sequencer 7), as in every mode beyond the VGA's own.
  bool packed() const { return (sequencer_[kExtendedMode] & 1) != 0; }
  unsigned depth() const;  // of a packed pixel: 8, 15, 16, 24 or 32 bits
  u64 dot_clock() const;   // Hz, of the selected clock

  // Grows with every change that shows on the screen: of all but the cursor, and of the cursor alone.
  u64 generation() const { return vga_.generation() + generation_; }
  u64 cursor_generation() const { return cursor_generation_; }

 private:
  void write_sequencer(u8 value);
  void write_crtc(u8 value);
  bool crtc_port(u16 port) const;
  u8 read_crtc(u32 latch) const;
  u8 read_mask_port();
  u8 read_cursor_colour();
  void write_cursor_colour(u8 value);
  bool cursor_palette_selected() const { return (sequencer_[kCursorAttributes] & 2) != 0; }

  VgaRegisters& vga_;
  std::array<u8, 0x20> sequencer_{};
  GraphicsFile graphics_{};
  std::array<u8, 0x28> crtc_{};
  u8 sequencer_index_ = 0;
  u8 graphics_index_ = 0;
  u8 crtc_index_ = 0;
  u16 cursor_x_ = 0;
  u16 cursor_y_ = 0;
  u8 hidden_dac_ = 0;
  u8 mask_reads_ = 0;  // of the palette mask in a row; after four the hidden register answers
  std::array<u8, 48> cursor_palette_{};
  u8 palette_index_ = 0;
  u8 palette_component_ = 0;  // 0 red, 1 green, 2 blue
  u64 generation_ = 0;
  u64 cursor_generation_ = 0;
};

}  // namespace relic86
