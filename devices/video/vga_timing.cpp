#include "devices/video/vga_timing.h"

#include <algorithm>

#include "devices/video/vga_geometry.h"

namespace relic86 {

namespace {
constexpr u64 kNanosecondsPerSecond = 1'000'000'000;
constexpr u64 kClock640 = 25'175'000;  // clock select 0, Hz
constexpr u64 kClock720 = 28'322'000;  // clock select 1
constexpr u8 kRetraceBit = 8;
constexpr u8 kDisabledBit = 1;
}  // namespace

VgaTiming VgaTiming::of(const VgaRegisters& registers) {
  // Selects 2 and 3 are external clocks; nothing is connected there, so the faster one stands in.
  return of(registers, (registers.miscellaneous_output() >> 2 & 3) == 0 ? kClock640 : kClock720);
}

VgaTiming VgaTiming::of(const VgaRegisters& registers, u64 dot_clock) {
  const auto& crtc = registers.crtc();
  const VgaGeometry geometry = VgaGeometry::of(registers);
  const bool halved = (registers.sequencer()[VgaRegisters::kClockingMode] & 8) != 0;
  const u64 clock = halved ? dot_clock / 2 : dot_clock;
  VgaTiming timing;
  timing.line_dots_ = (crtc[VgaRegisters::kHorizontalTotal] + 5u) * geometry.character_dots;
  timing.displayed_dots_ = std::min(geometry.columns * geometry.character_dots, timing.line_dots_);
  timing.lines_ = (overflow_value(crtc, VgaRegisters::kVerticalTotal, 0, 5) + 2) & 0x3FFu;
  timing.lines_ = std::max(timing.lines_, 1u);
  timing.displayed_lines_ = std::min(geometry.lines, timing.lines_);
  timing.retrace_start_ = overflow_value(crtc, VgaRegisters::kVerticalRetraceStart, 2, 7);
  const u32 length = (crtc[VgaRegisters::kVerticalRetraceEnd] - timing.retrace_start_) & 0xF;
  timing.retrace_lines_ = length == 0 ? 16 : length;
  // CRTC 17h bit 2 clocks the vertical counter by every second line.
  const u64 dots = u64{timing.line_dots_} * timing.lines_ * ((crtc[VgaRegisters::kModeControl] & 4) != 0 ? 2u : 1u);
  timing.frame_ = Divisor(std::max<u64>(dots * kNanosecondsPerSecond / clock, 1));
  return timing;
}

VgaTiming VgaTiming::of_vbe(unsigned height) {
  VgaTiming timing;
  timing.frame_ = Divisor(kNanosecondsPerSecond / 60);
  timing.displayed_lines_ = std::max(height, 1u);
  timing.lines_ = timing.displayed_lines_ + timing.displayed_lines_ / 20 + 8;
  timing.retrace_start_ = timing.displayed_lines_ + 2;
  timing.retrace_lines_ = 4;
  timing.line_dots_ = 100;
  timing.displayed_dots_ = 80;
  return timing;
}

u8 VgaTiming::status(GuestTime now) const {
  // Positions are counted from time 0, so that they need no state of their own and agree between runs.
  const u64 time = static_cast<u64>(std::max<GuestTime>(now, 0));
  const u64 phase = time - frame_.quotient(time) * frame_.value();
  const u32 dot = static_cast<u32>(frame_.quotient(phase * (u64{lines_} * line_dots_)));
  const u32 line = dot / line_dots_;
  const u32 column = dot % line_dots_;
  u8 status = 0;
  if (line >= displayed_lines_ || column >= displayed_dots_) status |= kDisabledBit;
  if (line >= retrace_start_ && line < retrace_start_ + retrace_lines_) status |= kRetraceBit | kDisabledBit;
  return status;
}

GuestTime VgaTiming::next_retrace_change(GuestTime now) const {
  const u64 time = static_cast<u64>(std::max<GuestTime>(now, 0));
  const u64 phase = time - frame_.quotient(time) * frame_.value();
  const auto at_line = [&](u32 line) { return (frame_.value() * std::min(line, lines_) + lines_ - 1) / lines_; };
  const u64 begin = at_line(retrace_start_), end = at_line(retrace_start_ + retrace_lines_);
  const u64 change = phase < begin ? begin : phase < end ? end : frame_.value() + begin;
  return static_cast<GuestTime>(time - phase + change);
}

}  // namespace relic86
