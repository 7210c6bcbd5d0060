// RC (Intel 82371SB 2.5.1; ICH9 13.7.5): bit 1 SRST (1: hard reset, 0: CPU only), bit 2 RCPU: 0 -> 1 resets
#include "devices/chipset/reset_control.h"

namespace relic86 {

namespace {
constexpr u8 kResetHard = 2, kResetNow = 4;
constexpr u64 kOffset = 1;
}  // namespace

u64 ResetControl::read(u64 offset, unsigned width) const {
  u64 value = all_ones(width);
  const u64 position = kOffset - offset;
  if (offset > kOffset || position >= width) return value;
  value &= ~(u64{0xFF} << (position * 8));
  return value | u64{value_} << (position * 8);
}

void ResetControl::write(u64 offset, unsigned width, u64 value) {
  if (offset <= kOffset && kOffset - offset < width) write(static_cast<u8>(value >> ((kOffset - offset) * 8)));
}

void ResetControl::write(u8 value) {
  const bool now = (value & kResetNow) != 0 && (value_ & kResetNow) == 0;
  value_ = value & (kResetHard | kResetNow);
  if (!now) return;
  if ((value & kResetHard) != 0) {
    machine_.request_reset();
  } else {
    machine_.request_cpu_init();
    value_ &= static_cast<u8>(~kResetNow);
  }
}

}  // namespace relic86
