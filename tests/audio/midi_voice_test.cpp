#include "audio/midi_voice.h"

#include <gtest/gtest.h>

#include "tests/devices/sound/sound_board.h"

namespace relic86 {
namespace {

constexpr GuestTime kMs = 1'000'000;
constexpr u8 kNote[] = {0x90, 60, 100};

// Sounds at full level from its first message on.
struct LoudSynthesizer final : Synthesizer {
  void message(std::span<const u8>) override { loud = true; }
  void reset() override { loud = false; }
  void render(std::span<StereoFrame> frames) override {
    for (StereoFrame& frame : frames) frame = loud ? StereoFrame{1, 1} : StereoFrame{};
  }
  bool sounding() const override { return loud; }
  bool loud = false;
};

struct Line final : CharSink {
  void put(u8 byte) override { bytes.push_back(byte); }
  std::vector<u8> bytes;
};

TEST(MidiVoice, SoundsFromTheMomentOfTheNote) {
  test::HearingHost host;
  MidiVoice voice(&host);
  ASSERT_TRUE(voice.heard());
  voice.connect(std::make_unique<LoudSynthesizer>());
  EXPECT_FALSE(voice.sounding());
  voice.set_gain(0, {0.5f, 0.25f});
  voice.produce(100 * kMs);
  EXPECT_TRUE(host.voices[0].frames.empty());
  voice.play(200 * kMs, kNote);
  EXPECT_TRUE(voice.sounding());
  voice.produce(300 * kMs);
  const test::HeardVoice& heard = host.voices[0];
  EXPECT_EQ(heard.frames.size(), 4410u);
  EXPECT_EQ(heard.start, 200 * kMs);
  EXPECT_EQ(heard.frames.front(), (StereoFrame{0.5f, 0.25f}));
  EXPECT_EQ(heard.breaks, 0u);
  voice.reset(300 * kMs);
  for (int i = 1; i <= 50; i++) voice.produce(300 * kMs + i * 100 * kMs);
  EXPECT_FALSE(voice.sounding());
}

TEST(MidiVoice, GuestTimeMayJump) {
  test::HearingHost host;
  MidiVoice voice(&host);
  voice.connect(std::make_unique<LoudSynthesizer>());
  voice.play(10'000 * kMs, kNote);
  voice.produce(10'001 * kMs);
  voice.reset(5 * kMs);  // an earlier state was loaded
  voice.play(5 * kMs, kNote);
  voice.produce(15 * kMs);
  voice.play(3'600'000 * kMs, kNote);
  voice.produce(3'600'010 * kMs);
  EXPECT_LT(host.voices[0].frames.size(), 44100u);
}

TEST(MidiVoice, ALineGetsTheMessages) {
  MidiVoice voice(nullptr);
  Line line;
  voice.connect(&line);
  voice.play(0, kNote);
  EXPECT_EQ(line.bytes, std::vector<u8>(std::begin(kNote), std::end(kNote)));
  voice.reset(0);
  EXPECT_EQ(line.bytes.size(), 3u + 16 * 6);
}

TEST(MidiVoice, TheUserIsToldOnceThatNothingPlays) {
  test::HearingHost host;
  MidiVoice voice(&host);
  voice.set_advice("no synthesizer");
  testing::internal::CaptureStderr();
  voice.play(0, kNote);
  voice.play(0, kNote);
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("no synthesizer"), std::string::npos);
  EXPECT_EQ(told.find("no synthesizer"), told.rfind("no synthesizer"));
}

}  // namespace
}  // namespace relic86
