// Bochs VBE DISPI registers, all 16 bits (index port 1CEh, data port 1CFh, also 1D0h; memory BAR 2 from 500h)
//
//   index  R/W  meaning
//   0      RW   interface version, B0C0h to B0C5h (the guest may lower it)
//   1, 2   RW   width and height in pixels; with GETCAPS the largest possible
//   3      RW   bits per pixel 4, 8, 15, 16, 24, 32; with GETCAPS the largest possible
//   4      RW   0 enable, 1 GETCAPS, 5 8-bit palette, 6 linear frame buffer, 7 do not clear
//   5      RW   bank at A0000h, in 64 KiB
//   6      RW   virtual width in pixels, at least the width
//   7      R    virtual height: the lines that memory holds
//   8, 9   RW   first pixel and first line shown
//   Ah     R    video memory in 64 KiB
#include "devices/video/vbe_dispi.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr u16 kVersion = 0xB0C5;
constexpr u16 kVersionFamily = 0xB0C0;
constexpr u16 kEnableBits = 0xE3;
constexpr u32 kBankBytes = 0x10000;
constexpr u16 kWidthStep = 8;  // as a CRTC counts in characters
}  // namespace

void VbeDispi::reset() {
  registers_ = {};
  registers_[kId] = kVersion;
  registers_[kMemory64k] = static_cast<u16>(memory_ / kBankBytes);
  generation_++;
}

void VbeDispi::state(StateArchive& archive) {
  archive.bytes("dispi", registers_);
  if (!archive.loading()) return;
  registers_[kMemory64k] = static_cast<u16>(memory_ / kBankBytes);
  registers_[kEnable] &= kEnableBits;
  if (enabled()) {
    fix_mode();
    fix_view();
  }
  generation_++;
}

u16 VbeDispi::read(u16 index) const {
  if (index >= kRegisterCount) return 0;
  if ((registers_[kEnable] & kGetCapabilities) != 0) {
    if (index == kXres) return kMaximumWidth;
    if (index == kYres) return kMaximumHeight;
    if (index == kBpp) return 32;
  }
  return registers_[index];
}

VbeDispi::Effect VbeDispi::write(u16 index, u16 value) {
  switch (index) {
    case kId:
      if (value >= kVersionFamily && value <= kVersion) registers_[kId] = value;
      return Effect::None;
    case kXres:
    case kYres:
    case kBpp:
    case kVirtualWidth:
    case kXoffset:
    case kYoffset:
      registers_[index] = value;
      if (enabled()) {
        fix_mode();
        fix_view();
        generation_++;
        return index <= kBpp ? Effect::ModeSet : Effect::None;
      }
      return Effect::None;
    case kBank: registers_[kBank] = value % (memory_ / kBankBytes / (planar() ? 4 : 1)); return Effect::None;
    case kEnable: {
      const bool was_enabled = enabled();
      registers_[kEnable] = value & kEnableBits;
      generation_++;
      if (!enabled()) {
        registers_[kBank] = 0;
        return was_enabled ? Effect::Disabled : Effect::None;
      }
      if (was_enabled) return Effect::None;
      registers_[kVirtualWidth] = 0;
      registers_[kXoffset] = 0;
      registers_[kYoffset] = 0;
      fix_mode();
      fix_view();
      return (value & kNoClear) != 0 ? Effect::ModeSet : Effect::ModeSetAndClear;
    }
    default: return Effect::None;
  }
}

u32 VbeDispi::picture_start() const {
  const u32 column = planar() ? registers_[kXoffset] & ~7u : registers_[kXoffset];
  return registers_[kYoffset] * pitch() + bytes_of(column, depth());
}

void VbeDispi::fix_mode() {
  u16& bpp = registers_[kBpp];
  if (bpp != 4 && bpp != 15 && bpp != 16 && bpp != 24 && bpp != 32) bpp = 8;
  u16& width = registers_[kXres];
  width = std::clamp<u16>(width & ~(kWidthStep - 1), kWidthStep, kMaximumWidth);
  u16& height = registers_[kYres];
  height = std::clamp<u16>(height, 1, kMaximumHeight);
  const u32 lines = memory_ / bytes_of(width, bpp);
  height = static_cast<u16>(std::min<u32>(height, lines));
  registers_[kBank] = static_cast<u16>(registers_[kBank] % (memory_ / kBankBytes / (planar() ? 4 : 1)));
}

void VbeDispi::fix_view() {
  u16& virtual_width = registers_[kVirtualWidth];
  virtual_width = std::max<u16>(virtual_width & ~(kWidthStep - 1), registers_[kXres]);
  // Lines so long that the picture would not fit are shortened.
  const u32 longest = memory_ / registers_[kYres];
  while (pitch() > longest) virtual_width = static_cast<u16>(virtual_width - kWidthStep);
  const u32 lines = memory_ / pitch();
  registers_[kVirtualHeight] = static_cast<u16>(std::min<u32>(lines, 0xFFFF));
  registers_[kXoffset] = std::min<u16>(registers_[kXoffset], static_cast<u16>(virtual_width - registers_[kXres]));
  const u32 last = registers_[kVirtualHeight] - registers_[kYres];
  registers_[kYoffset] = static_cast<u16>(std::min<u32>(registers_[kYoffset], last));
}

}  // namespace relic86
