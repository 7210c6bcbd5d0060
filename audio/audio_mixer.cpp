#include "audio/audio_mixer.h"

#include <algorithm>
#include <array>

#include "audio/level_voice.h"
#include "audio/sample_voice.h"

namespace relic86 {

namespace {
constexpr GuestTime kSecond = 1'000'000'000;
constexpr std::size_t kPiece = 512;  // frames mixed at once
}  // namespace

void AudioMixer::connect(std::unique_ptr<AudioOutput> output, GuestTime now) {
  output_ = std::move(output);
  frontier_ = 0;
  origin_ = advanced_ = now;
}

SoundSink& AudioMixer::add_voice(SoundSource* source) {
  auto voice = std::make_unique<SampleVoice>(timeline(), source);
  SoundSink& sink = *voice;
  inputs_.push_back(std::move(voice));
  return sink;
}

LevelSink& AudioMixer::add_level(SoundSource* source) {
  auto voice = std::make_unique<LevelVoice>(timeline(), source);
  LevelSink& sink = *voice;
  inputs_.push_back(std::move(voice));
  return sink;
}

// Whole seconds apart: a double holds the frames of years, but not their fractions in nanoseconds.
double AudioMixer::frame_at(GuestTime at) const {
  const GuestTime since = at - origin_;
  return static_cast<double>(since / kSecond * settings_.rate) +
         static_cast<double>(since % kSecond) * settings_.rate / static_cast<double>(kSecond);
}

bool AudioMixer::active() const {
  return std::any_of(inputs_.begin(), inputs_.end(), [](const auto& input) { return input->active(); });
}

GuestTime AudioMixer::next_advance() const {
  return output_ != nullptr && (!resting_ || active()) ? advanced_ + settings_.period : kNever;
}

void AudioMixer::advance(GuestTime now) {
  if (output_ == nullptr) return;
  for (const auto& input : inputs_) input->advance(now);
  advanced_ = now;
  // While nothing sounds time passes by itself: the silence is told when it is over.
  if (!active()) {
    if (!resting_) output_->rest();
    if (!resting_ && recording_) recording_->rest();
    resting_ = true;
    return;
  }
  resting_ = false;
  mix_until(static_cast<i64>(frame_at(now - settings_.delay)));
}

void AudioMixer::mix_until(i64 end) {
  std::array<StereoFrame, kPiece> sum;
  while (frontier_ < end) {
    i64 next = MixInput::kNone;
    for (const auto& input : inputs_) next = std::min(next, input->next_frame());
    if (next > frontier_) {
      const i64 silent = std::min(next, end) - frontier_;
      output_->silence(static_cast<u64>(silent));
      if (recording_) recording_->silence(static_cast<u64>(silent));
      frontier_ += silent;
      continue;
    }
    const auto count = static_cast<std::size_t>(std::min<i64>(end - frontier_, kPiece));
    std::fill_n(sum.begin(), count, StereoFrame{});
    const std::span<StereoFrame> piece(sum.data(), count);
    for (const auto& input : inputs_) input->mix(frontier_, piece);
    frontier_ += static_cast<i64>(count);
    if (recording_) recording_->write(piece);
    if (gain_ != 1) {
      for (StereoFrame& frame : piece) frame = {frame.left * gain_, frame.right * gain_};
    }
    output_->write(piece);
  }
}

void AudioMixer::record(std::unique_ptr<AudioOutput> recording, GuestTime now) {
  finish(now);  // what was played until now belongs to what was recorded before
  recording_ = std::move(recording);
}

void AudioMixer::finish(GuestTime now) {
  if (output_ == nullptr) return;
  for (const auto& input : inputs_) input->advance(now);
  mix_until(static_cast<i64>(frame_at(now)));
}

void AudioMixer::restart(GuestTime now) {
  for (const auto& input : inputs_) input->restart();
  origin_ = now - SampleRate{settings_.rate}.time_of(static_cast<u64>(frontier_));
  advanced_ = now;
}

}  // namespace relic86
