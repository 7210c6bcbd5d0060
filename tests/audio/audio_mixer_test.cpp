// The mixer and its voices: what is played when, at which rate, is where it belongs on the output's line of time.
#include "audio/audio_mixer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "tests/audio/recording.h"

namespace relic86 {
namespace {

using std::numbers::pi;
constexpr GuestTime kSecond = 1'000'000'000, kMillisecond = 1'000'000;
constexpr u32 kRate = 44100;

struct Heard {
  std::vector<StereoFrame> frames;
  u64 silent = 0;  // told as silence
  unsigned rests = 0;
};

class Collector final : public AudioOutput {
 public:
  explicit Collector(Heard& heard) : heard_(heard) {}
  void write(std::span<const StereoFrame> frames) override {
    heard_.frames.insert(heard_.frames.end(), frames.begin(), frames.end());
  }
  void silence(u64 frames) override {
    heard_.silent += frames;
    heard_.frames.resize(heard_.frames.size() + frames);
  }
  void rest() override { heard_.rests++; }

 private:
  Heard& heard_;
};

struct Mixing : testing::Test {
  Mixing() : mixer(MixerSettings{kRate, 5 * kMillisecond, 20 * kMillisecond}) {
    mixer.connect(std::make_unique<Collector>(heard), 0);
  }
  // Plays a sine wave of 1 kHz from `at` on in pieces of these lengths, the mixer running beside it.
  void play_sine(SoundSink& voice, GuestTime at, SampleRate rate, u64 frames, std::mt19937& random, u64 longest) {
    for (u64 done = 0; done < frames;) {
      const u64 count = std::min<u64>(frames - done, 1 + random() % longest);
      std::vector<StereoFrame> piece;
      for (u64 i = 0; i < count; i++) {
        const double time = static_cast<double>(done + i) * rate.denominator / rate.numerator;
        const float value = static_cast<float>(0.5 * std::sin(2 * pi * 1000 * time));
        piece.push_back({value, -value});
      }
      voice.play(at + rate.time_of(done), rate, piece);
      done += count;
      advance(at + rate.time_of(done));
    }
  }
  void advance(GuestTime now) {
    if (mixer.next_advance() <= now) mixer.advance(now);
  }
  test::Recording recording() const {
    test::Recording result;
    result.rate = kRate;
    for (const StereoFrame& frame : heard.frames) {
      result.left.push_back(frame.left);
      result.right.push_back(frame.right);
    }
    return result;
  }

