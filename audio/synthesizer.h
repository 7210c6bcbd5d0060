// Between the program and a synthesizer of MIDI, which is a library of its own (relic86-midi.so): loaded when a machine
// has a MIDI output.
#pragma once

#include <string>

#include "devices/sound_sinks.h"

namespace relic86 {

class Synthesizer {
 public:
  virtual ~Synthesizer() = default;

  // One whole message: a status byte with its data, or F0h to F7h.
  virtual void message(std::span<const u8> bytes) = 0;
  virtual void reset() = 0;
  virtual void render(std::span<StereoFrame> frames) = 0;
  virtual bool sounding() const = 0;  // a voice is heard, leaving out its echo
};

struct SynthesizerSettings {
  std::string soundfont;  // a file
  double gain = 1;
  u32 rate = 44100;  // frames a second
};

// The library's entry point, "relic86_open_synthesizer". On failure it returns null and says why in error.
using OpenSynthesizer = Synthesizer*(const SynthesizerSettings& settings, std::string& error);

}  // namespace relic86
