#include "devices/sound/opl3_chip.h"

extern "C" {
#include <adplug/nukedopl.h>
}

namespace relic86 {

namespace {
constexpr float kFullScale = 32768.0f;
}

Opl3Chip::Opl3Chip() : chip_(std::make_unique<_opl3_chip>()) { reset(); }
Opl3Chip::~Opl3Chip() = default;

void Opl3Chip::reset() { OPL3_Reset(chip_.get(), kRate.numerator); }

void Opl3Chip::write(u16 index, u8 value) { OPL3_WriteReg(chip_.get(), index, value); }

void Opl3Chip::generate(std::span<StereoFrame> frames) {
  for (StereoFrame& frame : frames) {
    i16 samples[2];
    OPL3_Generate(chip_.get(), samples);
    frame = {static_cast<float>(samples[0]) / kFullScale, static_cast<float>(samples[1]) / kFullScale};
  }
}

}  // namespace relic86
