#include "audio/sample_voice.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace relic86 {

namespace {
// A converter holds its last sample for the moment in which the processor begins the next block. What comes later than
// this is another stream; what comes early waits for its turn.
constexpr GuestTime kHeld = 3'000'000;
// A stream whose end is this long ago is over.
constexpr GuestTime kOver = 3'000'000;
// Frames beyond the frontier that a voice keeps: a device that runs ahead of its time loses what goes beyond.
constexpr i64 kMostWaitingSeconds = 2;
}  // namespace

void SampleVoice::play(GuestTime at, SampleRate rate, std::span<const StereoFrame> frames) {
  if (!timeline_.heard() || frames.empty()) return;
  take_up();
  piece_.assign(frames.begin(), frames.end());
  piece_at_ = at;
  piece_rate_ = rate;
}

void SampleVoice::cut(GuestTime at) {
  if (piece_.empty()) return;
  const u64 kept = piece_rate_.frames_in(std::max<GuestTime>(0, at - piece_at_));
  if (kept < piece_.size()) piece_.resize(kept);
  take_up();
}

void SampleVoice::take_up() {
  if (piece_.empty()) return;
  const GuestTime gap = resampler_ ? piece_at_ - (run_start_ + rate_.time_of(run_frames_)) : 0;
  if (!resampler_ || piece_rate_ != rate_ || std::abs(gap) > kHeld) {
    end_run();
    begin_run(piece_at_, piece_rate_);
  } else if (gap > 0) {
    hold(rate_.frames_in(gap + rate_.time_of(1) / 2));
  }
  last_ = piece_.back();
  run_frames_ += piece_.size();
  resampler_->process(piece_, scratch_);
  piece_.clear();
  deposit();
}

void SampleVoice::hold(u64 frames) {
  const std::vector<StereoFrame> held(frames, last_);
  resampler_->process(held, scratch_);
  run_frames_ += frames;
}

void SampleVoice::begin_run(GuestTime at, SampleRate rate) {
  rate_ = rate;
  run_start_ = at;
  run_frames_ = 0;
  resampler_.emplace(rate, timeline_.rate());
  next_frame_ = std::llround(timeline_.frame_at(at));
}

void SampleVoice::end_run() {
  if (!resampler_) return;
  resampler_->drain(scratch_);
  deposit();
  resampler_.reset();
}

// Streams may overlap by what the filter makes of their ends: they are added.
void SampleVoice::deposit() {
  next_frame_ = std::max(next_frame_, timeline_.frontier());
  if (waiting_.empty()) first_waiting_ = next_frame_;
  if (next_frame_ < first_waiting_) {
    waiting_.insert(waiting_.begin(), static_cast<std::size_t>(first_waiting_ - next_frame_), StereoFrame{});
    first_waiting_ = next_frame_;
  }
  const auto offset = static_cast<std::size_t>(next_frame_ - first_waiting_);
  const auto most = static_cast<std::size_t>(kMostWaitingSeconds * timeline_.rate());
  if (offset + scratch_.size() <= most) {
    if (waiting_.size() < offset + scratch_.size()) waiting_.resize(offset + scratch_.size());
    for (std::size_t i = 0; i < scratch_.size(); i++) {
      waiting_[offset + i].left += scratch_[i].left;
      waiting_[offset + i].right += scratch_[i].right;
    }
  }
  next_frame_ += static_cast<i64>(scratch_.size());
  scratch_.clear();
}

void SampleVoice::advance(GuestTime now) {
  if (source_ != nullptr) source_->produce(now);
  if (!piece_.empty() && piece_at_ + piece_rate_.time_of(piece_.size()) <= now) take_up();
  if (resampler_ && piece_.empty() && now - (run_start_ + rate_.time_of(run_frames_)) > kOver) end_run();
}

void SampleVoice::mix(i64 first, std::span<StereoFrame> sum) {
  if (waiting_.empty()) return;
  const i64 end = first + static_cast<i64>(sum.size());
  const auto count =
      static_cast<std::size_t>(std::clamp<i64>(end - first_waiting_, 0, static_cast<i64>(waiting_.size())));
  const auto place = static_cast<std::size_t>(std::max<i64>(0, first_waiting_ - first));
  for (std::size_t i = 0; i < count; i++) {
    sum[place + i].left += waiting_[i].left;
    sum[place + i].right += waiting_[i].right;
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  first_waiting_ += static_cast<i64>(count);
}

bool SampleVoice::active() const {
  return resampler_.has_value() || !piece_.empty() || !waiting_.empty() || (source_ != nullptr && source_->sounding());
}

void SampleVoice::restart() {
  resampler_.reset();
  piece_.clear();
  scratch_.clear();
  waiting_.clear();
}

}  // namespace relic86
