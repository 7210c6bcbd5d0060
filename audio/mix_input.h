// One input of a mixer: it makes frames at the mixer's rate, numbered from the mixer's start.
#pragma once

#include <limits>
#include <span>

#include "devices/sound_sinks.h"

namespace relic86 {

class MixInput {
 public:
  static constexpr i64 kNone = std::numeric_limits<i64>::max();

  virtual ~MixInput() = default;

  // Brings the input up to this moment.
  virtual void advance(GuestTime now) = 0;
  // Adds its frames [first, first + sum.size()) and forgets them. Every call continues the one before.
  virtual void mix(i64 first, std::span<StereoFrame> sum) = 0;
  // The first frame that is not silence; kNone: there is none.
  virtual i64 next_frame() const = 0;
  // True while frames may come without the guest doing anything.
  virtual bool active() const = 0;
  // Guest time jumped: what was not mixed yet is dropped.
  virtual void restart() = 0;
};

// What an input needs to know of its mixer.
class MixTimeline {
 public:
  virtual u32 rate() const = 0;                     // frames a second
  virtual double frame_at(GuestTime at) const = 0;  // with its fraction
  virtual i64 frontier() const = 0;                 // the first frame that is not mixed yet
  virtual bool heard() const = 0;                   // false: nobody takes the frames, none need be made

 protected:
  ~MixTimeline() = default;
};

}  // namespace relic86
