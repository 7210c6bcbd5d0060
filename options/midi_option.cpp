#include "options/midi_option.h"

#include <fmt/format.h>

#include <charconv>

#include "base/nearest.h"
#include "options/json_properties.h"
#include "options/options.h"

namespace relic86 {

namespace {

using Text = std::string_view;
using Kind = MidiOption::Kind;

constexpr Text kHelp =
    "synth    FluidSynth, mixed with the card's other sounds: soundfont=FILE, gain=0.01 to 10 (0.5)\n"
    "none     nothing is played\n"
    "chardev=ID  the messages go to a -chardev: a file, or a MIDI port of the host, as in\n"
    "            -chardev file,id=m,path=/dev/snd/midiC1D0 -midi chardev=m\n";
constexpr Text kKnown[] = {"driver", "soundfont", "gain", "chardev"};

Result<> set_driver(MidiOption& midi, const std::string& word) {
  constexpr Text kDrivers[] = {"synth", "none"};
  if (word != kDrivers[0] && word != kDrivers[1])
    return Error{fmt::format("-midi {}: unknown driver; the nearest is {}; '-midi help' lists those that exist", word,
                             nearest_word(word, std::span(kDrivers)))};
  midi.kind = word == kDrivers[0] ? Kind::Synthesizer : Kind::None;
  return {};
}

Result<> set_gain(MidiOption& midi, const std::string& word) {
  constexpr double kLeast = 0.01, kMost = 10;
  const char* const end = word.data() + word.size();
  const auto read = std::from_chars(word.data(), end, midi.gain);
  if (read.ec != std::errc() || read.ptr != end || !(midi.gain >= kLeast && midi.gain <= kMost))
    return Error{fmt::format("-midi gain={}: give a number from {} to {}", word, kLeast, kMost)};
  return {};
}

}  // namespace

Result<> set_midi(Options& options, std::string_view value) {
  if (asks_for_help(value)) {
    options.print_and_exit = kHelp;
    return {};
  }
  const auto properties = option_properties("-midi", value, "driver");
  if (!properties) return properties.error();
  MidiOption midi;
  for (const auto& [key, word] : properties.value()) {
    Result<> set;
    if (key == "driver") {
      set = set_driver(midi, word);
    } else if (key == "soundfont") {
      midi.soundfont = word;
    } else if (key == "gain") {
      set = set_gain(midi, word);
    } else if (key == "chardev") {
      midi.char_device = word;
    } else {
      return Error{fmt::format("-midi {}={}: unknown property; the nearest is {}", key, word,
                               nearest_word(key, std::span(kKnown)))};
    }
    if (!set) return set;
  }
  if (!midi.char_device.empty()) {
    if (midi.kind != Kind::Unnamed || !midi.soundfont.empty())
      return Error{
          "-midi chardev=: the messages go to the character device alone; leave the driver and soundfont= out"};
    midi.kind = Kind::CharDevice;
  } else if (!midi.soundfont.empty() && midi.kind == Kind::None) {
    return Error{"-midi none: plays nothing, so that soundfont= has no meaning"};
  } else if (midi.kind == Kind::Unnamed) {
    midi.kind = Kind::Synthesizer;
  }
  options.midi = std::move(midi);
  return {};
}

}  // namespace relic86
