#include "audio/level_voice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace relic86 {

namespace {

// A step is the running sum of a low-pass filter's impulse: sinc under a Blackman window, in as many versions as there
// are places between two frames.
constexpr int kTaps = 32;
constexpr int kPhases = 64;
constexpr double kCutOff = 0.9;  // of half the frame rate

// A loudspeaker does not hold a constant level: it fades, and no tone that is heard loses anything by it (Hz).
constexpr double kLowestFrequency = 20;
constexpr double kInaudible = 1e-5;

using Kernel = std::array<std::array<float, kTaps>, kPhases + 1>;

// The windowed sinc at x frames from its middle; 0 beyond the taps.
double impulse(double x) {
  using std::numbers::pi;
  constexpr double kHalf = kTaps / 2 - 1;
  if (std::abs(x) >= kHalf) return 0;
  const double angle = pi * kCutOff * x;
  const double window = 0.42 + 0.5 * std::cos(pi * x / kHalf) + 0.08 * std::cos(2 * pi * x / kHalf);
  return (x == 0 ? 1 : std::sin(angle) / angle) * window;
}

// A tap is how far the step rises from one frame to the next: the impulse's area between them.
double rise(double x) {
  constexpr int kPoints = 16;
  double sum = 0;
  for (int i = 0; i < kPoints; i++) sum += impulse(x - 0.5 + (i + 0.5) / kPoints);
  return sum / kPoints;
}

Kernel make_kernel() {
  Kernel kernel{};
  for (std::size_t phase = 0; phase <= kPhases; phase++) {
    std::array<double, kTaps> taps{};
    double sum = 0;
    for (std::size_t i = 0; i < kTaps; i++) {
      taps[i] = rise(static_cast<double>(i) - (kTaps / 2 - 1) - static_cast<double>(phase) / kPhases);
      sum += taps[i];
    }
    // Exactly one in sum: the level after many steps is the true one.
    for (std::size_t i = 0; i < kTaps; i++) kernel[phase][i] = static_cast<float>(taps[i] / sum);
  }
  return kernel;
}

const Kernel& kernel() {
  static const Kernel made = make_kernel();
  return made;
}

}  // namespace

LevelVoice::LevelVoice(const MixTimeline& timeline, SoundSource* source)
    : timeline_(timeline), source_(source), decay_(1 - 2 * std::numbers::pi * kLowestFrequency / timeline.rate()) {}

void LevelVoice::level(GuestTime at, StereoFrame level) {
  const StereoFrame jump{level.left - last_.left, level.right - last_.right};
  last_ = level;
  if (!timeline_.heard() || jump == StereoFrame{}) return;
  const double place = timeline_.frame_at(at);
  const double whole = std::floor(place);
  const double phase = (place - whole) * kPhases;
  const auto index = static_cast<std::size_t>(phase);
  const float share = static_cast<float>(phase - std::floor(phase));
  const auto& before = kernel()[index];
  const auto& after = kernel()[std::min<std::size_t>(index + 1, kPhases)];

  i64 first = std::max(static_cast<i64>(whole) - (kTaps / 2 - 1), timeline_.frontier());
  if (jumps_.empty()) first_jump_ = first;
  // Two jumps never come in the wrong order, but the one before may have been put at the frontier.
  first = std::max(first, first_jump_);
  const auto offset = static_cast<std::size_t>(first - first_jump_);
  if (jumps_.size() < offset + kTaps) jumps_.resize(offset + kTaps);
  for (std::size_t i = 0; i < kTaps; i++) {
    const float weight = before[i] + (after[i] - before[i]) * share;
    jumps_[offset + i].left += jump.left * weight;
    jumps_[offset + i].right += jump.right * weight;
  }
}

void LevelVoice::advance(GuestTime now) {
  if (source_ != nullptr) source_->produce(now);
}

// A running sum, and a high-pass filter of the first order.
double LevelVoice::step(Channel& channel, double jump) const {
  channel.output = channel.output * decay_ + jump;
  return channel.output;
}

void LevelVoice::mix(i64 first, std::span<StereoFrame> sum) {
  if (quiet_ && jumps_.empty()) return;
  const i64 start = jumps_.empty() ? first : first_jump_;
  std::size_t used = 0;
  for (std::size_t i = 0; i < sum.size(); i++) {
    StereoFrame jump;
    if (const i64 place = first + static_cast<i64>(i) - start; place >= 0 && place < static_cast<i64>(jumps_.size())) {
      jump = jumps_[static_cast<std::size_t>(place)];
      used = static_cast<std::size_t>(place) + 1;
    }
    sum[i].left += static_cast<float>(step(left_, jump.left));
    sum[i].right += static_cast<float>(step(right_, jump.right));
  }
  jumps_.erase(jumps_.begin(), jumps_.begin() + static_cast<std::ptrdiff_t>(used));
  first_jump_ += static_cast<i64>(used);
  quiet_ = std::abs(left_.output) < kInaudible && std::abs(right_.output) < kInaudible;
  if (quiet_) left_.output = right_.output = 0;
}

i64 LevelVoice::next_frame() const {
  if (!quiet_) return timeline_.frontier();
  return jumps_.empty() ? kNone : first_jump_;
}

bool LevelVoice::active() const { return !quiet_ || !jumps_.empty() || (source_ != nullptr && source_->sounding()); }

void LevelVoice::restart() { jumps_.clear(); }

}  // namespace relic86
