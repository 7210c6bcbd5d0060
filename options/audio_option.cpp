#include "options/audio_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/nearest.h"
#include "options/json_properties.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;

constexpr Text kHelp = "Available audio drivers:\nnone\nsdl\nwav\n";
constexpr Text kModels = "Valid audio device models:\npcspk ac97 adlib es1370 hda sb16\n";

// Drivers of QEMU's, and what does their work here.
struct DriverRow {
  Text name;
  Text instead;  // empty: it exists
  Text reason;
};
constexpr Text kHostSystem = "sdl plays by whatever sound system the host has, and does so now";
constexpr Text kNoRemote = "sound does not leave this host, so that nothing is played; none says so";
constexpr DriverRow kDrivers[] = {
    {"none", "", ""},
    {"sdl", "", ""},
    {"wav", "", ""},
    {"alsa", "sdl", kHostSystem},
    {"coreaudio", "sdl", kHostSystem},
    {"dsound", "sdl", kHostSystem},
    {"jack", "sdl", kHostSystem},
    {"oss", "sdl", kHostSystem},
    {"pa", "sdl", kHostSystem},
    {"pipewire", "sdl", kHostSystem},
    {"sndio", "sdl", kHostSystem},
    {"dbus", "none", kNoRemote},
    {"spice", "none", kNoRemote},
};

const DriverRow* find_driver(Text name) {
  const auto* row =
      std::find_if(std::begin(kDrivers), std::end(kDrivers), [&](const DriverRow& r) { return r.name == name; });
  return row == std::end(kDrivers) ? nullptr : row;
}

// Properties that every driver takes. Sound is not recorded, and the mixer converts whatever a card plays.
constexpr Text kWithoutEffect[] = {"in.mixing-engine",  "in.fixed-settings",  "in.frequency",     "in.channels",
                                   "in.voices",         "in.format",          "in.buffer-length", "in.buffer-count",
                                   "out.mixing-engine", "out.fixed-settings", "out.voices",       "out.buffer-count"};
constexpr Text kKnown[] = {"driver",     "id",   "timer-period",      "out.frequency", "out.channels",
                           "out.format", "path", "out.buffer-length", "model"};

Result<u32> number(Text option, Text key, const std::string& word, u32 least, u32 most) {
  const auto value = parse_number(word);
  if (!value || value.value() < least || value.value() > most)
    return Error{fmt::format("{} {}={}: give a number from {} to {}", option, key, word, least, most)};
  return static_cast<u32>(value.value());
}

Result<> set_format(AudioDeviceOption& device, Text option, const std::string& word) {
  static constexpr std::pair<Text, SampleFormat> kFormats[] = {
      {"u8", SampleFormat::U8}, {"s16", SampleFormat::S16}, {"s32", SampleFormat::S32}, {"f32", SampleFormat::F32}};
  for (const auto& [name, format] : kFormats) {
    if (name != word) continue;
    device.format = format;
    return {};
  }
  return Error{fmt::format("{} out.format={}: u8, s16, s32 and f32 exist", option, word)};
}

