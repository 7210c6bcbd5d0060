// The register file of the VGA: sequencer, CRT controller, graphics controller, attribute controller, colour palette
// (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem", 1990). It knows nothing of memory or pictures.
#pragma once

#include <array>

#include "base/state_archive.h"
#include "base/types.h"

namespace relic86 {

class VgaRegisters {
 public:
  enum Sequencer : u8 { kClockingMode = 1, kMapMask = 2, kCharacterMapSelect = 3, kMemoryMode = 4 };
  enum Crtc : u8 {
    kHorizontalTotal = 0x00,
    kHorizontalDisplayEnd = 0x01,
    kStartHorizontalBlank = 0x02,
    kEndHorizontalBlank = 0x03,
    kStartHorizontalRetrace = 0x04,
    kEndHorizontalRetrace = 0x05,
    kVerticalTotal = 0x06,
    kOverflow = 0x07,
    kPresetRowScan = 0x08,
    kMaximumScanLine = 0x09,
    kCursorStart = 0x0A,
    kCursorEnd = 0x0B,
    kStartAddressHigh = 0x0C,
    kStartAddressLow = 0x0D,
    kCursorLocationHigh = 0x0E,
    kCursorLocationLow = 0x0F,
    kVerticalRetraceStart = 0x10,
    kVerticalRetraceEnd = 0x11,
    kVerticalDisplayEnd = 0x12,
    kOffset = 0x13,
    kUnderlineLocation = 0x14,
    kStartVerticalBlank = 0x15,
    kEndVerticalBlank = 0x16,
    kModeControl = 0x17,
    kLineCompare = 0x18,
  };
  enum Graphics : u8 {
    kSetReset = 0,
    kEnableSetReset = 1,
    kColourCompare = 2,
    kDataRotate = 3,
    kReadMapSelect = 4,
    kGraphicsMode = 5,
    kMiscellaneous = 6,
    kColourDontCare = 7,
    kBitMask = 8,
  };
  enum Attribute : u8 {
    kAttributeMode = 0x10,
    kOverscan = 0x11,
    kColourPlaneEnable = 0x12,
    kHorizontalPanning = 0x13,
    kColourSelect = 0x14,
  };

  void reset();
  void state(StateArchive& archive);

  // Byte accesses to ports 3B4h-3DFh. status1: what input status register 1 says now (VgaTiming); eight_bit_dac: the
  // palette takes 8 bits a component (VBE), else 6. Ports that are not there read all ones.
  u8 read(u16 port, u8 status1);
  void write(u16 port, u8 value, bool eight_bit_dac);

  const std::array<u8, 5>& sequencer() const { return sequencer_; }
  const std::array<u8, 25>& crtc() const { return crtc_; }
  const std::array<u8, 9>& graphics() const { return graphics_; }
  const std::array<u8, 21>& attribute() const { return attribute_; }
  const std::array<u8, 768>& palette() const { return palette_; }  // red, green, blue; 6 or 8 bits each
  u8 palette_mask() const { return palette_mask_; }
  u8 miscellaneous_output() const { return miscellaneous_output_; }
  bool memory_enabled() const { return (miscellaneous_output_ & 2) != 0; }
  bool colour_addressing() const { return (miscellaneous_output_ & 1) != 0; }
  // The attribute controller's palette address source: false while the CPU owns the palette, the screen is overscan.
  bool video_enabled() const { return video_enabled_; }
  bool graphics_mode() const { return (graphics_[kMiscellaneous] & 1) != 0; }

  // Which attribute register port 3C0h names, and whether it takes data next.
  u8 attribute_index() const { return attribute_index_; }
  bool attribute_data_next() const { return attribute_data_next_; }

  // Grows with every change of a register that shows on the screen.
  u64 generation() const { return generation_; }

  // VBE mode setting and tests: sets a register as if written through its ports, without lock bits.
  void set_sequencer(u8 index, u8 value);
  void set_crtc(u8 index, u8 value);
  void set_graphics(u8 index, u8 value);

 private:
  template <std::size_t N>
  void change(std::array<u8, N>& registers, u8 index, u8 value) {
    if (registers[index] == value) return;
    registers[index] = value;
    generation_++;
  }
  void write_attribute(u8 value);
  void write_palette(u8 value, bool eight_bit_dac);
  void write_crtc(u8 value);
  u8 read_palette();

  std::array<u8, 5> sequencer_{};
  std::array<u8, 25> crtc_{};
  std::array<u8, 9> graphics_{};
  std::array<u8, 21> attribute_{};
  std::array<u8, 768> palette_{};
  std::array<u8, 3> palette_latch_{};  // components written so far
  u8 sequencer_index_ = 0;
  u8 crtc_index_ = 0;
  u8 graphics_index_ = 0;
  u8 attribute_index_ = 0;
  bool attribute_data_next_ = false;  // the flip-flop of port 3C0h
  bool video_enabled_ = false;
  u8 palette_mask_ = 0xFF;
  u8 palette_read_index_ = 0;
  u8 palette_write_index_ = 0;
  u8 palette_component_ = 0;  // 0 red, 1 green, 2 blue
  u8 palette_state_ = 0;      // 0: last set for writing, 3: for reading
  u8 miscellaneous_output_ = 0;
  u8 feature_control_ = 0;
  u8 subsystem_enable_ = 1;
  u64 generation_ = 0;
};

}  // namespace relic86
