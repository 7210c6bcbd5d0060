// The FM synthesizer's timers, by which programs find it, and that it sounds.
#include "devices/sound/opl.h"

#include "tests/devices/sound/sound_board.h"

namespace relic86 {
namespace {

using test::kMillisecond;

struct Chip : test::SoundBoard {
  explicit Chip(OplConfig config = {}) : opl(config, &host) {
    EXPECT_TRUE(opl.attach(attachment).ok());
    opl.reset(ResetKind::PowerOn);
  }
  void set(u32 index, u32 value) {
    const u16 port = index < 0x100 ? 0x388 : 0x38A;
    out(port, index & 0xFF);
    out(static_cast<u16>(port + 1), value);
  }
  u32 status() { return in(0x388); }
  void note_on() {
    for (const auto& [index, value] : {std::pair{0x20, 0x21},
                                       {0x40, 0x3F},
                                       {0x60, 0xF0},
                                       {0x80, 0x0F},
                                       {0x23, 0x21},
                                       {0x43, 0},
                                       {0x63, 0xF0},
                                       {0x83, 0x0F},
                                       {0xC0, 0x31},
                                       {0xA0, 0x44},
                                       {0xB0, 0x32}})
      set(static_cast<u32>(index), static_cast<u32>(value));
  }
  Opl opl;
};

TEST(Opl, TimersAsProgramsLookForThem) {
  Chip chip;
  chip.set(4, 0x60);
  chip.set(4, 0x80);
  EXPECT_EQ(chip.status(), 0u);
  chip.set(2, 0xFF);
  chip.set(4, 0x21);
  chip.pass(79'000);
  EXPECT_EQ(chip.status(), 0u);
  chip.pass(1'000);
  EXPECT_EQ(chip.status(), 0xC0u);
  chip.set(4, 0x80);
  EXPECT_EQ(chip.status(), 0u);
  chip.pass(80'000);
  EXPECT_EQ(chip.status(), 0xC0u) << "it goes on counting";
  chip.set(4, 0x60);
  EXPECT_EQ(chip.status(), 0u) << "masked";
  chip.set(3, 0xFE);
  chip.set(4, 0x42);
  chip.pass(639'000);
  EXPECT_EQ(chip.status(), 0u);
  chip.pass(1'000);
  EXPECT_EQ(chip.status(), 0xA0u);
}

TEST(Opl, ModelsAndPlaces) {
  Chip opl2(OplConfig{OplConfig::Model::Opl2, {}});
  EXPECT_EQ(opl2.status() & 6, 6u);
  EXPECT_EQ(opl2.in(0x38A), 0xFFu) << "a second chip, for programs that look for a dual OPL2";
  Chip opl3(OplConfig{OplConfig::Model::Opl3, 0x240});
  EXPECT_EQ(opl3.status() & 6, 0u);
  opl3.out(0x240, 2), opl3.out(0x241, 0xFF);
  opl3.out(0x248, 4), opl3.out(0x249, 0x21);
  opl3.pass(kMillisecond);
  EXPECT_EQ(opl3.in(0x248), 0xC0u);
}

TEST(Opl, SoundsUntilNothingIsHeard) {
  Chip chip;
  EXPECT_FALSE(chip.opl.sounding());
  chip.clock.time = 3600 * 1000 * kMillisecond;  // an hour of nothing is not made
  chip.note_on();
  EXPECT_TRUE(chip.opl.sounding());
  chip.pass(100 * kMillisecond);
  chip.opl.produce(chip.clock.time);
  auto& voice = chip.host.voices[0];
  EXPECT_NEAR(static_cast<double>(voice.frames.size()), 4971.6, 2);
  EXPECT_EQ(voice.breaks, 0u);
  float loudest = 0;
  for (const StereoFrame& frame : voice.frames) loudest = std::max(loudest, frame.left);
  EXPECT_GT(loudest, 0.1f);
  chip.opl.set_gain({0.5f, 0});
  voice.frames.clear();
  chip.pass(100 * kMillisecond);
  chip.opl.produce(chip.clock.time);
  float quieter = 0;
  for (const StereoFrame& frame : voice.frames) {
    quieter = std::max(quieter, frame.left);
    EXPECT_EQ(frame.right, 0.0f);
  }
  EXPECT_NEAR(quieter, loudest / 2, loudest / 50);
  chip.set(0xB0, 0x12);
  for (int i = 0; i < 60; i++) {
    chip.pass(100 * kMillisecond);
    chip.opl.produce(chip.clock.time);
  }
  EXPECT_FALSE(chip.opl.sounding());
}

// The chip's inside is not saved, its registers are: a note that sounded sounds again.
TEST(Opl, ANoteComesBackWithTheState) {
  Chip chip, other;
  chip.note_on();
  chip.pass(50 * kMillisecond);
  other.clock.time = chip.clock.time;
  EXPECT_TRUE(test::load(other.opl, test::saved(chip.opl)));
  EXPECT_EQ(test::saved(other.opl), test::saved(chip.opl));
  EXPECT_TRUE(other.opl.sounding());
  other.pass(50 * kMillisecond);
  other.opl.produce(other.clock.time);
  float loudest = 0;
  for (const StereoFrame& frame : other.host.voices[0].frames) loudest = std::max(loudest, frame.left);
  EXPECT_GT(loudest, 0.1f);
}

}  // namespace
}  // namespace relic86
