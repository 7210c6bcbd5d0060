// The mixer of one -audiodev: sums what the devices play, on the line of guest time, and hands it to the output.
//
// Frame n stands for guest time n / rate since the machine's start (or since a saved machine was loaded), so that what
// is heard does not depend on how fast the host is. Mixing is done some milliseconds after the time it is for: devices
// hand over what they play in pieces, and filters look ahead.
#pragma once

#include <memory>
#include <vector>

#include "audio/audio_output.h"
#include "audio/mix_input.h"

namespace relic86 {

struct MixerSettings {
  u32 rate = 44100;              // frames a second of the output
  GuestTime period = 5'000'000;  // how often it is mixed while something sounds
  GuestTime delay = 20'000'000;  // how long after its time a frame is mixed
};

class AudioMixer final : public SoundHost, private MixTimeline {
 public:
  explicit AudioMixer(const MixerSettings& settings) : settings_(settings) {}

  // Without an output nothing is mixed. now: from when on it is given frames.
  void connect(std::unique_ptr<AudioOutput> output, GuestTime now);
  bool connected() const { return output_ != nullptr; }
  u32 output_rate() const { return settings_.rate; }
  // What the user hears of it, 0 to 1; recordings do not change.
  void set_gain(float gain) { gain_ = gain; }
  // What is mixed from now on goes there, too; null: nowhere else. The output is connected.
  void record(std::unique_ptr<AudioOutput> recording, GuestTime now);

  SoundSink& add_voice(SoundSource* source) override;
  LevelSink& add_level(SoundSource* source) override;

  // When it wants to be advanced next; kNever (INT64_MAX): not before the guest does something.
  GuestTime next_advance() const;
  // Mixes what is due at this moment of guest time.
  void advance(GuestTime now);
  // The same, up to the moment itself: the run is over.
  void finish(GuestTime now);
  // Guest time jumped to this moment (a saved machine was loaded): the output goes on from here.
  void restart(GuestTime now);

 private:
  static constexpr GuestTime kNever = INT64_MAX;

  u32 rate() const override { return settings_.rate; }
  double frame_at(GuestTime at) const override;
  i64 frontier() const override { return frontier_; }
  bool heard() const override { return output_ != nullptr; }

  const MixTimeline& timeline() const { return *this; }
  bool active() const;
  void mix_until(i64 end);

  MixerSettings settings_;
  std::unique_ptr<AudioOutput> output_;
  std::unique_ptr<AudioOutput> recording_;
  float gain_ = 1;  // of output_
  std::vector<std::unique_ptr<MixInput>> inputs_;
  i64 frontier_ = 0;        // the first frame that is not mixed yet
  GuestTime origin_ = 0;    // the moment of frame 0
  GuestTime advanced_ = 0;  // the last advance
  bool resting_ = true;
};

}  // namespace relic86
