// A MIDI output: bytes become whole messages for an instrument on the host. What a driver has set the instrument to is
// kept, so that a saved machine goes on with the right voices; notes that sound then begin anew.
#pragma once

#include <array>
#include <vector>

#include "base/state_archive.h"
#include "devices/sound_sinks.h"

namespace relic86 {

class MidiPort {
 public:
  // instrument: null: nothing is heard.
  explicit MidiPort(MidiInstrument* instrument) : instrument_(instrument) {}

  void put(GuestTime now, u8 byte);
  void reset(GuestTime now);
  void set_gain(GuestTime now, StereoFrame gain);
  // now: when a state is loaded, the moment at which the instrument is set to it.
  void state(StateArchive& archive, GuestTime now);

 private:
  static constexpr unsigned kChannels = 16, kKeys = 128, kControllers = 128;
  static constexpr std::size_t kLongestMessage = 1024;  // of system exclusive data: a longer one is left out
  static constexpr u8 kUnset = 0xFF;

  struct Channel {
    u8 program = kUnset, pressure = kUnset;
    std::array<u8, 2> bend{kUnset, kUnset};
    std::array<u8, kControllers> controllers{};
    std::array<u8, kKeys> velocities{};  // 0: the key is up
  };

  void take_data(GuestTime now, u8 byte);
  void finish_exclusive(GuestTime now);
  void send(GuestTime now, std::span<const u8> message);
  void keep(std::span<const u8> message);
  void keep_controller(Channel& channel, u8 controller, u8 value);
  void forget();
  void play_again(GuestTime now) const;

  MidiInstrument* instrument_;
  u8 status_ = 0;  // of the message that data bytes belong to; 0: none
  std::array<u8, 2> data_{};
  u8 data_count_ = 0;
  std::vector<u8> exclusive_;  // from F0h on, while it comes in
  std::array<Channel, kChannels> channels_;
};

}  // namespace relic86
