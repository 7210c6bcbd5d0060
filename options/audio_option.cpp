#include "options/audio_option.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "options/json_properties.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

constexpr Text kDrivers[] = {"none", "alsa",     "coreaudio", "dbus",  "dsound", "jack", "oss",
                             "pa",   "pipewire", "sdl",       "sndio", "spice",  "wav"};
constexpr Text kHelp = "Available audio drivers:\nnone\n";

Result<AudioDeviceOption> read(Text option, Text value, std::string* card) {
  AudioDeviceOption device;
  const auto properties = option_properties(option, value, "driver");
  if (!properties) return properties.error();
  for (const auto& [key, word] : properties.value()) {
    if (key == "driver") {
      device.driver = word;
    } else if (key == "id") {
      device.id = word;
    } else if (key == "model" && card != nullptr) {
      *card = word;
    }
    // The rest tunes a driver, and none of them plays anything.
  }
  if (std::find(std::begin(kDrivers), std::end(kDrivers), device.driver) == std::end(kDrivers))
    return Error{fmt::format("{} {}: unknown audio driver; the nearest is {}; '{} help' lists those that exist", option,
                             device.driver, nearest_word(device.driver, kDrivers), option)};
  return device;
}

bool asks(Text value) { return asks_for_help(value) || asks_for_help(value.substr(value.find('=') + 1)); }

}  // namespace

Result<> add_audio_device(Options& options, std::string_view value) {
  if (asks(value)) {
    options.print_and_exit = kHelp;
    return {};
  }
  const auto device = read("-audiodev", value, nullptr);
  if (!device) return device.error();
  if (device.value().id.empty()) return Error{"-audiodev: id= is missing; give it a name to refer to"};
  for (const AudioDeviceOption& other : options.audio_devices) {
    if (other.id == device.value().id)
      return Error{fmt::format("-audiodev id={}: another audio device has this id; give each its own", other.id)};
  }
  options.audio_devices.push_back(device.value());
  return {};
}

Result<> set_audio(Options& options, std::string_view value) {
  if (asks(value)) {
    options.print_and_exit = "Valid audio device models:\n(none)\n";
    return {};
  }
  std::string card;
  const auto device = read("-audio", value, &card);
  if (!device) return device.error();
  if (!card.empty()) return Error{fmt::format("-audio model={}: there is no sound card; leave the option out", card)};
  options.audio_devices.push_back(device.value());
  return {};
}

Result<> check_audio_names(Options& options) {
  const auto exists = [&](const std::string& id) {
    return std::any_of(options.audio_devices.begin(), options.audio_devices.end(),
                       [&](const AudioDeviceOption& device) { return device.id == id; });
  };
  if (!options.speaker_audio.empty() && !exists(options.speaker_audio))
    return Error{fmt::format("-machine pcspk-audiodev={}: there is no -audiodev with id={}", options.speaker_audio,
                             options.speaker_audio)};
  for (const AudioDeviceOption& device : options.audio_devices) {
    if (device.driver == "none") continue;
    options.warnings.push_back(fmt::format(
        "-audiodev {}: there is no sound card and the speaker is silent, so that nothing is played; none says so",
        device.driver));
  }
  return {};
}

}  // namespace relic86
