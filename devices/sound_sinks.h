// How sound leaves a device: as samples or as levels on the line of guest time. Owned by devices/, implemented by
// audio/ (or by a test). The host's side never changes what a guest sees: a device without one behaves alike.
#pragma once

#include <span>

#include "base/types.h"

namespace relic86 {

// One sample of each channel; full scale is -1 to 1, what goes beyond is clipped where everything is mixed.
struct StereoFrame {
  float left = 0, right = 0;

  friend bool operator==(const StereoFrame&, const StereoFrame&) = default;
};

// Frames a second, as a fraction: 1000000/91 of a Sound Blaster's time constant 165.
struct SampleRate {
  u32 numerator = 0;
  u32 denominator = 1;

  friend bool operator==(const SampleRate&, const SampleRate&) = default;
  // Guest time that so many frames take, in nanoseconds, rounded down. frames: at most 2^53.
  GuestTime time_of(u64 frames) const {
    const auto wide = static_cast<unsigned __int128>(frames) * denominator * 1'000'000'000u;
    return static_cast<GuestTime>(wide / numerator);
  }
  // Whole frames in so much time (0 or more).
  u64 frames_in(GuestTime span) const {
    const auto wide = static_cast<unsigned __int128>(span) * numerator;
    return static_cast<u64>(wide / (static_cast<unsigned __int128>(denominator) * 1'000'000'000u));
  }
};

// Takes a stream of samples.
class SoundSink {
 public:
  // The first frame stands for the moment `at`, the others follow at the rate. Frames that continue those of the call
  // before (`at` is where they ended) join without a seam; the last one is held over a gap of a few milliseconds, a
  // longer one is silence. Moments never go backwards.
  virtual void play(GuestTime at, SampleRate rate, std::span<const StereoFrame> frames) = 0;

 protected:
  ~SoundSink() = default;
};

// Takes an output that stands at a level until it changes: the speaker's cone, a DAC that the processor writes to.
class LevelSink {
 public:
  virtual void level(GuestTime at, StereoFrame level) = 0;  // moments never go backwards

 protected:
  ~LevelSink() = default;
};

// A device that sounds on by itself: asked from time to time to hand over what it has made until now.
class SoundSource {
 public:
  virtual void produce(GuestTime until) = 0;
  // False: nothing is heard before the guest does something.
  virtual bool sounding() const = 0;

 protected:
  ~SoundSource() = default;
};

// A musical instrument that is played by MIDI messages (MIDI 1.0 Detailed Specification). Moments never go backwards.
class MidiInstrument {
 public:
  // One whole message: a status byte with its data, or F0h to F7h.
  virtual void play(GuestTime at, std::span<const u8> message) = 0;
  // As if it had been switched on just now.
  virtual void reset(GuestTime at) = 0;
  // The volume that a card's mixer gives it.
  virtual void set_gain(GuestTime at, StereoFrame gain) = 0;

 protected:
  ~MidiInstrument() = default;
};

// The cable from a CD-ROM drive to a sound card, whose mixer says how loud the drive is heard.
class SoundInput {
 public:
  virtual void set_gain(GuestTime at, StereoFrame gain) = 0;  // moments never go backwards

 protected:
  ~SoundInput() = default;
};

// Where a sound card is plugged in. What it makes lives as long as the host's side does, which is longer than the card.
class SoundHost {
 public:
  virtual SoundSink& add_voice(SoundSource* source) = 0;  // null: the device calls play() in time by itself
  virtual LevelSink& add_level(SoundSource* source) = 0;

 protected:
  ~SoundHost() = default;
};

}  // namespace relic86
