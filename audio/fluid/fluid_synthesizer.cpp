// FluidSynth as the synthesizer of relic86-midi.so.
#include <fluidsynth.h>
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "audio/synthesizer.h"

namespace relic86 {

namespace {

struct DeleteSettings {
  void operator()(fluid_settings_t* settings) const { delete_fluid_settings(settings); }
};
struct DeleteSynth {
  void operator()(fluid_synth_t* synth) const { delete_fluid_synth(synth); }
};

class FluidSynthesizer final : public Synthesizer {
 public:
  // Empty: it plays. Else: what is wrong.
  std::string open(const SynthesizerSettings& wanted) {
    settings_.reset(new_fluid_settings());
    if (settings_ == nullptr) return "no memory";
    fluid_settings_t* const settings = settings_.get();
    fluid_settings_setnum(settings, "synth.sample-rate", wanted.rate);
    fluid_settings_setnum(settings, "synth.gain", wanted.gain);
    fluid_settings_setint(settings, "synth.threadsafe-api", 0);  // one thread plays it
    fluid_settings_setint(settings, "synth.lock-memory", 0);
    synth_.reset(new_fluid_synth(settings));
    if (synth_ == nullptr) return "FluidSynth cannot be set up";
    constexpr int kResetPresets = 1;
    if (fluid_synth_sfload(synth_.get(), wanted.soundfont.c_str(), kResetPresets) == FLUID_FAILED)
      return fmt::format("{}: is no soundfont, or cannot be read", wanted.soundfont);
    return {};
  }

  void message(std::span<const u8> bytes) override {
    constexpr u8 kExclusive = 0xF0;
    fluid_synth_t* const synth = synth_.get();
    const int channel = bytes[0] & 0x0F;
    const int first = bytes.size() > 1 ? bytes[1] : 0, second = bytes.size() > 2 ? bytes[2] : 0;
    switch (bytes[0] & 0xF0) {
      case 0x80: fluid_synth_noteoff(synth, channel, first); break;
      case 0x90: fluid_synth_noteon(synth, channel, first, second); break;
      case 0xA0: fluid_synth_key_pressure(synth, channel, first, second); break;
      case 0xB0: fluid_synth_cc(synth, channel, first, second); break;
      case 0xC0: fluid_synth_program_change(synth, channel, first); break;
      case 0xD0: fluid_synth_channel_pressure(synth, channel, first); break;
      case 0xE0: fluid_synth_pitch_bend(synth, channel, second << 7 | first); break;
      default:
        // Without the bytes that begin and end it.
        if (bytes[0] == kExclusive && bytes.size() > 2) {
          const std::vector<char> data(bytes.begin() + 1, bytes.end() - 1);
          fluid_synth_sysex(synth, data.data(), static_cast<int>(data.size()), nullptr, nullptr, nullptr, 0);
        }
        break;
    }
  }

  void reset() override { fluid_synth_system_reset(synth_.get()); }

  void render(std::span<StereoFrame> frames) override {
    float* const samples = &frames.front().left;
    static_assert(sizeof(StereoFrame) == 2 * sizeof(float));
    fluid_synth_write_float(synth_.get(), static_cast<int>(frames.size()), samples, 0, 2, samples, 1, 2);
  }

  bool sounding() const override { return fluid_synth_get_active_voice_count(synth_.get()) > 0; }

 private:
  std::unique_ptr<fluid_settings_t, DeleteSettings> settings_;
  std::unique_ptr<fluid_synth_t, DeleteSynth> synth_;  // goes before its settings
};

void say_nothing(int, const char*, void*) {}

}  // namespace

extern "C" __attribute__((visibility("default"))) Synthesizer* relic86_open_synthesizer(
    const SynthesizerSettings& settings, std::string& error) {
  // What it would print about details of soundfonts is of no use to a player of games; what fails is in error.
  for (const int level : {FLUID_PANIC, FLUID_ERR, FLUID_WARN, FLUID_INFO, FLUID_DBG})
    fluid_set_log_function(level, say_nothing, nullptr);
  auto synthesizer = std::make_unique<FluidSynthesizer>();
  error = synthesizer->open(settings);
  return error.empty() ? synthesizer.release() : nullptr;
}

}  // namespace relic86
