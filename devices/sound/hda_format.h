// The format of a stream (High Definition Audio Specification 1.0a, 3.7.1), as the controller's stream descriptors and
// the codecs' converters have it.
#pragma once

#include "devices/sound_sinks.h"

namespace relic86 {

struct HdaFormat {
  // 14 base rate 44.1 kHz, 13:11 multiple less one, 10:8 divisor less one, 6:4 bits of a sample, 3:0 channels less one.
  static constexpr u16 kBits = 0x7F7F;
  static constexpr u32 kLeastRate = 5512, kMostRate = 192000;  // that the fields can say

  u16 raw = 0;

  u32 rate() const {
    constexpr u32 kBase48 = 48000, kBase44 = 44100, kMostMultiple = 4;
    const u32 multiple = (raw >> 11 & 7u) + 1;
    const u32 base = (raw & 0x4000) != 0 ? kBase44 : kBase48;
    return base * (multiple > kMostMultiple ? kMostMultiple : multiple) / ((raw >> 8 & 7u) + 1);
  }
  unsigned channels() const { return (raw & 15u) + 1; }
  // 8 and 16 bits take as many; 20, 24 and 32 take 32, of which the upper ones count.
  unsigned sample_bytes() const {
    constexpr u8 kBytes[] = {1, 2, 4, 4, 4, 2, 2, 2};  // the last three are reserved
    return kBytes[raw >> 4 & 7u];
  }
  unsigned frame_bytes() const { return channels() * sample_bytes(); }
};

}  // namespace relic86
