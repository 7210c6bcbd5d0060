// All of a machine's host sound: one mixer for each -audiodev, by its id.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "audio/audio_mixer.h"
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

  GuestTime next_advance() const;
  void advance(GuestTime now);
  void finish(GuestTime now);
  void restart(GuestTime now);

 private:
  std::map<std::string, std::unique_ptr<AudioMixer>> mixers_;  // null: driver none
  std::string first_;
};

}  // namespace relic86