Result<> set_property(AudioDeviceOption& device, Text option, const std::string& key, const std::string& word) {
  const auto store = [&](u32& member, u32 least, u32 most) -> Result<> {
    const auto value = number(option, key, word, least, most);
    if (!value) return value.error();
    member = value.value();
    return {};
  };
  constexpr u32 kLongestPeriod = 100'000, kLongestBuffer = 1'000'000;
  if (key == "timer-period") return store(device.timer_period, 1, kLongestPeriod);
  if (key == "out.frequency") return store(device.frequency, 8000, 192'000);
  if (key == "out.channels") return store(device.channels, 1, 2);
  if (key == "out.buffer-length") return store(device.buffer_length, 1, kLongestBuffer);
  if (key == "out.format") return set_format(device, option, word);
  if (key == "path" && device.driver == "wav") {
    device.path = word;
    return {};
  }
  if (std::find(std::begin(kWithoutEffect), std::end(kWithoutEffect), key) != std::end(kWithoutEffect)) return {};
  return Error{fmt::format("{} {}={}: unknown property; the nearest is {}", option, key, word,
                           nearest_word(key, std::span(kKnown)))};
}

// card: what -audio model= names; null: there is no such property.
Result<AudioDeviceOption> read(Options& options, Text option, Text value, std::string* card) {
  AudioDeviceOption device;
  const auto properties = option_properties(option, value, "driver");
  if (!properties) return properties.error();
  device.driver = property_value(properties.value(), "driver");
  const DriverRow* driver = find_driver(device.driver);
  if (driver == nullptr) {
    std::vector<Text> names;
    for (const DriverRow& row : kDrivers) names.push_back(row.name);
    return Error{fmt::format("{} {}: unknown audio driver; the nearest is {}; '{} help' lists those that exist", option,
                             device.driver, nearest_word(device.driver, names), option)};
  }
  const bool foreign = !driver->instead.empty();
  if (foreign) {
    options.warnings.push_back(fmt::format("{} {}: {}", option, driver->name, driver->reason));
    device.driver = driver->instead;
  }
  for (const auto& [key, word] : properties.value()) {
    if (key == "driver") continue;
    if (key == "id") {
      device.id = word;
    } else if (key == "model" && card != nullptr) {
      *card = word;
    } else if (auto set = set_property(device, option, key, word); !set && !foreign) {
      return set.error();  // another driver's own words mean nothing here
    }
  }
  return device;
}

bool asks(Text value) { return asks_for_help(value) || asks_for_help(value.substr(value.find('=') + 1)); }

bool exists(const Options& options, const std::string& id) {
  return std::any_of(options.audio_devices.begin(), options.audio_devices.end(),
                     [&](const AudioDeviceOption& device) { return device.id == id; });
}

Result<> add(Options& options, Text option, AudioDeviceOption device) {
  if (exists(options, device.id))
    return Error{fmt::format("{} id={}: another audio device has this id; give each its own", option, device.id)};
  options.audio_devices.push_back(std::move(device));
  return {};
}

}  // namespace

Result<> add_audio_device(Options& options, std::string_view value) {
  if (asks(value)) {
    options.print_and_exit = kHelp;
    return {};
  }
  auto device = read(options, "-audiodev", value, nullptr);
  if (!device) return device.error();
  if (device.value().id.empty()) return Error{"-audiodev: id= is missing; give it a name to refer to"};
  return add(options, "-audiodev", std::move(device).value());
}

Result<> set_audio(Options& options, std::string_view value) {
  if (asks(value)) {
    options.print_and_exit = kHelp;
    return {};
  }
  std::string model;
  auto device = read(options, "-audio", value, &model);
  if (!device) return device.error();
  if (asks_for_help(model)) {
    options.print_and_exit = kModels;
    return {};
  }
  AudioDeviceOption& back_end = device.value();
  if (back_end.id.empty()) back_end.id = "audiodev0";
  static constexpr std::pair<Text, Text> kCards[] = {
      {"ac97", "AC97"}, {"adlib", "adlib"}, {"es1370", "ES1370"}, {"hda", "hda-duplex"}, {"sb16", "sb16"}};
  const auto* card =
      std::find_if(std::begin(kCards), std::end(kCards), [&](const auto& row) { return row.first == model; });
  if (card != std::end(kCards)) {
    if (model == "hda") options.devices.push_back({"intel-hda", {}});
    options.devices.push_back({std::string(card->second), {{"audiodev", back_end.id}}});
  } else if (model == "pcspk" || model.empty()) {
    options.speaker_audio = back_end.id;
  } else {
    return Error{
        fmt::format("-audio model={}: there is no such card; pcspk, ac97, adlib, es1370, hda and sb16 exist", model)};
  }
  return add(options, "-audio", std::move(back_end));
}

Result<> check_audio_names(const Options& options) {
  if (!options.speaker_audio.empty() && !exists(options, options.speaker_audio))
    return Error{fmt::format("-machine pcspk-audiodev={}: there is no -audiodev with id={}", options.speaker_audio,
                             options.speaker_audio)};
  for (const DeviceOption& device : options.all_devices) {
    for (const auto& [key, word] : device.properties) {
      if (key == "audiodev" && !exists(options, word))
        return Error{fmt::format("-device {},audiodev={}: there is no -audiodev with id={}", device.name, word, word)};
    }
  }
  return {};
}

}  // namespace relic86
