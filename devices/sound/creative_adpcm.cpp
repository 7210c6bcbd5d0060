// Sound Blaster Series Hardware Programming Guide, chapter 6, names the formats; how a code changes the value is as
// players of these files know it: the magnitude, scaled by two to the step, is added; large codes raise the step, a
// zero lowers it.
#include "devices/sound/creative_adpcm.h"

#include <algorithm>

namespace relic86 {

namespace {
constexpr i32 kOne = 256;  // one step of an 8-bit sample
constexpr u8 kMostStep = 3;
}  // namespace

void CreativeAdpcm::start(Width width, bool wants_reference) {
  width_ = width;
  wants_reference_ = wants_reference;
  if (wants_reference) value_ = 0;
  step_ = 0;
}

unsigned CreativeAdpcm::samples_per_byte() const {
  return width_ == Width::Bits4 ? 2 : width_ == Width::Bits2_6 ? 3 : 4;
}

u8 CreativeAdpcm::expand(unsigned code, unsigned bits) {
  const unsigned sign = 1u << (bits - 1);
  const unsigned magnitude = code & (sign - 1);
  // Codes of 2 bits are worth four times as much.
  const i32 difference =
      static_cast<i32>(magnitude << step_) * (bits == 2 && width_ == Width::Bits2 ? 4 : 1) * kOne / 2;
  value_ = std::clamp((code & sign) != 0 ? value_ - difference : value_ + difference, -128 * kOne, 127 * kOne);
  if (magnitude >= 2 * bits - 3 && step_ < kMostStep) {
    step_++;
  } else if (magnitude == 0 && step_ > 0) {
    step_--;
  }
  return static_cast<u8>(value_ / kOne + 128);
}

void CreativeAdpcm::decode(u8 byte, std::vector<u8>& samples) {
  if (wants_reference_) {
    wants_reference_ = false;
    value_ = (byte - 128) * kOne;
    return;
  }
  switch (width_) {
    case Width::Bits4:
      samples.push_back(expand(byte >> 4, 4));
      samples.push_back(expand(byte & 15u, 4));
      break;
    case Width::Bits2_6:
      samples.push_back(expand(byte >> 5, 3));
      samples.push_back(expand(byte >> 2 & 7u, 3));
      samples.push_back(expand(byte & 3u, 2));
      break;
    case Width::Bits2:
      for (int shift = 6; shift >= 0; shift -= 2) samples.push_back(expand(byte >> shift & 3u, 2));
      break;
  }
}

void CreativeAdpcm::state(StateArchive& archive) {
  archive.field("width", width_);
  archive.field("wants_reference", wants_reference_);
  archive.field("value", value_);
  archive.field("step", step_);
  if (!archive.loading()) return;
  if (width_ > Width::Bits2) width_ = Width::Bits4;
  value_ = std::clamp(value_, -128 * kOne, 127 * kOne);
  step_ = std::min(step_, kMostStep);
}

}  // namespace relic86
