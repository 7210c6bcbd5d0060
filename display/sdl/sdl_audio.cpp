// Sound by SDL, which knows the host's sound systems (PipeWire, PulseAudio, ALSA ...).
#include <SDL.h>

#include <algorithm>
#include <memory>

#include "audio/host_audio.h"
#include "audio/paced_ring.h"

namespace relic86 {

namespace {

// From the guest to the loudspeaker: up to 13 ms until it is mixed, what waits in the ring, and two of the host's
// periods, which are 6 ms at 44.1 kHz.
constexpr u16 kPeriod = 256;            // frames that the host asks for at once, up to 48 kHz
constexpr u32 kBufferUs = 12'000;       // that wait in the ring
constexpr u32 kMostWaitingUs = 12'000;  // beyond that
constexpr u32 kSecondUs = 1'000'000;
constexpr u32 kUsualRate = 48'000;

class SdlAudio final : public AudioOutput {
 public:
  static std::unique_ptr<SdlAudio> open(const HostAudioSettings& settings, std::string& error) {
    if (SDL_InitSubSystem(SDL_INIT_AUDIO) != 0) {
      error = SDL_GetError();
      return nullptr;
    }
    std::unique_ptr<SdlAudio> audio(new SdlAudio(settings));
    SDL_AudioSpec wanted{};
    wanted.freq = static_cast<int>(settings.rate);
    wanted.format = AUDIO_F32SYS;
    wanted.channels = static_cast<u8>(settings.channels);
    wanted.samples = settings.rate > kUsualRate ? 4 * kPeriod : kPeriod;
    wanted.callback = [](void* self, u8* bytes, int count) {
      static_cast<SdlAudio*>(self)->fill(reinterpret_cast<float*>(bytes), static_cast<std::size_t>(count));
    };
    wanted.userdata = audio.get();
    SDL_AudioSpec got{};
    audio->device_ = SDL_OpenAudioDevice(nullptr, 0, &wanted, &got, 0);
    if (audio->device_ == 0) {
      error = SDL_GetError();
      return nullptr;
    }
    SDL_PauseAudioDevice(audio->device_, 0);
    return audio;
  }
  ~SdlAudio() override {
    if (device_ != 0) SDL_CloseAudioDevice(device_);
    SDL_QuitSubSystem(SDL_INIT_AUDIO);
  }
  SdlAudio(const SdlAudio&) = delete;
  SdlAudio& operator=(const SdlAudio&) = delete;

  void write(std::span<const StereoFrame> frames) override { ring_.write(frames); }
  void silence(u64 frames) override { ring_.silence(frames); }
  void rest() override { ring_.rest(); }

 private:
  explicit SdlAudio(const HostAudioSettings& settings) : channels_(settings.channels), ring_(ring_settings(settings)) {}

  static PacedRing::Settings ring_settings(const HostAudioSettings& settings) {
    const u64 wait = settings.buffer_us == 0 ? kBufferUs : settings.buffer_us;
    const auto frames = [&](u64 us) { return static_cast<u32>(us * settings.rate / kSecondUs); };
    const u32 target = std::max<u32>(frames(wait), kPeriod + kPeriod / 2);
    return {target, target + frames(kMostWaitingUs)};
  }

  // The host's audio thread.
  void fill(float* samples, std::size_t bytes) {
    frames_.resize(bytes / (sizeof(float) * channels_));
    ring_.read(frames_);
    for (const StereoFrame& frame : frames_) {
      const float left = std::clamp(frame.left, -1.0f, 1.0f), right = std::clamp(frame.right, -1.0f, 1.0f);
      if (channels_ == 1) {
        *samples++ = (left + right) / 2;
      } else {
        *samples++ = left;
        *samples++ = right;
      }
    }
  }

  unsigned channels_;
  PacedRing ring_;
  SDL_AudioDeviceID device_ = 0;
  std::vector<StereoFrame> frames_;
};

}  // namespace

}  // namespace relic86

extern "C" __attribute__((visibility("default"))) relic86::AudioOutput* relic86_open_audio(
    const relic86::HostAudioSettings& settings, std::string& error) {
  return relic86::SdlAudio::open(settings, error).release();
}
