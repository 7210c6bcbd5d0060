#include "audio/midi_voice.h"

#include <algorithm>
#include <initializer_list>

#include "base/log.h"

namespace relic86 {

namespace {
constexpr std::size_t kPiece = 512;  // frames made at once
constexpr u8 kNoteOn = 0x90, kController = 0xB0, kSoundOff = 120, kResetControllers = 121;
constexpr u8 kChannels = 16;
}  // namespace

MidiVoice::MidiVoice(SoundHost* host) {
  if (host != nullptr) sink_ = &host->add_voice(this);
}

void MidiVoice::play(GuestTime at, std::span<const u8> message) {
  if (line_ != nullptr) return put(message);
  if (synthesizer_ == nullptr) {
    if (advice_.empty() || (message[0] & 0xF0) != kNoteOn) return;
    log::warning(advice_);
    return advice_.clear();
  }
  wake(at);
  synthesizer_->message(message);
}

// An instrument that is somewhere else is told by messages that every one knows.
void MidiVoice::reset(GuestTime at) {
  if (line_ != nullptr) {
    for (u8 channel = 0; channel < kChannels; channel++) {
      const u8 status = static_cast<u8>(kController | channel);
      put(std::initializer_list<u8>{status, kSoundOff, 0, status, kResetControllers, 0});
    }
  } else if (synthesizer_ != nullptr) {
    wake(at);
    synthesizer_->reset();
  }
}

void MidiVoice::set_gain(GuestTime at, StereoFrame gain) {
  produce(at);
  gain_ = gain;
}

void MidiVoice::put(std::span<const u8> bytes) {
  for (const u8 byte : bytes) line_->put(byte);
}

void MidiVoice::wake(GuestTime at) {
  produce(at);
  quiet_frames_ = 0;
}

void MidiVoice::produce(GuestTime until) {
  if (sink_ == nullptr || synthesizer_ == nullptr) return;
  const u64 end = kRate.frames_in(until);
  // Guest time may have jumped: a saved machine was loaded.
  const u64 most = kRate.numerator;
  if (!sounding() || next_frame_ > end || end - next_frame_ > most) next_frame_ = end;
  while (next_frame_ < end) {
    frames_.resize(std::min<u64>(end - next_frame_, kPiece));
    synthesizer_->render(frames_);
    const auto count = static_cast<u32>(frames_.size());
    quiet_frames_ = synthesizer_->sounding() ? 0 : std::min(quiet_frames_ + count, kEcho);
    for (StereoFrame& frame : frames_) frame = {frame.left * gain_.left, frame.right * gain_.right};
    sink_->play(kRate.time_of(next_frame_), kRate, frames_);
    next_frame_ += frames_.size();
  }
}

}  // namespace relic86
