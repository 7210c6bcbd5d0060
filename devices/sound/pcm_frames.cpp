#include "devices/sound/pcm_frames.h"

#include "base/assert.h"

namespace relic86 {

namespace {

// In the upper bits of 32, signed: full scale is the same for all widths.
float sample(const u8* at, const PcmLayout& layout) {
  u32 value = 0;
  for (unsigned i = 0; i < layout.sample_bytes; i++) value |= u32{at[i]} << ((4 - layout.sample_bytes + i) * 8);
  if (!layout.is_signed) value ^= 0x80000000u;
  return static_cast<float>(static_cast<i32>(value)) / 2147483648.0f;
}

}  // namespace

PcmLayout pcm_layout(PcmChannels channels, unsigned sample_bytes, bool is_signed) {
  return {.sample_bytes = static_cast<u8>(sample_bytes),
          .is_signed = is_signed,
          .channels = static_cast<u8>(channels),
          .left = 0,
          .right = static_cast<u8>(static_cast<u8>(channels) - 1)};
}

void decode_pcm(std::span<const u8> bytes, const PcmLayout& layout, StereoFrame gain,
                std::vector<StereoFrame>& frames) {
  RELIC86_ASSERT(layout.left < layout.channels && layout.right < layout.channels);
  const std::size_t count = bytes.size() / layout.frame_bytes();
  frames.clear();
  frames.reserve(count);
  for (std::size_t i = 0; i < count; i++) {
    const u8* const frame = bytes.data() + i * layout.frame_bytes();
    frames.push_back({sample(frame + std::size_t{layout.left} * layout.sample_bytes, layout) * gain.left,
                      sample(frame + std::size_t{layout.right} * layout.sample_bytes, layout) * gain.right});
  }
}

}  // namespace relic86
