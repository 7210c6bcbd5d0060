// The codec's registers (Audio Codec '97, revision 2.2; SigmaTel STAC9700 datasheet), 16 bits each, at BAR 0:
//
//   00h      reset when written;  02h, 04h, 06h  master, headphone and mono volume: 15 mute, 12:8 and 4:0 in 1.5 dB
//   down 0Ah-18h  volumes of the inputs, 18h PCM: 15 mute, 8 is 0 dB 1Ah      record source;  1Ch record gain;  20h
//   general purpose;  22h 3D 26h      power: 3:0 what is ready 28h      extended audio: 0 variable rate, 3 variable
//   rate of the microphone;  2Ah  the same, switched on 2Ch      rate of output, 32h of input, 34h of the microphone
//   (Hz) 7Ch, 7Eh the vendor
#include <algorithm>
#include <cmath>

#include "devices/sound/ac97.h"

namespace relic86 {

namespace {

constexpr unsigned kResetRegister = 0x00, kMasterVolume = 0x02, kHeadphoneVolume = 0x04, kMonoVolume = 0x06,
                   kPcBeep = 0x0A, kPhone = 0x0C, kMicrophoneVolume = 0x0E, kLineIn = 0x10, kCd = 0x12, kVideo = 0x14,
                   kAux = 0x16, kPcmVolume = 0x18, kRecordSelect = 0x1A, kRecordGain = 0x1C, kGeneralPurpose = 0x20,
                   kThreeD = 0x22, kPower = 0x26, kExtendedId = 0x28, kExtendedControl = 0x2A, kOutputRate = 0x2C,
                   kInputRate = 0x32, kMicrophoneRate = 0x34, kVendor1 = 0x7C, kVendor2 = 0x7E;
constexpr u16 kMute = 0x8000, kVariableRate = 1, kVariableMicrophoneRate = 8;
constexpr u32 kFixedRate = 48000, kLeastRate = 4000;

struct Row {
  unsigned offset;
  u16 reset, writable;
};
constexpr Row kRows[] = {
    {kMasterVolume, 0x8000, 0x9F1F},
    {kHeadphoneVolume, 0x8000, 0x9F1F},
    {kMonoVolume, 0x8000, 0x801F},
    {kPcBeep, 0x0000, 0x801E},
    {kPhone, 0x8008, 0x801F},
    {kMicrophoneVolume, 0x8008, 0x805F},
    {kLineIn, 0x8808, 0x9F1F},
    {kCd, 0x8808, 0x9F1F},
    {kVideo, 0x8808, 0x9F1F},
    {kAux, 0x8808, 0x9F1F},
    {kPcmVolume, 0x8808, 0x9F1F},
    {kRecordSelect, 0x0000, 0x0707},
    {kRecordGain, 0x8000, 0x8F0F},
    {kGeneralPurpose, 0x0000, 0xF380},
    {kThreeD, 0x0000, 0x0003},
    {kPower, 0x000F, 0xFF00},
    {kExtendedId, 0x0809, 0},
    {kExtendedControl, 0x0009, 0x0009},
    {kOutputRate, 48000, 0xFFFF},
    {kInputRate, 48000, 0xFFFF},
    {kMicrophoneRate, 48000, 0xFFFF},
    {kVendor1, 0x8384, 0},
    {kVendor2, 0x7600, 0},
};

}  // namespace

void Ac97::reset_codec() {
  codec_ = {};
  for (const Row& row : kRows) codec_[row.offset / 2] = row.reset;
  update_cd();
}

u16 Ac97::read_codec(unsigned offset) const {
  if (offset % 2 != 0 || offset / 2 >= codec_.size()) return 0xFFFF;
  return codec_[offset / 2];
}

void Ac97::write_codec(unsigned offset, u16 value) {
  if (offset == kResetRegister) return reset_codec();
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.offset == offset; });
  if (row == std::end(kRows)) return;
  u16& held = codec_[offset / 2];
  held = static_cast<u16>((held & ~row->writable) | (value & row->writable));
  if (offset == kExtendedControl) {
    // Without variable rates the rate registers say what is so.
    if ((held & kVariableRate) == 0) codec_[kOutputRate / 2] = codec_[kInputRate / 2] = kFixedRate;
    if ((held & kVariableMicrophoneRate) == 0) codec_[kMicrophoneRate / 2] = kFixedRate;
  }
  if (offset == kOutputRate || offset == kInputRate || offset == kMicrophoneRate) {
    const u16 needed = offset == kMicrophoneRate ? kVariableMicrophoneRate : kVariableRate;
    held = (codec_[kExtendedControl / 2] & needed) == 0
               ? kFixedRate
               : static_cast<u16>(std::clamp<u32>(value, kLeastRate, kFixedRate));
  }
  update_cd();
}

u32 Ac97::rate_of(unsigned channel) const {
  const unsigned offset = channel == kPcmOut ? kOutputRate : channel == kPcmIn ? kInputRate : kMicrophoneRate;
  return std::clamp<u32>(codec_[offset / 2], kLeastRate, kFixedRate);
}

void Ac97::update_cd() {
  for (SoundInput* cable : cd_) cable->set_gain(scheduler_->now(), input_gain(kCd));
}

StereoFrame Ac97::gain() const { return input_gain(kPcmVolume); }

StereoFrame Ac97::input_gain(unsigned volume) const {
  const u16 master = codec_[kMasterVolume / 2], input = codec_[volume / 2];
  if (((master | input) & kMute) != 0) return {};
  const auto side = [&](unsigned shift) {
    constexpr int kUnity = 8;
    const int steps = static_cast<int>(master >> shift & 31u) + static_cast<int>(input >> shift & 31u) - kUnity;
    return static_cast<float>(std::pow(10.0, -1.5 * steps / 20));
  };
  return {side(8), side(0)};
}

}  // namespace relic86
