// A voice whose source stands at a level until it jumps to another one, at any moment: the speaker, a DAC written by
// the processor. Each jump is put in as a band-limited step at its exact place between two frames, so that square waves
// do not alias and pulse-width modulation gives the samples that it stands for.
#pragma once

#include <vector>

#include "audio/mix_input.h"

namespace relic86 {

class LevelVoice final : public LevelSink, public MixInput {
 public:
  LevelVoice(const MixTimeline& timeline, SoundSource* source);

  void level(GuestTime at, StereoFrame level) override;

  void advance(GuestTime now) override;
  void mix(i64 first, std::span<StereoFrame> sum) override;
  i64 next_frame() const override;
  bool active() const override;
  void restart() override;

 private:
  struct Channel {
    double output = 0;  // without the constant part
  };
  double step(Channel& channel, double jump) const;

  const MixTimeline& timeline_;
  SoundSource* source_;
  StereoFrame last_;
  std::vector<StereoFrame> jumps_;  // band-limited, frame by frame from first_jump_ on
  i64 first_jump_ = 0;
  Channel left_, right_;
  double decay_;  // of a constant level, a frame
  bool quiet_ = true;
};

}  // namespace relic86
