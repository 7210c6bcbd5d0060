#include "audio/audio_system.h"

#include <fmt/format.h>

#include <algorithm>

#include "audio/wav_output.h"

namespace relic86 {

namespace {

constexpr GuestTime kMicrosecond = 1000;
// Time between what the guest plays and the mix. A file can wait for slow filters; who listens cannot.
constexpr GuestTime kDelayOfFiles = 20'000'000, kDelayOfListeners = 8'000'000;

Result<std::unique_ptr<AudioOutput>> open_wav(const AudioDeviceOption& option) {
  WavSettings settings;
  settings.path = option.path;
  settings.rate = option.frequency;
  settings.channels = option.channels;
  settings.format = option.format;
  auto output = WavOutput::create(settings);
  if (!output) return Error{fmt::format("-audiodev wav,id={},path={}: {}", option.id, option.path, output.message())};
  return std::unique_ptr<AudioOutput>(std::move(output).value());
}

}  // namespace

Result<std::unique_ptr<AudioSystem>> AudioSystem::create(const Options& options) {
  auto system = std::make_unique<AudioSystem>();
  for (const AudioDeviceOption& option : options.audio_devices) {
    MixerSettings settings;
    settings.rate = option.frequency;
    if (option.timer_period != 0) settings.period = option.timer_period * kMicrosecond;
    settings.delay = option.driver == "wav" ? kDelayOfFiles : kDelayOfListeners;
    if (system->mixers_.empty()) system->first_ = option.id;
    if (option.driver == "none") {
      system->mixers_.emplace(option.id, nullptr);
      continue;
    }
    auto mixer = std::make_unique<AudioMixer>(settings);
    if (option.driver == "wav") {
      auto output = open_wav(option);
      if (!output) return output.error();
      mixer->connect(std::move(output).value(), 0);
    }
    if (option.driver == "sdl") system->played_.insert(option.id);
    system->mixers_.emplace(option.id, std::move(mixer));
  }
  return system;
}

AudioMixer* AudioSystem::mixer(const std::string& id) {
  const auto at = mixers_.find(id.empty() ? first_ : id);
  return at == mixers_.end() ? nullptr : at->second.get();
}

SoundHost* AudioSystem::host(const std::string& id) { return mixer(id); }

MidiInstrument& AudioSystem::instrument(const std::string& id) {
  if (midi_ == nullptr) midi_ = std::make_unique<MidiVoice>(host(id));
  return *midi_;
}

void AudioSystem::set_volume(unsigned percent) {
  constexpr unsigned kAll = 100;
  volume_ = std::min(percent, kAll);
  // By the square: half the way sounds about half as loud.
  const float part = static_cast<float>(volume_) / kAll;
  for (const std::string& id : played_) mixers_[id]->set_gain(part * part);
}

Result<> AudioSystem::record(const std::string& path, GuestTime now) {
  AudioMixer* const first = mixer("");
  if (first == nullptr || !first->connected())
    return Error{"there is no sound to record; start the machine with -audiodev sdl,id=a and a sound card"};
  if (path.empty()) {
    first->record(nullptr, now);
    recording_.clear();
    return {};
  }
  WavSettings settings;
  settings.path = path;
  settings.rate = first->output_rate();
  auto output = WavOutput::create(settings);
  if (!output) return Error{fmt::format("{}: {}", path, output.message())};
  first->record(std::move(output).value(), now);
  recording_ = path;
  return {};
}

u32 AudioSystem::recordable_rate() {
  AudioMixer* const first = mixer("");
  return first != nullptr && first->connected() ? first->output_rate() : 0;
}

void AudioSystem::record_to(std::unique_ptr<AudioOutput> recording, GuestTime now) {
  if (AudioMixer* const first = mixer(""); first != nullptr && first->connected())
    first->record(std::move(recording), now);
}

GuestTime AudioSystem::next_advance() const {
  GuestTime next = INT64_MAX;
  for (const auto& [id, mixer] : mixers_) {
    if (mixer) next = std::min(next, mixer->next_advance());
  }
  return next;
}

void AudioSystem::advance(GuestTime now) {
  for (const auto& [id, mixer] : mixers_) {
    if (mixer && mixer->next_advance() <= now) mixer->advance(now);
  }
}

void AudioSystem::finish(GuestTime now) {
  for (const auto& [id, mixer] : mixers_) {
    if (mixer) mixer->finish(now);
  }
}

void AudioSystem::restart(GuestTime now) {
  for (const auto& [id, mixer] : mixers_) {
    if (mixer) mixer->restart(now);
  }
}

}  // namespace relic86
