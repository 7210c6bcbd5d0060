// Registers (Roland MPU-401 Technical Reference; Sound Blaster Series Hardware Programming Guide, chapter 5):
//
//   port  R/W  register
//   330h  R    data
//   330h  W    MIDI byte
//   331h  R    status: 7 nothing to read, 6 not ready to be written to
//   331h  W    command: 3Fh UART mode, FFh reset
//
// In UART mode every byte goes to the MIDI output. A real one takes 320 us for it; this one is always ready.
#include "devices/sound/mpu401.h"

namespace relic86 {

namespace {
constexpr u8 kAcknowledge = 0xFE, kEnterUart = 0x3F, kReset = 0xFF, kNothingToRead = 0x80;
}

void Mpu401::leave_uart() {
  uart_ = false;
  answers_.clear();
}

void Mpu401::reset(GuestTime now) {
  leave_uart();
  midi_.reset(now);
}

void Mpu401::state(StateArchive& archive, GuestTime now) {
  archive.field("uart", uart_);
  answers_.state(archive, "answers");
  archive.group("midi", [&] { midi_.state(archive, now); });
}

u8 Mpu401::read(u64 offset) {
  if (offset != 0) return answers_.empty() ? kNothingToRead | 0x3F : 0x3F;
  return answers_.empty() ? kAcknowledge : answers_.pop();
}

void Mpu401::write(GuestTime now, u64 offset, u8 value) {
  if (offset == 0) {
    if (uart_) midi_.put(now, value);
    return;
  }
  if (value == kReset) {
    // A reset that leaves the UART mode is not acknowledged.
    const bool silent = uart_;
    leave_uart();  // what sounds sounds on
    if (!silent) answers_.push(kAcknowledge);
    return;
  }
  if (uart_) return;
  uart_ = value == kEnterUart;
  answers_.push(kAcknowledge);
}

}  // namespace relic86
