// The synthesizer of a YMF262 (OPL3): 36 operators, as the Nuked OPL3 emulator computes them. It is no device: it knows
// neither ports nor time.
#pragma once

#include <memory>
#include <span>

#include "devices/sound_sinks.h"

struct _opl3_chip;

namespace relic86 {

class Opl3Chip {
 public:
  static constexpr unsigned kRegisters = 512;  // two arrays of 256
  // 14.31818 MHz / 288: frames that it makes a second.
  static constexpr SampleRate kRate{49716, 1};

  Opl3Chip();
  ~Opl3Chip();

  void reset();
  void write(u16 index, u8 value);  // index: 0 to 1FFh
  void generate(std::span<StereoFrame> frames);

 private:
  std::unique_ptr<_opl3_chip> chip_;
};

}  // namespace relic86
