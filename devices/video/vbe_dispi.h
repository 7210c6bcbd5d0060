// The Bochs VBE display interface (DISPI): 16-bit index and data registers that set a linear or banked SVGA mode.
// Known from the Bochs "VBE Display API" document, and from what QEMU's standard VGA answers to the same drivers.
#pragma once

#include <array>

#include "base/state_archive.h"
#include "base/types.h"

namespace relic86 {

class VbeDispi {
 public:
  enum Index : u16 {
    kId,
    kXres,
    kYres,
    kBpp,
    kEnable,
    kBank,
    kVirtualWidth,
    kVirtualHeight,
    kXoffset,
    kYoffset,
    kMemory64k,
    kRegisterCount
  };
  enum EnableBits : u16 {
    kEnabled = 0x01,
    kGetCapabilities = 0x02,
    kEightBitDac = 0x20,
    kLinear = 0x40,
    kNoClear = 0x80
  };
  static constexpr unsigned kMaximumWidth = 4096;
  static constexpr unsigned kMaximumHeight = 4096;

  // memory: bytes of video memory, a multiple of 64 KiB; at least 256 KiB.
  explicit VbeDispi(u32 memory) : memory_(memory) { reset(); }

  void reset();
  void state(StateArchive& archive);

  u16 read(u16 index) const;
  enum class Effect : u8 { None, ModeSet, ModeSetAndClear, Disabled };
  // Clear: the caller blanks picture_bytes() of video memory.
  Effect write(u16 index, u16 value);

  bool enabled() const { return (registers_[kEnable] & kEnabled) != 0; }
  bool eight_bit_dac() const { return (registers_[kEnable] & kEightBitDac) != 0; }
  // While enabled these are always a picture that lies within video memory.
  unsigned width() const { return registers_[kXres]; }
  unsigned height() const { return registers_[kYres]; }
  unsigned depth() const { return registers_[kBpp]; }  // 4, 8, 15, 16, 24 or 32 bits
  bool planar() const { return depth() == 4; }
  u32 pitch() const { return bytes_of(registers_[kVirtualWidth], depth()); }  // bytes of video memory
  u32 picture_start() const;                                                  // byte of the top left pixel
  u32 picture_bytes() const { return pitch() * height(); }
  u32 bank() const { return registers_[kBank]; }  // in units of 64 KiB (planar: of a plane)
  u64 generation() const { return generation_; }

 private:
  static u32 bytes_of(u32 pixels, unsigned depth) { return depth == 4 ? pixels / 2 : pixels * ((depth + 7) / 8); }
  void fix_mode();
  void fix_view();

  u32 memory_;
  std::array<u16, kRegisterCount> registers_{};
  u64 generation_ = 0;
};

}  // namespace relic86
