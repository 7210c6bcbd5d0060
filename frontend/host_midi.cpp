#include "frontend/host_midi.h"

#include <fmt/format.h>

#include <filesystem>

#include "frontend/host_library.h"

namespace relic86 {

namespace {

// Where Debian and others have the soundfont that the host's administrator has chosen, then well-known ones.
constexpr const char* kSoundfonts[] = {
    "/usr/share/sounds/sf2/default-GM.sf2", "/usr/share/sounds/sf3/default-GM.sf3",
    "/usr/share/soundfonts/default.sf2",    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2", "/usr/share/sounds/sf2/TimGM6mb.sf2",
};

Result<std::string> find_soundfont(const MidiOption& option) {
  std::error_code failure;
  if (!option.soundfont.empty()) return option.soundfont;
  for (const char* file : kSoundfonts) {
    if (std::filesystem::exists(file, failure)) return std::string(file);
  }
  return Error{
      "the host has no soundfont; install one (apt-get install timgm6mb-soundfont), or name one (-midi "
      "synth,soundfont=FILE)"};
}

Result<std::unique_ptr<Synthesizer>> open_synthesizer(const MidiOption& option) {
  const auto soundfont = find_soundfont(option);
  if (!soundfont) return soundfont.error();
  const auto entry = host_entry_point(HostLibrary::Midi, "relic86_open_synthesizer");
  if (!entry) return Error{fmt::format("the library cannot be loaded: {}", entry.message())};
  auto* const open = reinterpret_cast<OpenSynthesizer*>(entry.value());
  SynthesizerSettings settings;
  settings.soundfont = soundfont.value();
  settings.gain = option.gain;
  settings.rate = MidiVoice::kRate.numerator;
  std::string error;
  std::unique_ptr<Synthesizer> synthesizer(open(settings, error));
  if (!synthesizer) return Error{error};
  return synthesizer;
}

}  // namespace

Result<> connect_host_midi(Machine& machine) {
  const MidiOption& option = machine.options().midi;
  const bool wanted = option.kind == MidiOption::Kind::Synthesizer;
  if (!wanted && option.kind != MidiOption::Kind::Unnamed) return {};
  MidiVoice* const voice = machine.audio().midi();
  if (voice == nullptr) {
    if (wanted) return Error{"-midi synth: the machine has no MIDI output; add -device sb16 or -device mpu401"};
    return {};
  }
  if (!voice->heard()) {
    if (wanted) return Error{"-midi synth: nobody hears it; say where sound goes (-audiodev sdl,id=a)"};
    return {};
  }
  auto synthesizer = open_synthesizer(option);
  if (synthesizer) {
    voice->connect(std::move(synthesizer).value());
  } else if (wanted) {
    return Error{fmt::format("-midi synth: {}", synthesizer.message())};
  } else {
    voice->set_advice(fmt::format("the guest plays MIDI, which is not heard: {}", synthesizer.message()));
  }
  return {};
}

}  // namespace relic86
