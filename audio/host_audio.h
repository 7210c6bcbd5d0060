// Between the program and the host's sound system, which is reached through a library of its own (relic86-sdl.so), so
// that headless runs load none.
#pragma once

#include <string>

#include "audio/audio_output.h"

namespace relic86 {

struct HostAudioSettings {
  u32 rate = 44100;       // frames a second
  unsigned channels = 2;  // 1: both channels' mean
  u32 buffer_us = 0;      // how long frames wait for the host, in microseconds; 0: as short as is safe
};

// The library's entry point for sound, "relic86_open_audio". On failure it returns null and says why in error.
using OpenAudio = AudioOutput*(const HostAudioSettings& settings, std::string& error);

}  // namespace relic86
