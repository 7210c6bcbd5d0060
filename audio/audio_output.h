// Where mixed sound goes: a file, or the host's sound system. Called on the machine's thread.
#pragma once

#include <span>

#include "devices/sound_sinks.h"

namespace relic86 {

class AudioOutput {
 public:
  virtual ~AudioOutput() = default;

  // The next frames at the output's rate; never waits.
  virtual void write(std::span<const StereoFrame> frames) = 0;
  // As many frames of silence, which may be hours of them.
  virtual void silence(u64 frames) = 0;
  // Nothing sounds now; how long the silence lasts is told afterwards.
  virtual void rest() {}
};

}  // namespace relic86
