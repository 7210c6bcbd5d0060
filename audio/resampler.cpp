#include "audio/resampler.h"

#include <speex/speex_resampler.h>

#include <numeric>

#include "base/assert.h"

namespace relic86 {

namespace {
// 64 coefficients: the pass band ends at 92 % of the band, images are 90 dB down. Longer filters only delay more.
constexpr int kQuality = 4;
constexpr u32 kChannels = 2;
}  // namespace

void Resampler::Delete::operator()(SpeexResamplerState_* state) const { speex_resampler_destroy(state); }

Resampler::Resampler(SampleRate from, u32 to) {
  const u64 out = u64{to} * from.denominator;
  if (from.numerator == out) return;
  const u64 common = std::gcd(u64{from.numerator}, out);
  int failure = 0;
  state_.reset(speex_resampler_init_frac(kChannels, static_cast<u32>(from.numerator / common),
                                         static_cast<u32>(out / common), from.numerator / from.denominator, to,
                                         kQuality, &failure));
  RELIC86_ASSERT(state_ != nullptr);
  speex_resampler_skip_zeros(state_.get());
}

Resampler::~Resampler() = default;

void Resampler::process(std::span<const StereoFrame> frames, std::vector<StereoFrame>& out) {
  if (!state_) {
    out.insert(out.end(), frames.begin(), frames.end());
    return;
  }
  constexpr u32 kPiece = 512;
  while (!frames.empty()) {
    const std::size_t before = out.size();
    out.resize(before + kPiece);
    u32 taken = static_cast<u32>(frames.size()), made = kPiece;
    speex_resampler_process_interleaved_float(state_.get(), &frames.front().left, &taken, &out[before].left, &made);
    out.resize(before + made);
    frames = frames.subspan(taken);
    if (taken == 0 && made == 0) break;  // out of memory inside: what is left is lost
  }
}

void Resampler::drain(std::vector<StereoFrame>& out) {
  if (!state_) return;
  const std::vector<StereoFrame> silence(static_cast<std::size_t>(speex_resampler_get_input_latency(state_.get())));
  process(silence, out);
}

}  // namespace relic86
