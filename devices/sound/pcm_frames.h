// Samples as sound cards read them from memory, made into frames.
#pragma once

#include <span>
#include <vector>

#include "devices/sound_sinks.h"

namespace relic86 {

struct PcmLayout {
  u8 sample_bytes = 2;  // 1, 2 or 4; the most significant bits are those that count
  bool is_signed = true;
  u8 channels = 2;         // of a frame, 1 at least
  u8 left = 0, right = 1;  // which of them are heard

  std::size_t frame_bytes() const { return std::size_t{sample_bytes} * channels; }
};

// The whole frame is heard: one channel on both sides, or left and right.
enum class PcmChannels : u8 { Mono = 1, Stereo = 2 };
PcmLayout pcm_layout(PcmChannels channels, unsigned sample_bytes, bool is_signed);

// Replaces what is in frames; a frame that is not whole at the end is left out.
void decode_pcm(std::span<const u8> bytes, const PcmLayout& layout, StereoFrame gain, std::vector<StereoFrame>& frames);

}  // namespace relic86
