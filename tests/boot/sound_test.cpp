// Guests of our own play known tones, which are measured on the recording of -audiodev wav: pitch within 0.1 %, level,
// no gap of 2 ms. Time is counted, so that neither the host's speed nor its load is heard.
#include <dlfcn.h>

#include <cmath>
#include <fstream>
#include <numbers>
#include <regex>

#include "build_features.h"
#include "frontend/consoles.h"
#include "tests/audio/recording.h"
#include "tests/audio/soundfont.h"
#include "tests/boot/boot_machine.h"

namespace relic86 {
namespace {

using test::BootMachine;
using test::make_disk;
using test::Recording;
using test::Tone;
using test::tones;

constexpr double kPitch = 0.001, kLevel = 0.03, kGap = 0.002;
const double kTriangle = 24000.0 / 32768 / std::sqrt(3.0);  // level of the guests' triangle waves

class Sound : public testing::TestWithParam<const char*> {
 protected:
  // Boots the guest and returns what it wrote to port E9h; the recording is in `recording`.
  std::string play(const std::string& guest, std::vector<std::string> options, double seconds = 12,
                   std::unique_ptr<Synthesizer> synthesizer = nullptr) {
    const std::string log = folder.path("output");
    const std::string wav = folder.path("sound.wav");
    std::vector<std::string> arguments{"-hda",      make_disk(folder, "disk.img", guest),
                                       "-accel",    GetParam(),
                                       "-debugcon", "file:" + log,
                                       "-device",   "isa-debug-exit,iobase=0xf4,iosize=4",
                                       "-audiodev", "wav,id=a,path=" + wav};
    arguments.insert(arguments.end(), options.begin(), options.end());
    {
      BootMachine machine(arguments, seconds);
      if (synthesizer) machine->audio().midi()->connect(std::move(synthesizer));
      auto consoles = Consoles::create(machine->options(), *machine, machine.poller);
      EXPECT_TRUE(consoles.ok()) << consoles.message();
      EXPECT_EQ(machine->run(), End::DebugExit);
      hash = machine->state_hash();
    }
    recording = test::read_wav(wav);
    const std::string text = folder.read("output");
    return text.substr(text.rfind('\n') + 1);
  }
  static void expect_tone(const Tone& tone, double frequency, double level) {
    EXPECT_NEAR(tone.frequency, frequency, frequency * kPitch);
    EXPECT_NEAR(tone.level, level, level * kLevel);
    EXPECT_LT(tone.longest_gap, kGap);
  }

