// The pace of a card that moves its samples by itself: an unbroken run of frames at one rate. The card moves a piece at
// the moment when the first frame of it sounds. Moments are computed from the start of the run, so that nothing drifts.
#pragma once

#include "base/state_archive.h"
#include "devices/sound_sinks.h"

namespace relic86 {

class SampleRun {
 public:
  // rate: frames a second.
  explicit SampleRun(u32 rate) : rate_(rate) {}

  // The next frame sounds at that moment.
  void begin(GuestTime start, u32 rate);
  // A piece is due, and comes `late` nanoseconds after its moment. Another rate is a new run from there on; after a time
  // that is too long to be made up for, one begins now.
  void resume(GuestTime now, GuestTime late, u32 rate);
  void moved(u64 frames) { frames_ += frames; }

  GuestTime next() const { return start_ + rate().time_of(frames_); }  // when the frame after those moved sounds
  SampleRate rate() const { return {rate_}; }
  // Frames of a piece, 1 at least: a millisecond, because drivers look at counters in between.
  u32 piece() const;

  // least and most: rates that the card has.
  void state(StateArchive& archive, u32 least, u32 most);

 private:
  GuestTime start_ = 0;
  u64 frames_ = 0;  // moved since then
  u32 rate_;
};

}  // namespace relic86
