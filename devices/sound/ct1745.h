// The CT1745 mixer of a Sound Blaster 16: volumes, and the choice of its interrupt and DMA channels. The card shows it
// at two ports; it is no device by itself.
#pragma once

#include <array>

#include "base/state_archive.h"
#include "devices/sound_sinks.h"

namespace relic86 {

class Ct1745 {
 public:
  // What the board's jumpers would say; the driver may choose others.
  struct Wiring {
    u8 irq = 5;    // 2, 5, 7 or 10
    u8 dma8 = 1;   // 0, 1 or 3
    u8 dma16 = 5;  // 5, 6 or 7
  };
  enum InterruptStatus : u8 { kDma8 = 1, kDma16 = 2, kMpu = 4 };

  void reset(const Wiring& wiring);
  void state(StateArchive& archive);

  void select(u8 index) { index_ = index; }
  u8 read() const;
  // True: a volume or a channel changed.
  void write(u8 value);

  void set_interrupt(InterruptStatus source, bool pending);
  bool interrupt(InterruptStatus source) const { return (status_ & source) != 0; }
  bool any_interrupt() const { return status_ != 0; }

  unsigned irq() const;
  unsigned dma8() const;
  unsigned dma16() const;  // an 8-bit channel where no other is chosen

  // Factors by which a source's samples leave the card.
  StereoFrame voice_gain() const { return gain(kVoice); }
  StereoFrame midi_gain() const { return gain(kMidi); }
  StereoFrame cd_gain() const;

 private:
  static constexpr u8 kVoice = 0x32, kMidi = 0x34, kCd = 0x36, kOutputSwitches = 0x3C;

  void reset_volumes();
  StereoFrame gain(u8 source) const;

  std::array<u8, 256> registers_{};
  u8 index_ = 0;
  u8 status_ = 0;
};

}  // namespace relic86