  Heard heard;
  AudioMixer mixer;
};

TEST_F(Mixing, PlaysAnyRateAtItsPlace) {
  std::mt19937 random(1);
  SoundSink& voice = mixer.add_voice(nullptr);
  GuestTime at = 100 * kMillisecond;
  const SampleRate rates[] = {{4000}, {8000}, {1'000'000, 91}, {22050}, {44100}, {48000}, {49716}};
  for (const SampleRate& rate : rates) {
    play_sine(voice, at, rate, rate.frames_in(kSecond / 2), random, 300);
    at += kSecond;
  }
  mixer.finish(at);
  EXPECT_EQ(heard.frames.size(), 7u * kRate + kRate / 10);
  const auto result = recording();
  const auto tones = test::tones(result, result.left);
  ASSERT_EQ(tones.size(), 7u);
  for (std::size_t i = 0; i < 7; i++) {
    SCOPED_TRACE(i);
    EXPECT_NEAR(tones[i].begin, 0.1 + static_cast<double>(i), 0.002);
    EXPECT_NEAR(tones[i].end - tones[i].begin, 0.5, 0.003);
    EXPECT_NEAR(tones[i].frequency, 1000, 0.1);
    EXPECT_NEAR(tones[i].level, 0.5 / std::sqrt(2), 0.004);
    EXPECT_LT(tones[i].longest_gap, 0.001);
  }
  for (std::size_t i = 0; i < result.left.size(); i++) EXPECT_NEAR(result.left[i], -result.right[i], 1e-6);
}

// The pieces in which a device hands over its samples, and when it does so, are not heard.
TEST_F(Mixing, PiecesLeaveNoTrace) {
  std::vector<StereoFrame> whole;
  for (const u64 longest : {u64{1} << 20, u64{7}, u64{500}}) {
    std::mt19937 random(3);
    Heard other;
    AudioMixer again(MixerSettings{kRate, 5 * kMillisecond, 20 * kMillisecond});
    again.connect(std::make_unique<Collector>(other), 0);
    SoundSink& voice = again.add_voice(nullptr);
    const SampleRate rate{22050};
    u64 done = 0;
    while (done < 11025) {
      const u64 count = std::min<u64>(11025 - done, 1 + random() % longest);
      std::vector<StereoFrame> piece;
      for (u64 i = 0; i < count; i++) {
        const float value = static_cast<float>(std::sin(2 * pi * 440 * static_cast<double>(done + i) / 22050));
        piece.push_back({value, value});
      }
      voice.play(rate.time_of(done), rate, piece);
      done += count;
      if (again.next_advance() <= rate.time_of(done)) again.advance(rate.time_of(done));
    }
    again.finish(kSecond);
    if (whole.empty()) whole = other.frames;
    ASSERT_EQ(other.frames.size(), whole.size());
    for (std::size_t i = 0; i < whole.size(); i++) ASSERT_NEAR(other.frames[i].left, whole[i].left, 1e-5) << i;
  }
}

TEST_F(Mixing, ShortGapsAreHeldAndLongOnesSilent) {
  SoundSink& voice = mixer.add_voice(nullptr);
  const std::vector<StereoFrame> block(441, StereoFrame{0.5f, 0.5f});  // 10 ms
  const SampleRate rate{44100};
  for (int i = 0; i < 20; i++) voice.play(i * 11 * kMillisecond, rate, block);  // a millisecond between two
  const GuestTime later = 20 * 11 * kMillisecond + 100 * kMillisecond;
  voice.play(later, rate, block);
  mixer.finish(later + kSecond);
  const auto at = [&](GuestTime time) { return heard.frames[static_cast<std::size_t>(time * kRate / kSecond)].left; };
  for (GuestTime time = kMillisecond; time < 219 * kMillisecond; time += kMillisecond / 4)
    EXPECT_NEAR(at(time), 0.5, 0.01);
  EXPECT_NEAR(at(later - 50 * kMillisecond), 0, 1e-4);
  EXPECT_NEAR(at(later + 5 * kMillisecond), 0.5, 0.01);
  EXPECT_NEAR(at(later + 50 * kMillisecond), 0, 1e-4);
}

// A device that is late is heard late, and without a gap.
TEST_F(Mixing, LateSamplesAreNotLost) {
  std::mt19937 random(5);
  SoundSink& voice = mixer.add_voice(nullptr);
  LevelSink& level = mixer.add_level(nullptr);
  level.level(0, {0.001f, 0.001f});  // so that time goes on
  for (GuestTime now = 0; now <= 200 * kMillisecond; now += 5 * kMillisecond) mixer.advance(now);
  play_sine(voice, 100 * kMillisecond, {8000}, 4000, random, 100);
  mixer.finish(2 * kSecond);
  const auto result = recording();
  const auto tones = test::tones(result, result.left);
  ASSERT_EQ(tones.size(), 1u);
  EXPECT_NEAR(tones[0].end - tones[0].begin, 0.5, 0.005);
  EXPECT_NEAR(tones[0].frequency, 1000, 0.1);
}

TEST_F(Mixing, TimeWithoutSoundCostsNothing) {
  LevelSink& level = mixer.add_level(nullptr);
  EXPECT_EQ(mixer.next_advance(), INT64_MAX);
  const GuestTime late = 100 * kSecond;
  level.level(late, {0.5f, 0.5f});
  EXPECT_LE(mixer.next_advance(), late);
  GuestTime now = late;
  while (mixer.next_advance() != INT64_MAX) {
    now = std::max(now, mixer.next_advance());
    mixer.advance(now);
    ASSERT_LT(now, late + 10 * kSecond) << "a constant level is never over";
  }
  EXPECT_GE(heard.silent, u64{kRate} * 99);
  EXPECT_EQ(heard.rests, 1u);
  mixer.finish(late + 20 * kSecond);
  EXPECT_EQ(heard.frames.size(), u64{kRate} * 120);
}

TEST_F(Mixing, AJumpOfTimeGoesOnWhereItWas) {
  std::mt19937 random(7);
  SoundSink& voice = mixer.add_voice(nullptr);
  play_sine(voice, 0, {44100}, 22050, random, 200);
  const std::size_t before = heard.frames.size();
  mixer.restart(1000 * kSecond);
  play_sine(voice, 1000 * kSecond, {44100}, 22050, random, 200);
  mixer.finish(1001 * kSecond);
  EXPECT_NEAR(static_cast<double>(heard.frames.size() - before), kRate, 2);
  mixer.restart(5 * kSecond);  // backwards
  play_sine(voice, 5 * kSecond, {44100}, 22050, random, 200);
  mixer.finish(6 * kSecond);
  EXPECT_NEAR(static_cast<double>(heard.frames.size() - before), 2 * kRate, 4);
}

// Nobody listens: nothing is made, and nothing fails.
TEST(SilentMixer, TakesEverything) {
  AudioMixer mixer(MixerSettings{});
  SoundSink& voice = mixer.add_voice(nullptr);
  mixer.add_level(nullptr).level(5, {1, 1});
  voice.play(10, {44100}, std::vector<StereoFrame>(100));
  EXPECT_EQ(mixer.next_advance(), INT64_MAX);
  mixer.advance(kSecond);
  mixer.finish(kSecond);
}

// The amplitude of one frequency, by correlation.
double amplitude(const std::vector<StereoFrame>& frames, std::size_t first, std::size_t count, double frequency) {
  double real = 0, imaginary = 0;
  for (std::size_t i = 0; i < count; i++) {
    const double angle = 2 * pi * frequency * static_cast<double>(first + i) / kRate;
    const double window = 0.5 - 0.5 * std::cos(2 * pi * static_cast<double>(i) / static_cast<double>(count));
    real += frames[first + i].left * window * std::cos(angle);
    imaginary += frames[first + i].left * window * std::sin(angle);
  }
  return 4 * std::hypot(real, imaginary) / static_cast<double>(count);
}

// A square wave holds its odd harmonics and nothing else: what lies beyond half the rate does not come back mirrored.
TEST_F(Mixing, SquareWavesDoNotAlias) {
  LevelSink& level = mixer.add_level(nullptr);
  constexpr double kFrequency = 3137;
  for (int i = 0; i < 12000; i++) {
    const auto at = static_cast<GuestTime>(std::llround(i * 1e9 / (2 * kFrequency)));
    level.level(at, i % 2 == 0 ? StereoFrame{0.5f, 0.5f} : StereoFrame{});
    advance(at);
  }
  mixer.finish(19 * kSecond / 10);
  const std::size_t first = kRate, count = 32768;
  EXPECT_NEAR(amplitude(heard.frames, first, count, kFrequency), 2 / pi * 0.5, 0.003);
  EXPECT_NEAR(amplitude(heard.frames, first, count, 3 * kFrequency), 2 / pi * 0.5 / 3, 0.003);
  // 7, 9, 11 and 13 times it, mirrored at 22050 Hz.
  for (const int harmonic : {9, 11, 13}) {
    double mirrored = std::fmod(harmonic * kFrequency, kRate);
    if (mirrored > kRate / 2.0) mirrored = kRate - mirrored;
    EXPECT_LT(amplitude(heard.frames, first, count, mirrored), 2 / pi * 0.5 / harmonic / 100) << harmonic;
  }
}

// The menu's volume is the loudspeaker's: what is recorded has the level of the machine's own mixers.
TEST_F(Mixing, TheVolumeIsOfWhatIsPlayedAlone) {
  Heard recorded;
  mixer.record(std::make_unique<Collector>(recorded), 0);
  mixer.set_gain(0.25F);
  SoundSink& voice = mixer.add_voice(nullptr);
  std::mt19937 random(7);
  play_sine(voice, 0, {kRate}, kRate / 2, random, 200);
  mixer.finish(kSecond);
  const auto level = [](const Heard& sound) {
    float most = 0;
    for (const StereoFrame& frame : sound.frames) most = std::max(most, std::abs(frame.left));
    return most;
  };
  EXPECT_NEAR(level(recorded), 0.5, 0.01);
  EXPECT_NEAR(level(heard), 0.125, 0.0025);
  mixer.set_gain(0);
  play_sine(voice, kSecond, {kRate}, kRate / 2, random, 200);
  mixer.finish(2 * kSecond);
  EXPECT_EQ(heard.frames.size(), recorded.frames.size());
  EXPECT_EQ(std::count_if(heard.frames.begin() + kRate, heard.frames.end(), [](auto& f) { return f.left != 0; }), 0);
}

}  // namespace
}  // namespace relic86
