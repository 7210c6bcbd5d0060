// A voice that plays samples of any rate: they are brought to the mixer's rate and put where their time is.
#pragma once

#include <optional>
#include <vector>

#include "audio/mix_input.h"
#include "audio/resampler.h"

namespace relic86 {

class SampleVoice final : public SoundSink, public MixInput {
 public:
  SampleVoice(const MixTimeline& timeline, SoundSource* source) : timeline_(timeline), source_(source) {}

  void play(GuestTime at, SampleRate rate, std::span<const StereoFrame> frames) override;
  void cut(GuestTime at) override;

  void advance(GuestTime now) override;
  void mix(i64 first, std::span<StereoFrame> sum) override;
  i64 next_frame() const override { return waiting_.empty() ? kNone : first_waiting_; }
  bool active() const override;
  void restart() override;

 private:
  void begin_run(GuestTime at, SampleRate rate);
  void end_run();
  void take_up();  // the last piece, which cannot be cut any more
  void hold(u64 frames);
  void deposit();  // scratch_ at next_frame_

  const MixTimeline& timeline_;
  SoundSource* source_;
  std::optional<Resampler> resampler_;  // absent: no run, that is no unbroken stream of samples
  SampleRate rate_;
  GuestTime run_start_ = 0;
  u64 run_frames_ = 0;  // played since then, at the voice's rate
  StereoFrame last_;
  i64 next_frame_ = 0;              // where the resampler's next frame goes
  std::vector<StereoFrame> piece_;  // what was handed over last
  GuestTime piece_at_ = 0;
  SampleRate piece_rate_;
  std::vector<StereoFrame> scratch_;
  std::vector<StereoFrame> waiting_;  // made and not mixed yet, from first_waiting_ on
  i64 first_waiting_ = 0;
};

}  // namespace relic86
