// Messages (MIDI 1.0 Detailed Specification):
//
//   8nh 9nh  note off, on: key, velocity      Anh  pressure of a key      Bnh  controller: number, value
//   Cnh      program                          Dnh  pressure               Enh  pitch bend, low seven bits first
//   F0h ..F7h  system exclusive               F1h F3h one data byte, F2h two, F6h none    F8h-FFh  real time
//
// Data bytes without a status byte before them continue the last channel message (running status). Real-time messages
// may stand between any two bytes. They are clocks of sequencers, which no instrument waits for: they are left out.
#include "devices/sound/midi_port.h"

#include <algorithm>

namespace relic86 {

namespace {

constexpr u8 kNoteOff = 0x80, kNoteOn = 0x90, kController = 0xB0, kProgram = 0xC0, kPressure = 0xD0, kBend = 0xE0;
constexpr u8 kSystem = 0xF0, kExclusive = 0xF0, kSongPosition = 0xF2, kEndOfExclusive = 0xF7, kRealTime = 0xF8;

// Controllers.
constexpr u8 kBank = 0, kVolume = 7, kPan = 10, kBankLow = 32;
constexpr u8 kParameterLow = 98, kParameterHigh = 101;  // non-registered and registered parameter numbers
constexpr u8 kSoundOff = 120, kResetControllers = 121, kNotesOff = 123;

// Data bytes after a status byte.
unsigned data_bytes(u8 status) {
  switch (status < kSystem ? status & 0xF0 : status) {
    case kProgram:
    case kPressure:
    case 0xF1:
    case 0xF3: return 1;
    case 0xF4:
    case 0xF5:
    case 0xF6: return 0;
    default: return 2;
  }
}

// Messages after which an instrument is as it was when it was switched on: General MIDI on and off, GS reset, XG on.
// The number of the device may be any.
bool resets_all(std::span<const u8> exclusive) {
  const auto is = [&](std::initializer_list<int> bytes) {  // -1: any
    return exclusive.size() >= bytes.size() && std::equal(bytes.begin(), bytes.end(), exclusive.begin(),
                                                          [](int want, u8 have) { return want < 0 || want == have; });
  };
  return is({0xF0, 0x7E, -1, 0x09}) || is({0xF0, 0x41, -1, 0x42, 0x12, 0x40, 0x00, 0x7F, 0x00}) ||
         is({0xF0, 0x43, -1, 0x4C, 0x00, 0x00, 0x7E, 0x00});
}

}  // namespace

void MidiPort::put(GuestTime now, u8 byte) {
  if (byte >= kRealTime) return;
  if (byte < 0x80) return take_data(now, byte);
  if (byte == kEndOfExclusive) return finish_exclusive(now);
  exclusive_.clear();  // any other status ends it, unfinished
  status_ = byte;
  data_count_ = 0;
  if (byte == kExclusive) {
    exclusive_.push_back(byte);
  } else if (data_bytes(byte) == 0) {
    status_ = 0;
  }
}

void MidiPort::take_data(GuestTime now, u8 byte) {
  if (status_ == kExclusive) {
    if (exclusive_.size() < kLongestMessage) exclusive_.push_back(byte);
    return;
  }
  if (status_ == 0) return;
  data_[data_count_++] = byte;
  if (data_count_ < data_bytes(status_)) return;
  const std::array<u8, 3> message{status_, data_[0], data_[1]};
  const std::size_t length = 1u + data_count_;
  data_count_ = 0;
  if (status_ >= kSystem)
    status_ = 0;  // no running status
  else
    send(now, std::span(message).first(length));
}

void MidiPort::finish_exclusive(GuestTime now) {
  if (status_ == kExclusive && exclusive_.size() < kLongestMessage) {
    exclusive_.push_back(kEndOfExclusive);
    if (resets_all(exclusive_)) forget();
    if (instrument_ != nullptr) instrument_->play(now, exclusive_);
  }
  exclusive_.clear();
  status_ = 0;
}

void MidiPort::send(GuestTime now, std::span<const u8> message) {
  keep(message);
  if (instrument_ != nullptr) instrument_->play(now, message);
}

void MidiPort::reset(GuestTime now) {
  status_ = data_count_ = 0;
  exclusive_.clear();
  forget();
  if (instrument_ != nullptr) instrument_->reset(now);
}

void MidiPort::set_gain(GuestTime now, StereoFrame gain) {
  if (instrument_ != nullptr) instrument_->set_gain(now, gain);
}

// --- What a saved machine needs ---

void MidiPort::forget() {
  for (Channel& channel : channels_) {
    channel = {};
    channel.controllers.fill(kUnset);
  }
}

void MidiPort::keep(std::span<const u8> message) {
  Channel& channel = channels_[message[0] & 0x0F];
  switch (message[0] & 0xF0) {
    case kNoteOff: channel.velocities[message[1]] = 0; break;
    case kNoteOn: channel.velocities[message[1]] = message[2]; break;
    case kController: keep_controller(channel, message[1], message[2]); break;
    case kProgram: channel.program = message[1]; break;
    case kPressure: channel.pressure = message[1]; break;
    case kBend: channel.bend = {message[1], message[2]}; break;
    default: break;
  }
}

void MidiPort::keep_controller(Channel& channel, u8 controller, u8 value) {
  if (controller == kSoundOff || controller >= kNotesOff) {
    channel.velocities.fill(0);
  } else if (controller == kResetControllers) {
    for (u8 i = 0; i < kSoundOff; i++) {
      if (i != kBank && i != kBankLow && i != kVolume && i != kPan) channel.controllers[i] = kUnset;
    }
    channel.bend = {kUnset, kUnset};
    channel.pressure = kUnset;
  } else if (controller < kSoundOff) {
    channel.controllers[controller] = value;
  }
}

// Banks before programs, numbers of parameters before their data, notes last.
void MidiPort::play_again(GuestTime now) const {
  instrument_->reset(now);
  const auto play = [&](std::initializer_list<u8> message) {
    instrument_->play(now, {message.begin(), message.end()});
  };
  for (u8 number = 0; number < kChannels; number++) {
    const Channel& channel = channels_[number];
    const auto control = [&](u8 controller) {
      const u8 value = channel.controllers[controller];
      if (value != kUnset) play({static_cast<u8>(kController | number), controller, value});
    };
    control(kBank);
    control(kBankLow);
    if (channel.program != kUnset) play({static_cast<u8>(kProgram | number), channel.program});
    for (u8 parameter = kParameterLow; parameter <= kParameterHigh; parameter++) control(parameter);
    for (u8 controller = 1; controller < kSoundOff; controller++) {
      if (controller != kBankLow && (controller < kParameterLow || controller > kParameterHigh)) control(controller);
    }
    if (channel.pressure != kUnset) play({static_cast<u8>(kPressure | number), channel.pressure});
    if (channel.bend[0] != kUnset) play({static_cast<u8>(kBend | number), channel.bend[0], channel.bend[1]});
    for (u8 key = 0; key < kKeys; key++) {
      if (channel.velocities[key] != 0) play({static_cast<u8>(kNoteOn | number), key, channel.velocities[key]});
    }
  }
}

void MidiPort::state(StateArchive& archive, GuestTime now) {
  archive.field("status", status_);
  archive.bytes("data", data_);
  archive.field("data_count", data_count_);
  archive.resizable("exclusive", exclusive_);
  for (Channel& channel : channels_) {
    archive.group("channel" + std::to_string(&channel - channels_.data()), [&] {
      archive.field("program", channel.program);
      archive.field("pressure", channel.pressure);
      archive.bytes("bend", channel.bend);
      archive.bytes("controllers", channel.controllers);
      archive.bytes("velocities", channel.velocities);
    });
  }
  if (!archive.loading()) return;
  if (status_ < 0x80 || status_ > kSongPosition + 1) status_ = 0;
  if (data_count_ >= data_.size() || (status_ != 0 && data_count_ >= data_bytes(status_))) data_count_ = 0;
  if (exclusive_.size() > kLongestMessage) exclusive_.resize(kLongestMessage);
  const auto mend = [](u8& byte, u8 otherwise) { byte = byte < 0x80 ? byte : otherwise; };
  for (Channel& channel : channels_) {
    mend(channel.program, kUnset);
    mend(channel.pressure, kUnset);
    if (channel.bend[0] >= 0x80 || channel.bend[1] >= 0x80) channel.bend = {kUnset, kUnset};
    for (u8& value : channel.controllers) mend(value, kUnset);
    for (u8& velocity : channel.velocities) mend(velocity, 0);
  }
  if (instrument_ != nullptr) play_again(now);
}

}  // namespace relic86
