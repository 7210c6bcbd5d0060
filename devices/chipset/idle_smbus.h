// The registers of an SMBus host controller on whose bus nobody answers (Intel 82371AB 7.3; ICH9 18.2): HSTSTS at 0
// reads the device-error bit (2) after a start (HSTCNT at 2, bit 6) until it is cleared; the others are scratch.
#pragma once

#include <algorithm>
#include <array>

#include "base/state_archive.h"

namespace relic86 {

class IdleSmbus {
 public:
  void reset() { registers_.fill(0); }
  void state(StateArchive& archive) { archive.bytes("smbus", registers_); }
  u8 read(u64 offset) const { return offset < registers_.size() ? registers_[offset] : u8{0}; }
  void write(u64 offset, u8 byte) {
    if (offset >= registers_.size()) return;
    if (offset == kStatus) {
      registers_[kStatus] = static_cast<u8>(registers_[kStatus] & ~byte);
      return;
    }
    registers_[offset] = byte;
    if (offset != kControl || (byte & kStart) == 0) return;
    registers_[kStatus] |= kDeviceError;
    registers_[kControl] = static_cast<u8>(byte & ~kStart);
  }

 private:
  enum Register : u8 { kStatus = 0, kControl = 2 };
  enum Bit : u8 { kDeviceError = 0x04, kStart = 0x40 };
  std::array<u8, 14> registers_{};
};

}  // namespace relic86
