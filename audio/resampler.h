// Conversion of a stereo stream between any two rates, with the band limited to what both can carry.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "devices/sound_sinks.h"

struct SpeexResamplerState_;

namespace relic86 {

class Resampler {
 public:
  // to: frames a second.
  Resampler(SampleRate from, u32 to);
  ~Resampler();

  // Appends what the frames make. The first frame out stands for the moment of the first one in; the last ones stay
  // inside until more comes (some 32 frames of the lower rate).
  void process(std::span<const StereoFrame> frames, std::vector<StereoFrame>& out);
  // Appends what is inside, as if silence followed. Nothing may be processed after it.
  void drain(std::vector<StereoFrame>& out);

 private:
  struct Delete {
    void operator()(SpeexResamplerState_* state) const;
  };
  std::unique_ptr<SpeexResamplerState_, Delete> state_;  // null: both rates are the same
};

}  // namespace relic86
