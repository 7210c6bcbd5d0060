#include "devices/sound/sample_run.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr GuestTime kPiece = 1'000'000, kLost = 100'000'000;
// Of loaded states: no sum overflows.
constexpr GuestTime kLatestStart = GuestTime{1} << 61;
constexpr u64 kMostFrames = u64{1} << 44;  // more than a decade of them
}  // namespace

void SampleRun::begin(GuestTime start, u32 rate) {
  start_ = start;
  frames_ = 0;
  rate_ = rate;
}

void SampleRun::resume(GuestTime now, GuestTime late, u32 rate) {
  if (late > kLost) {
    begin(now, rate);
  } else if (rate != rate_) {
    begin(now - late, rate);
  }
}

u32 SampleRun::piece() const { return std::max<u32>(1, static_cast<u32>(rate().frames_in(kPiece))); }

void SampleRun::state(StateArchive& archive, u32 least, u32 most) {
  archive.field("start", start_);
  archive.field("frames", frames_);
  archive.field("rate", rate_);
  if (!archive.loading()) return;
  start_ = std::clamp<GuestTime>(start_, 0, kLatestStart);
  frames_ = std::min(frames_, kMostFrames);
  rate_ = std::clamp(rate_, least, most);
}

}  // namespace relic86
