#include "audio/paced_ring.h"

#include <algorithm>
#include <cmath>

namespace relic86 {

namespace {
constexpr double kFillWeight = 0.02;       // of a look at the fill in its mean
constexpr double kTolerance = 0.25;        // of the target: no correction within
constexpr double kMostCorrection = 0.004;  // of the rate; nobody hears 7 cents that come slowly
constexpr float kFade = 0.98f;             // a frame, where the sound breaks off
constexpr u32 kLookAhead = 3;              // frames that interpolation needs
}  // namespace

PacedRing::PacedRing(const Settings& settings) : settings_(settings), ring_(settings.most + kLookAhead + 1) {}

void PacedRing::push(StereoFrame frame) {
  if (count_ >= settings_.most) {
    while (count_ > settings_.target) pop();
  }
  ring_[(first_ + count_++) % ring_.size()] = frame;
}

void PacedRing::pop() {
  before_ = at(0);
  first_ = static_cast<u32>((first_ + 1) % ring_.size());
  count_--;
}

void PacedRing::write(std::span<const StereoFrame> frames) {
  std::lock_guard lock(mutex_);
  resting_ = false;
  for (const StereoFrame& frame : frames) push(frame);
}

void PacedRing::silence(u64 frames) {
  std::lock_guard lock(mutex_);
  // The silence of a rest is told when it is over: the host has heard it.
  if (!resting_) {
    for (u64 i = std::min<u64>(frames, settings_.most); i > 0; i--) push({});
  }
  resting_ = false;
}

void PacedRing::rest() {
  std::lock_guard lock(mutex_);
  resting_ = true;
}

// Frames of the ring that one frame of the host takes.
double PacedRing::pace() {
  fill_ += kFillWeight * (count_ - fill_);
  const double error = (fill_ - settings_.target) / settings_.target;
  if (std::abs(error) < kTolerance) return 1;
  return 1 + std::clamp(error, -1.0, 1.0) * kMostCorrection;
}

// Cubic, through four frames (Catmull-Rom).
StereoFrame PacedRing::interpolated() const {
  const auto x = static_cast<float>(position_);
  if (x == 0) return at(0);
  const auto between = [x](float a, float b, float c, float d) {
    return b + 0.5f * x * (c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a)));
  };
  const StereoFrame b = at(0), c = at(1), d = at(2);
  return {between(before_.left, b.left, c.left, d.left), between(before_.right, b.right, c.right, d.right)};
}

void PacedRing::read(std::span<StereoFrame> frames) {
  std::lock_guard lock(mutex_);
  if (!playing_ && (count_ >= settings_.target || (resting_ && count_ >= kLookAhead))) {
    playing_ = true;
    fill_ = settings_.target;
    position_ = 0;
    before_ = last_;
  }
  const double step = playing_ ? pace() : 1;
  for (StereoFrame& frame : frames) {
    if (playing_ && count_ < kLookAhead) {
      playing_ = false;
      if (!resting_) underruns_++;
    }
    if (!playing_) {
      last_ = {last_.left * kFade, last_.right * kFade};
      frame = last_;
      continue;
    }
    frame = last_ = interpolated();
    position_ += step;
    for (; position_ >= 1; position_ -= 1) pop();
  }
}

u64 PacedRing::underruns() const {
  std::lock_guard lock(mutex_);
  return underruns_;
}

u32 PacedRing::waiting() const {
  std::lock_guard lock(mutex_);
  return count_;
}

}  // namespace relic86
