// Where the electron beam is: input status register 1 from guest time, the CRTC's parameters and the dot clock.
#pragma once

#include "base/types.h"
#include "devices/video/vga_registers.h"

namespace relic86 {

class VgaTiming {
 public:
  static VgaTiming of(const VgaRegisters& registers);
  // The same with a dot clock of the adapter's own, in Hz, at least 1 kHz.
  static VgaTiming of(const VgaRegisters& registers, u64 dot_clock);
  // A VBE mode has no CRTC programme: 60 Hz, with blanking times like VESA's own modes.
  static VgaTiming of_vbe(unsigned height);

  GuestTime frame() const { return static_cast<GuestTime>(frame_.value()); }  // nanoseconds, at least 1
  // Bit 0: no pixel is shown now (horizontal or vertical), bit 3: vertical retrace (IBM, input status register 1).
  u8 status(GuestTime now) const;
  // When bit 3 changes next; never sooner than it is seen.
  GuestTime next_retrace_change(GuestTime now) const;
  // Frames since power-on, the clock of blinking.
  u64 frame_number(GuestTime now) const { return now < 0 ? 0 : frame_.quotient(static_cast<u64>(now)); }

 private:
  // Exact quotients by a product and a correction: programs that wait for the retrace ask as fast as they can, and a
  // host's division takes longer than all else.
  class Divisor {
   public:
    constexpr explicit Divisor(u64 value) : value_(value), inverse_(~u64{0} / value) {}
    constexpr u64 value() const { return value_; }
    constexpr u64 quotient(u64 number) const {
      // At most 2 too low.
      u64 quotient = static_cast<u64>(static_cast<unsigned __int128>(number) * inverse_ >> 64);
      while (number - quotient * value_ >= value_) quotient++;
      return quotient;
    }

   private:
    u64 value_, inverse_;
  };

  Divisor frame_{1};
  u32 lines_ = 1;      // per frame, blanking included
  u32 line_dots_ = 1;  // per line
  u32 displayed_lines_ = 1;
  u32 displayed_dots_ = 1;
  u32 retrace_start_ = 0;  // first line of the vertical retrace
  u32 retrace_lines_ = 1;
};

}  // namespace relic86
