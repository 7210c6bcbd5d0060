// All of a machine's host sound: one mixer for each -audiodev, by its id.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "audio/audio_mixer.h"
#include "audio/midi_voice.h"
#include "base/result.h"
#include "options/options.h"

namespace relic86 {

class AudioSystem {
 public:
  // Opens files. Drivers that need the host's sound system are connected later, by whoever knows it.
  static Result<std::unique_ptr<AudioSystem>> create(const Options& options);

  // Where a card with audiodev=ID plays; an empty id: at the first -audiodev. Null: nowhere.
  SoundHost* host(const std::string& id);
  AudioMixer* mixer(const std::string& id);
  // What the MIDI outputs of a card with audiodev=ID play. A machine has one; the first card says where it is heard.
  MidiInstrument& instrument(const std::string& id);
  MidiVoice* midi() { return midi_.get(); }  // null: no card has a MIDI output

  // The volume of what the host plays, in percent; files have the devices' own.
  void set_volume(unsigned percent);
  unsigned volume() const { return volume_; }
  // Records what the first -audiodev plays, from now on, into a WAV file; an empty path ends the recording.
  Result<> record(const std::string& path, GuestTime now);
  // The same for whoever else records; nothing ends it. rate: 0: there is no sound to record.
  u32 recordable_rate();
  void record_to(std::unique_ptr<AudioOutput> recording, GuestTime now);
  const std::string& recording() const { return recording_; }  // empty: none is made

  GuestTime next_advance() const;
  void advance(GuestTime now);
  void finish(GuestTime now);
  void restart(GuestTime now);

 private:
  std::map<std::string, std::unique_ptr<AudioMixer>> mixers_;  // null: driver none
  std::string first_;
  std::set<std::string> played_;  // those that the host plays
  unsigned volume_ = 100;
  std::string recording_;
  std::unique_ptr<MidiVoice> midi_;
};

}  // namespace relic86