  test::TemporaryFolder folder;
  Recording recording;
  u64 hash = 0;
};

TEST_P(Sound, Speaker) {
  play("sound_speaker.bin", {"-machine", "pcspk-audiodev=a"});
  const auto heard = tones(recording, recording.left);
  ASSERT_EQ(heard.size(), 3u);
  constexpr double kClock = 1193181.8, kSquare = 0.15;
  expect_tone(heard[0], kClock / 1193, kSquare);
  expect_tone(heard[1], kClock / 2712, kSquare);
  EXPECT_EQ(recording.left, recording.right);
  // The pulses' own frequency is far above the tone: it is averaged away, and a little of the tone with it.
  constexpr unsigned kSmoothing = 6, kPasses = 3;
  const auto pulses = tones(recording, recording.left, kSmoothing);
  const double pitch = kClock / 75 / 16, angle = std::numbers::pi * pitch * kSmoothing / recording.rate;
  const double sine = 0.3 * 24 / 75 / std::sqrt(2.0) * std::pow(std::sin(angle) / angle, kPasses);
  EXPECT_NEAR(pulses[2].frequency, pitch, pitch * kPitch);
  EXPECT_NEAR(pulses[2].level, sine, sine * kLevel);
  EXPECT_LT(pulses[2].longest_gap, kGap);
}

TEST_P(Sound, FmSynthesis) {
  EXPECT_EQ(play("sound_opl.bin", {"-device", "sb16,audiodev=a"}), "00C000");
  const auto left = tones(recording, recording.left), right = tones(recording, recording.right);
  ASSERT_EQ(left.size(), 2u);
  const double level = left[0].level;
  EXPECT_GT(level, 0.05);
  expect_tone(left[0], 580 * 49716 / 65536.0, level);
  expect_tone(right[0], 580 * 49716 / 65536.0, level);
  EXPECT_LT(left[1].level, 0.001);
  expect_tone(right[1], 580 * 49716 / 32768.0, level);
}

TEST_P(Sound, Adlib) {
  EXPECT_EQ(play("sound_opl.bin", {"-device", "adlib,audiodev=a"}), "06C606");
  const auto left = tones(recording, recording.left), right = tones(recording, recording.right);
  ASSERT_EQ(left.size(), 1u);
  expect_tone(left[0], 580 * 49716 / 65536.0, right[0].level);
  expect_tone(right[0], 580 * 49716 / 65536.0, left[0].level);
}

TEST_P(Sound, SoundBlaster16) {
  EXPECT_EQ(play("sound_sb16.bin", {"-device", "sb16,audiodev=a"}), "AA0405 0301 0401 0201 0602 0602 0302 0202");
  struct Way {
    double rate, seconds;
    bool stereo;
  };
  constexpr Way kWays[] = {{1e6 / 45, 3 * 4000 * 45 / 1e6, false}, {22050, 4 * 4000 / 22050.0, true},
                           {11025, 2 * 4000 / 11025.0, false},     {44100, 6 * 4000 / 44100.0, false},
                           {44100, 6 * 4000 / 44100.0, true},      {22050, 3 * 4000 / 22050.0, true},
                           {8000, 2 * 4000 / 8000.0, false}};
  const auto left = tones(recording, recording.left), right = tones(recording, recording.right);
  ASSERT_EQ(left.size(), std::size(kWays));
  for (std::size_t i = 0; i < left.size(); i++) {
    SCOPED_TRACE(i);
    expect_tone(left[i], kWays[i].rate / 48, kTriangle);
    expect_tone(right[i], kWays[i].rate / (kWays[i].stereo ? 24 : 48), kTriangle);
    EXPECT_NEAR(left[i].end - left[i].begin, kWays[i].seconds, 0.005);
  }
}

// The MIDI output of a Sound Blaster 16, and of a card of its own, on a synthesizer whose notes are known exactly.
TEST_P(Sound, Midi) {
#ifdef RELIC86_MIDI_LIBRARY
  void* const library = dlopen(RELIC86_MIDI_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  auto* const open = reinterpret_cast<OpenSynthesizer*>(dlsym(library, "relic86_open_synthesizer"));
  ASSERT_NE(open, nullptr);
  SynthesizerSettings settings;
  settings.soundfont = folder.path("sine.sf2");
  test::write_soundfont(settings.soundfont);
  for (const char* card : {"sb16,audiodev=a", "mpu401,audiodev=a"}) {
    std::string error;
    std::unique_ptr<Synthesizer> synthesizer(open(settings, error));
    ASSERT_NE(synthesizer, nullptr) << error;
    EXPECT_EQ(play("sound_midi.bin", {"-device", card}, 12, std::move(synthesizer)), "FEFE");
    const auto left = tones(recording, recording.left), right = tones(recording, recording.right);
    ASSERT_EQ(left.size(), 2u);
    for (std::size_t i = 0; i < left.size(); i++) {
      expect_tone(left[i], test::kSineFrequency * static_cast<double>(i + 1), left[0].level);
      expect_tone(right[i], test::kSineFrequency * static_cast<double>(i + 1), left[0].level);
      EXPECT_NEAR(left[i].end - left[i].begin, 0.5, 0.1);
    }
    EXPECT_GT(left[0].level, 0.05);
  }
#else
  GTEST_SKIP() << "relic86 was built without FluidSynth (libfluidsynth-dev)";
#endif
}

// The same as messages for another program.
TEST_P(Sound, MidiOnALine) {
  const std::string file = folder.path("messages");
  EXPECT_EQ(play("sound_midi.bin",
                 {"-device", "sb16,audiodev=a", "-chardev", "file,id=m,path=" + file, "-midi", "chardev=m"}),
            "FEFE");
  const std::string said = folder.read("messages");
  EXPECT_NE(said.find("\x90\x45\x64\x90\x45"), std::string::npos);  // whole messages
  EXPECT_TRUE(said.ends_with(std::string("\x90\x51\x64\x90\x51\0", 6)));
  EXPECT_TRUE(tones(recording, recording.left).empty());
}

// A disc of a data track and one of sound: a triangle wave of 49 frames left, of 98 right, for a second.
std::string make_disc(const test::TemporaryFolder& folder) {
  constexpr unsigned kSector = 2352, kFrames = 44100;
  std::string image(20 * kSector, '\0');
  for (unsigned i = 0; i < kFrames; i++) {
    for (const unsigned period : {49u, 98u}) {
      const double phase = static_cast<double>(i % period) / period;
      const double value = 24000 * (phase < 0.5 ? 4 * phase - 1 : 3 - 4 * phase);
      const auto sample = static_cast<u16>(static_cast<i16>(std::lround(value)));
      image += static_cast<char>(sample);
      image += static_cast<char>(sample >> 8);
    }
  }
  std::ofstream(folder.path("disc.bin"), std::ios::binary) << image;
  std::ofstream(folder.path("disc.cue")) << "FILE \"disc.bin\" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n"
                                            "  TRACK 02 AUDIO\n    INDEX 01 00:00:20\n";
  return folder.path("disc.cue");
}

// Through the mixer of a sound card, and without one.
TEST_P(Sound, CompactDisc) {
  for (const char* card : {"sb16,audiodev=a", "pc-testdev"}) {
    SCOPED_TRACE(card);
    EXPECT_EQ(play("sound_cd.bin", {"-cdrom", make_disc(folder), "-boot", "c", "-device", card}), "1113");
    const auto left = tones(recording, recording.left), right = tones(recording, recording.right);
    ASSERT_EQ(left.size(), 1u);
    expect_tone(left[0], 44100 / 49.0, kTriangle);
    expect_tone(right[0], 44100 / 98.0, kTriangle);
    EXPECT_NEAR(left[0].end - left[0].begin, 1, 0.005);
  }
}

TEST_P(Sound, Ac97) {
  EXPECT_EQ(play("sound_ac97.bin", {"-device", "AC97,audiodev=a"}), "01010F01");
  const auto left = tones(recording, recording.left), right = tones(recording, recording.right);
  ASSERT_EQ(left.size(), 2u);
  expect_tone(left[0], 48000 / 96.0, kTriangle);
  expect_tone(right[0], 48000 / 48.0, kTriangle);
  expect_tone(left[1], 22050 / 96.0, kTriangle);
  expect_tone(right[1], 22050 / 48.0, kTriangle);
  EXPECT_NEAR(left[1].end - left[1].begin, 9600 / 22050.0, 0.005);
}

TEST_P(Sound, Es1370) {
  EXPECT_EQ(play("sound_es1370.bin", {"-device", "ES1370,audiodev=a"}), "0200");
  const auto left = tones(recording, recording.left), right = tones(recording, recording.right);
  ASSERT_EQ(left.size(), 2u);
  expect_tone(left[0], 22050 / 96.0, kTriangle);
  expect_tone(right[0], 22050 / 48.0, kTriangle);
  expect_tone(left[1], 11025 / 96.0, kTriangle);
  expect_tone(right[1], 11025 / 96.0, kTriangle);
}

TEST_P(Sound, HighDefinitionAudio) {
  EXPECT_EQ(play("sound_hda.bin", {"-device", "intel-hda", "-device", "hda-output,audiodev=a"}), "01120504");
  const auto left = tones(recording, recording.left), right = tones(recording, recording.right);
  constexpr double kRates[] = {48000, 22050, 96000};
  ASSERT_EQ(left.size(), std::size(kRates));
  for (std::size_t i = 0; i < left.size(); i++) {
    SCOPED_TRACE(kRates[i]);
    expect_tone(left[i], kRates[i] / 96, kTriangle);
    expect_tone(right[i], kRates[i] / 48, kTriangle);
    EXPECT_NEAR(left[i].end - left[i].begin, 11 * 0.0549, 0.06);
  }
}

// The same tones, without gaps, while the guest draws and reads its disk.
TEST_P(Sound, VideoAndDiskAreNotHeard) {
  const std::pair<const char*, std::vector<std::string>> kCards[] = {
      {"sound_speaker", {"-machine", "pcspk-audiodev=a"}},
      {"sound_opl", {"-device", "sb16,audiodev=a"}},
      {"sound_sb16", {"-device", "sb16,audiodev=a"}},
      {"sound_ac97", {"-device", "AC97,audiodev=a"}},
      {"sound_es1370", {"-device", "ES1370,audiodev=a"}},
      {"sound_hda", {"-device", "intel-hda", "-device", "hda-output,audiodev=a"}}};
  for (const auto& [guest, options] : kCards) {
    SCOPED_TRACE(guest);
    const std::string said = play(std::string(guest) + ".bin", options);
    const auto alone = tones(recording, recording.left);
    EXPECT_EQ(play(std::string(guest) + "_load.bin", options), said);
    const auto loaded = tones(recording, recording.left);
    ASSERT_EQ(loaded.size(), alone.size());
    for (std::size_t i = 0; i < alone.size(); i++) {
      SCOPED_TRACE(i);
      expect_tone(loaded[i], alone[i].frequency, alone[i].level);
    }
  }
}

// Whether and how somebody listens, no guest can tell.
TEST_P(Sound, IsNothingToTheGuest) {
  const std::string loud = play("sound_sb16.bin", {"-device", "sb16,audiodev=a", "-machine", "pcspk-audiodev=a"});
  const u64 heard = hash;
  EXPECT_EQ(play("sound_sb16.bin", {"-audiodev", "none,id=n", "-device", "sb16,audiodev=n"}), loud);
  EXPECT_EQ(hash, heard);
  play("sound_speaker.bin", {"-machine", "pcspk-audiodev=a"});
  const u64 speaker = hash;
  play("sound_speaker.bin", {});
  EXPECT_EQ(hash, speaker);
  EXPECT_TRUE(tones(recording, recording.left).empty());
}

#ifdef RELIC86_JIT
// Debian's i386 kernel and ALSA's own player (scripts/guests linuxsound).
TEST(LinuxSound, DriversFindAndPlayEachCard) {
  const char* cache = std::getenv("RELIC86_CACHE");
  const std::string guest = std::string(cache != nullptr ? cache : RELIC86_DEFAULT_CACHE) + "/guests/linuxsound";
  if (!std::filesystem::exists(guest + "/done2")) GTEST_SKIP() << "scripts/guests linuxsound makes the guest";
  test::TemporaryFolder folder;
  const std::string wav = folder.path("sound.wav"), serial = folder.path("serial");
  // What the guest does last says how each driver was interrupted.
  const std::string append =
      "console=ttyS0 quiet rdinit=/bin/sh -- -c "
      "\"poweroff() { cat /proc/interrupts; /bin/poweroff -f; }; . /init\"";
  {
    BootMachine machine({"-m",        "128",
                         "-kernel",   guest + "/vmlinuz",
                         "-initrd",   guest + "/initrd.gz",
                         "-append",   append,
                         "-serial",   "file:" + serial,
                         "-audiodev", "wav,id=a,path=" + wav,
                         "-device",   "sb16,audiodev=a",
                         "-device",   "AC97,audiodev=a",
                         "-device",   "ES1370,audiodev=a",
                         "-device",   "intel-hda",
                         "-device",   "hda-duplex,audiodev=a"},
                        300);
    auto consoles = Consoles::create(machine->options(), *machine, machine.poller);
    ASSERT_TRUE(consoles.ok());
    EXPECT_EQ(machine->run(), End::PowerOff);
    consoles.value()->flush();
  }
  const std::string said = folder.read("serial");
  const Recording recording = test::read_wav(wav);
  const auto left = tones(recording, recording.left), right = tones(recording, recording.right);
  ASSERT_EQ(left.size(), 4u) << said;
  for (std::size_t card = 0; card < 4; card++) {
    EXPECT_NE(said.find("card " + std::to_string(card) + " played"), std::string::npos) << said;
    const double frequency = 441.0 * static_cast<double>(card + 1);
    EXPECT_NEAR(left[card].frequency, frequency, frequency * kPitch);
    EXPECT_NEAR(right[card].frequency, frequency, frequency * kPitch);
    EXPECT_NEAR(left[card].level, 16000.0 / 32768 / std::sqrt(2), 0.02);
    EXPECT_LT(left[card].longest_gap, kGap);
    EXPECT_NEAR(left[card].end - left[card].begin, 1.5, 0.1);
  }
  EXPECT_TRUE(std::regex_search(said, std::regex("[0-9]+: +[1-9][0-9]* +PCI-MSI[^\n]* snd_hda_intel"))) << said;
}

INSTANTIATE_TEST_SUITE_P(Engines, Sound, testing::Values("interp", "jit"));
#else
INSTANTIATE_TEST_SUITE_P(Engines, Sound, testing::Values("interp"));
#endif

}  // namespace
}  // namespace relic86
