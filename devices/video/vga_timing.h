// Where the electron beam is: input status register 1 from guest time, the CRTC's parameters and the dot clock.
#pragma once

#include "base/types.h"
#include "devices/video/vga_registers.h"

namespace relic86 {

class VgaTiming {
 public:
  static VgaTiming of(const VgaRegisters& registers);
  // A VBE mode has no CRTC programme: 60 Hz, with blanking times like VESA's own modes.
  static VgaTiming of_vbe(unsigned height);

  GuestTime frame() const { return frame_; }  // nanoseconds, at least 1
  // Bit 0: no pixel is shown now (horizontal or vertical), bit 3: vertical retrace (IBM, input status register 1).
  u8 status(GuestTime now) const;
  // Frames since power-on, the clock of blinking.
  u64 frame_number(GuestTime now) const { return now < 0 ? 0 : static_cast<u64>(now / frame_); }

 private:
  GuestTime frame_ = 1;
  u32 lines_ = 1;      // per frame, blanking included
  u32 line_dots_ = 1;  // per line
  u32 displayed_lines_ = 1;
  u32 displayed_dots_ = 1;
  u32 retrace_start_ = 0;  // first line of the vertical retrace
  u32 retrace_lines_ = 1;
};

}  // namespace relic86
