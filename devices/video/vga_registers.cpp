// VGA registers (IBM PS/2 Hardware Interface Technical Reference, Video Subsystem)
//
//   port       width  R/W  bits
//   3B4h/3D4h  1      RW   CRTC index; 3B5h/3D5h data. 3Dxh while miscellaneous output bit 0 is set, else 3Bxh
//   3BAh/3DAh  1      R    input status 1: 0 display disabled, 3 vertical retrace; resets the flip-flop of 3C0h
//              1      W    feature control
//   3C0h       1      RW   attribute index (4:0, bit 5 palette address source) and data by turns;  3C1h R data
//   3C2h       1      R    input status 0: bit 4 switch sense;  W miscellaneous output (read at 3CCh)
//   3C3h       1      RW   bit 0 video subsystem enable (kept only)
//   3C4h       1      RW   sequencer index;  3C5h data
//   3C6h       1      RW   palette mask
//   3C7h       1      R    palette state 1:0 (0 writing, 3 reading);  W read index
//   3C8h       1      RW   palette write index;  3C9h data, three components a colour
//   3CAh       1      R    feature control
//   3CEh       1      RW   graphics controller index;  3CFh data
#include "devices/video/vga_registers.h"

namespace relic86 {

namespace {
constexpr std::array<u8, 5> kSequencerBits = {0x03, 0x3D, 0x0F, 0x3F, 0x0E};
constexpr std::array<u8, 9> kGraphicsBits = {0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF};
constexpr std::array<u8, 5> kAttributeBits = {0xEF, 0xFF, 0x3F, 0x0F, 0x0F};  // from index 10h
constexpr u8 kPaletteBits = 0x3F;
constexpr u8 kSequencerIndexBits = 0x07, kGraphicsIndexBits = 0x0F;
constexpr u8 kVideoEnabled = 0x20;
constexpr u8 kProtectCrtc = 0x80;      // CRTC 11h
constexpr u8 kLineCompareBit8 = 0x10;  // CRTC 07h, the one bit that protection leaves open
constexpr u8 kSwitchSense = 0x10;
}  // namespace

void VgaRegisters::reset() {
  const u64 generation = generation_ + 1;
  *this = VgaRegisters{};
  generation_ = generation;
}

void VgaRegisters::state(StateArchive& archive) {
  archive.bytes("sequencer", sequencer_);
  archive.bytes("crtc", crtc_);
  archive.bytes("graphics", graphics_);
  archive.bytes("attribute", attribute_);
  archive.bytes("palette", palette_);
  archive.bytes("palette_latch", palette_latch_);
  archive.field("sequencer_index", sequencer_index_);
  archive.field("crtc_index", crtc_index_);
  archive.field("graphics_index", graphics_index_);
  archive.field("attribute_index", attribute_index_);
  archive.field("attribute_data_next", attribute_data_next_);
  archive.field("video_enabled", video_enabled_);
  archive.field("palette_mask", palette_mask_);
  archive.field("palette_read_index", palette_read_index_);
  archive.field("palette_write_index", palette_write_index_);
  archive.field("palette_component", palette_component_);
  archive.field("palette_state", palette_state_);
  archive.field("miscellaneous_output", miscellaneous_output_);
  archive.field("feature_control", feature_control_);
  archive.field("subsystem_enable", subsystem_enable_);
  if (!archive.loading()) return;
  for (unsigned i = 0; i < sequencer_.size(); i++) sequencer_[i] &= kSequencerBits[i];
  for (unsigned i = 0; i < graphics_.size(); i++) graphics_[i] &= kGraphicsBits[i];
  for (unsigned i = 0; i < attribute_.size(); i++) attribute_[i] &= i < 16 ? kPaletteBits : kAttributeBits[i - 16];
  attribute_index_ &= 0x1F;
  palette_component_ %= 3;
  palette_state_ &= 3;
  generation_++;
}

u8 VgaRegisters::read(u16 port, u8 status1) {
  switch (port) {
    case 0x3B4:
    case 0x3D4: return (port == 0x3D4) == colour_addressing() ? crtc_index_ : 0xFF;
    case 0x3B5:
    case 0x3D5:
      if ((port == 0x3D5) != colour_addressing()) return 0xFF;
      return crtc_index_ < crtc_.size() ? crtc_[crtc_index_] : 0;
    case 0x3BA:
    case 0x3DA:
      if ((port == 0x3DA) != colour_addressing()) return 0xFF;
      attribute_data_next_ = false;
      return status1;
    case 0x3C0: return static_cast<u8>(attribute_index_ | (video_enabled_ ? kVideoEnabled : 0));
    case 0x3C1: return attribute_index_ < attribute_.size() ? attribute_[attribute_index_] : 0;
    case 0x3C2: {
      // The switch that the clock select bits choose: a colour display's pattern closes the middle two.
      const unsigned selected = miscellaneous_output_ >> 2 & 3u;
      return selected == 1 || selected == 2 ? kSwitchSense : 0;
    }
    case 0x3C3: return subsystem_enable_;
    case 0x3C4: return sequencer_index_;
    case 0x3C5: return sequencer_index_ < sequencer_.size() ? sequencer_[sequencer_index_] : 0;
    case 0x3C6: return palette_mask_;
    case 0x3C7: return palette_state_;
    case 0x3C8: return palette_write_index_;
    case 0x3C9: return read_palette();
    case 0x3CA: return feature_control_;
    case 0x3CC: return miscellaneous_output_;
    case 0x3CE: return graphics_index_;
    case 0x3CF: return graphics_index_ < graphics_.size() ? graphics_[graphics_index_] : 0;
    default: return 0xFF;
  }
}

void VgaRegisters::write(u16 port, u8 value, bool eight_bit_dac) {
  switch (port) {
    case 0x3B4:
    case 0x3D4:
      if ((port == 0x3D4) == colour_addressing()) crtc_index_ = value;
      break;
    case 0x3B5:
    case 0x3D5:
      if ((port == 0x3D5) == colour_addressing()) write_crtc(value);
      break;
    case 0x3BA:
    case 0x3DA:
      if ((port == 0x3DA) == colour_addressing()) feature_control_ = value & 0x0B;
      break;
    case 0x3C0: write_attribute(value); break;
    case 0x3C2:
      if (value != miscellaneous_output_) generation_++;
      miscellaneous_output_ = value;
      break;
    case 0x3C3: subsystem_enable_ = value & 1; break;
    case 0x3C4: sequencer_index_ = value & kSequencerIndexBits; break;
    case 0x3C5:
      if (sequencer_index_ < sequencer_.size()) set_sequencer(sequencer_index_, value);
      break;
    case 0x3C6:
      if (value != palette_mask_) generation_++;
      palette_mask_ = value;
      break;
    case 0x3C7:
      palette_read_index_ = value;
      palette_component_ = 0;
      palette_state_ = 3;
      break;
    case 0x3C8:
      palette_write_index_ = value;
      palette_component_ = 0;
      palette_state_ = 0;
      break;
    case 0x3C9: write_palette(value, eight_bit_dac); break;
    case 0x3CE: graphics_index_ = value & kGraphicsIndexBits; break;
    case 0x3CF:
      if (graphics_index_ < graphics_.size()) set_graphics(graphics_index_, value);
      break;
    default: break;
  }
}

void VgaRegisters::write_crtc(u8 value) {
  if (crtc_index_ >= crtc_.size()) return;
  if (crtc_index_ <= kOverflow && (crtc_[kVerticalRetraceEnd] & kProtectCrtc) != 0) {
    if (crtc_index_ != kOverflow) return;
    value = static_cast<u8>((crtc_[kOverflow] & ~kLineCompareBit8) | (value & kLineCompareBit8));
  }
  change(crtc_, crtc_index_, value);
}

void VgaRegisters::write_attribute(u8 value) {
  attribute_data_next_ = !attribute_data_next_;
  if (attribute_data_next_) {
    attribute_index_ = value & 0x1F;
    const bool enabled = (value & kVideoEnabled) != 0;
    if (enabled != video_enabled_) generation_++;
    video_enabled_ = enabled;
    return;
  }
  if (attribute_index_ >= attribute_.size()) return;
  const u8 bits = attribute_index_ < 16 ? kPaletteBits : kAttributeBits[attribute_index_ - 16u];
  change(attribute_, attribute_index_, value & bits);
}

void VgaRegisters::write_palette(u8 value, bool eight_bit_dac) {
  palette_latch_[palette_component_] = eight_bit_dac ? value : value & 0x3F;
  if (++palette_component_ < 3) return;
  palette_component_ = 0;
  for (unsigned i = 0; i < 3; i++) palette_[palette_write_index_ * 3u + i] = palette_latch_[i];
  palette_write_index_++;
  generation_++;
}

u8 VgaRegisters::read_palette() {
  const u8 value = palette_[palette_read_index_ * 3u + palette_component_];
  if (++palette_component_ == 3) {
    palette_component_ = 0;
    palette_read_index_++;
  }
  return value;
}

void VgaRegisters::set_sequencer(u8 index, u8 value) { change(sequencer_, index, value & kSequencerBits[index]); }

void VgaRegisters::set_crtc(u8 index, u8 value) { change(crtc_, index, value); }

void VgaRegisters::set_graphics(u8 index, u8 value) { change(graphics_, index, value & kGraphicsBits[index]); }

}  // namespace relic86
