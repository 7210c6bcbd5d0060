// What a machine's MIDI outputs play: a synthesizer that is mixed with the other sounds, or a character device.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "audio/synthesizer.h"
#include "devices/host_sinks.h"

namespace relic86 {

class MidiVoice final : public MidiInstrument, public SoundSource {
 public:
  static constexpr SampleRate kRate{44100, 1};

  // host: where the synthesizer is heard; null: nowhere.
  explicit MidiVoice(SoundHost* host);

  // Both before the first message.
  void connect(std::unique_ptr<Synthesizer> synthesizer) { synthesizer_ = std::move(synthesizer); }
  void connect(CharSink* line) { line_ = line; }
  bool heard() const { return sink_ != nullptr; }  // false: a synthesizer would be mute
  // What the user is told at the first note, once, if nothing plays it.
  void set_advice(std::string advice) { advice_ = std::move(advice); }

  void play(GuestTime at, std::span<const u8> message) override;
  void reset(GuestTime at) override;
  void set_gain(GuestTime at, StereoFrame gain) override;

  void produce(GuestTime until) override;
  bool sounding() const override { return quiet_frames_ < kEcho; }

 private:
  static constexpr u32 kEcho = 4 * kRate.numerator;  // frames after the last voice until the echo is over

  void wake(GuestTime at);
  void put(std::span<const u8> bytes);

  SoundSink* sink_ = nullptr;
  CharSink* line_ = nullptr;
  std::unique_ptr<Synthesizer> synthesizer_;
  std::string advice_;
  StereoFrame gain_{1, 1};
  u64 next_frame_ = 0;  // since the machine's start
  u32 quiet_frames_ = kEcho;
  std::vector<StereoFrame> frames_;
};

}  // namespace relic86
