// What a compact disc has beside the bytes of its data track: several tracks, some of them sound.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

inline constexpr u32 kCdFramesPerSecond = 75;
inline constexpr u32 kCdFrameBytes = 2352;  // of sound: 588 samples of 16 bits for each of two channels, left first

struct DiscTrack {
  u8 number = 1;
  bool audio = false;
  u32 first = 0;  // sector of its index 1
};

class CompactDisc {
 public:
  virtual const std::vector<DiscTrack>& tracks() const = 0;  // at least one, in the order of their sectors
  // A sector of an audio track, 2352 bytes; pauses that the image does not hold are silence.
  virtual Result<> read_audio(u32 sector, std::span<u8> into) = 0;

 protected:
  ~CompactDisc() = default;
};

}  // namespace relic86
