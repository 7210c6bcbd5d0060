// The Sound Blaster 16 as drivers and games use it.
#include "devices/sound/sb16.h"

#include "devices/chipset/i8237.h"
#include "devices/sound/opl.h"
#include "tests/devices/sound/sound_board.h"

namespace relic86 {
namespace {

using test::kMillisecond;
constexpr u32 kBuffer = 0x20000;

struct Card : test::SoundBoard {
  Card() {
    EXPECT_TRUE(dma.attach(attachment).ok());
    EXPECT_TRUE(opl.attach(attachment).ok());
    EXPECT_TRUE(sb16.attach(attachment).ok());
    dma.reset(ResetKind::PowerOn);
    opl.reset(ResetKind::PowerOn);
    sb16.reset(ResetKind::PowerOn);
    out(0xD6, 0xC0);  // the cascade
    out(0xD4, 0);
  }
  void reset_dsp() {
    out(0x226, 1);
    run(3000);
    out(0x226, 0);
    run(100'000);
  }
  void dsp(std::initializer_list<u32> bytes) {
    for (const u32 byte : bytes) {
      EXPECT_EQ(in(0x22C) & 0x80, 0u);
      out(0x22C, byte);
    }
  }
  u32 answer() {
    EXPECT_NE(in(0x22E) & 0x80, 0u);
    return in(0x22A);
  }
  void program_dma8(u32 address, u32 bytes, bool automatic, bool to_card = true) {
    out(0x0A, 5);
    out(0x0C, 0);
    out(0x0B, 0x41u | (automatic ? 0x10 : 0) | (to_card ? 8 : 4));
    out(2, address & 0xFF), out(2, address >> 8 & 0xFF), out(0x83, address >> 16);
    out(3, (bytes - 1) & 0xFF), out(3, (bytes - 1) >> 8);
    out(0x0A, 1);
  }
  void program_dma16(u32 address, u32 words, bool automatic) {
    out(0xD4, 5);
    out(0xD8, 0);
    out(0xD6, 0x49u | (automatic ? 0x10 : 0));
    out(0xC4, address >> 1 & 0xFF), out(0xC4, address >> 9 & 0xFF), out(0x8B, address >> 16);
    out(0xC6, (words - 1) & 0xFF), out(0xC6, (words - 1) >> 8);
    out(0xD4, 1);
  }
  u32 mixer(u32 index) {
    out(0x224, index);
    return in(0x225);
  }
  void set_mixer(u32 index, u32 value) {
    out(0x224, index);
    out(0x225, value);
  }
  test::HeardVoice& voice() { return host.voices[1]; }  // the first one is the synthesizer's

  I8237 dma;
  Opl opl{OplConfig{OplConfig::Model::Opl3, 0x220}, &host};
  test::HeardInstrument instrument;
  Sb16 sb16{Sb16Config{}, dma, opl, &host, &instrument};
};

TEST(Sb16, ResetVersionAndIdentification) {
  Card card;
  EXPECT_EQ(card.in(0x22E) & 0x80, 0u);
  card.reset_dsp();
  EXPECT_EQ(card.answer(), 0xAAu);
  card.dsp({0xE1});
  EXPECT_EQ(card.answer(), 4u);
  EXPECT_EQ(card.answer(), 5u);
  card.dsp({0xE0, 0x5A});
  EXPECT_EQ(card.answer(), 0xA5u);
  card.dsp({0xE4, 0x77, 0xE8});
  EXPECT_EQ(card.answer(), 0x77u);
  card.dsp({0xE3});
  std::string text;
  for (u32 letter = card.answer(); letter != 0; letter = card.answer()) text += static_cast<char>(letter);
  EXPECT_EQ(text, "COPYRIGHT (C) CREATIVE TECHNOLOGY LTD, 1992.");
  card.dsp({0xD8});
  EXPECT_EQ(card.answer(), 0u);
  card.dsp({0xD1, 0xD8});
  EXPECT_EQ(card.answer(), 0xFFu);
}

TEST(Sb16, InterruptsTellTheirSource) {
  Card card;
  EXPECT_EQ(card.mixer(0x80), 2u);
  EXPECT_EQ(card.mixer(0x81), 0x22u);
  card.dsp({0xF2});
  EXPECT_TRUE(card.irqs.levels[5]);
  EXPECT_EQ(card.mixer(0x82) & 7, 1u);
  card.in(0x22F);
  EXPECT_TRUE(card.irqs.levels[5]);
  card.in(0x22E);
  EXPECT_FALSE(card.irqs.levels[5]);
  card.dsp({0xF3});
  EXPECT_EQ(card.mixer(0x82) & 7, 2u);
  // The driver chooses another line.
  card.set_mixer(0x80, 8);
  EXPECT_FALSE(card.irqs.levels[5]);
  EXPECT_TRUE(card.irqs.levels[10]);
  card.in(0x22F);
  EXPECT_FALSE(card.irqs.levels[10]);
  card.set_mixer(0x80, 1);
  card.dsp({0xF2});
  EXPECT_TRUE(card.irqs.levels[9]) << "IRQ 2 of the card is IRQ 9 of an AT";
}

TEST(Sb16, SingleBlockOf8Bits) {
  Card card;
  std::vector<u8> samples(1000);
  for (std::size_t i = 0; i < samples.size(); i++) samples[i] = static_cast<u8>(i * 7);
  card.store(kBuffer, samples);
  card.program_dma8(kBuffer, 1000, false);
  card.dsp({0x40, 256 - 100, 0x14, 999 & 0xFF, 999 >> 8});  // 10 kHz
  card.run(99 * kMillisecond);
  EXPECT_FALSE(card.irqs.levels[5]);
  card.run(kMillisecond);
  EXPECT_TRUE(card.irqs.levels[5]);
  ASSERT_EQ(card.voice().frames.size(), 1000u);
  EXPECT_EQ(card.voice().rate, SampleRate{10000});
  EXPECT_EQ(card.voice().breaks, 0u);
  for (std::size_t i = 0; i < samples.size(); i++)
    ASSERT_EQ(card.voice().frames[i].left, static_cast<float>(samples[i] - 128) / 128.0f);
  card.run(50 * kMillisecond);
  EXPECT_EQ(card.voice().frames.size(), 1000u);
}

TEST(Sb16, AutomaticBlocksInterruptAtTheRateOfTheSamples) {
  Card card;
  card.store(kBuffer, std::vector<u8>(4096, 0x40));
  card.program_dma16(kBuffer, 2048, true);
  card.dsp({0x41, 44100 >> 8, 44100 & 0xFF, 0xB6, 0x30, 1023 & 0xFF, 1023 >> 8});  // 512 stereo frames a block
  unsigned interrupts = 0;
  std::vector<GuestTime> moments;
  while (card.clock.time < 2000 * kMillisecond) {
    card.run(100'000);
    if (!card.irqs.levels[5]) continue;
    interrupts++;
    moments.push_back(card.clock.time);
    EXPECT_EQ(card.mixer(0x82) & 7, 2u);
    card.in(0x22F);
  }
  EXPECT_EQ(interrupts, 2u * 44100 / 512);
  EXPECT_NEAR(static_cast<double>(moments.back() - moments.front()), (interrupts - 1) * 512 * 1e9 / 44100, 200'000);
  EXPECT_EQ(card.voice().breaks, 0u);
  // Between two interrupts the controller's count moves as the samples sound.
  card.out(0xD8, 0);
  const u32 before = card.in(0xC6) | card.in(0xC6) << 8;
  card.run(3 * kMillisecond);
  card.out(0xD8, 0);
  const u32 after = card.in(0xC6) | card.in(0xC6) << 8;
  EXPECT_NEAR((before - after) & 2047, 3 * 88.2, 90);
  // The end of automatic mode: the block that plays is the last.
  card.dsp({0xD9});
  card.run(40 * kMillisecond);
  EXPECT_TRUE(card.irqs.levels[5]);
  card.in(0x22F);
  const std::size_t played = card.voice().frames.size();
  card.run(100 * kMillisecond);
  EXPECT_FALSE(card.irqs.levels[5]);
  EXPECT_EQ(card.voice().frames.size(), played);
}

TEST(Sb16, FormatsAndChannels) {
  Card card;
  card.store(kBuffer, {0x00, 0x40, 0x00, 0xC0, 0xFF, 0x7F, 0x00, 0x80});
  card.dsp({0x41, 0x1F, 0x40});
  const auto frames_of = [&](u32 command, u32 mode, u32 samples) {
    card.voice().frames.clear();
    if (command < 0xC0)
      card.program_dma16(kBuffer, 4, false);
    else
      card.program_dma8(kBuffer, 8, false);
    card.dsp({command, mode, samples - 1, 0});
    card.run(10 * kMillisecond);
    EXPECT_TRUE(card.irqs.levels[5]);
    card.in(0x22E), card.in(0x22F);
    return card.voice().frames;
  };
  auto frames = frames_of(0xB0, 0x30, 4);  // 16 bits, signed, stereo
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0], (StereoFrame{0.5f, -0.5f}));
  EXPECT_EQ(frames[1], (StereoFrame{32767 / 32768.0f, -1.0f}));
  frames = frames_of(0xB0, 0x00, 4);  // unsigned, mono
  ASSERT_EQ(frames.size(), 4u);
  EXPECT_EQ(frames[0], (StereoFrame{-0.5f, -0.5f}));
  EXPECT_EQ(frames[3], (StereoFrame{0.0f, 0.0f}));
  frames = frames_of(0xC0, 0x20, 4);  // 8 bits, unsigned, stereo
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0], (StereoFrame{-1.0f, -0.5f}));
  frames = frames_of(0xC0, 0x10, 3);  // signed, mono
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[1], (StereoFrame{0.5f, 0.5f}));
  // Volumes: 2 dB a step.
  card.set_mixer(0x32, 28 << 3);
  card.set_mixer(0x31, 0);
  frames = frames_of(0xB0, 0x30, 4);
  EXPECT_NEAR(frames[0].left, 0.5 * std::pow(10, -6.0 / 20), 1e-6);
  EXPECT_EQ(frames[0].right, 0.0f);
}

TEST(Sb16, PauseGoesOnWhereItWas) {
  Card card;
  std::vector<u8> samples(2000);
  for (std::size_t i = 0; i < samples.size(); i++) samples[i] = static_cast<u8>(i / 8);
  card.store(kBuffer, samples);
  card.program_dma8(kBuffer, 2000, false);
  card.dsp({0x40, 256 - 100, 0x14, 1999 & 0xFF, 1999 >> 8});
  card.run(50 * kMillisecond);
  card.dsp({0xD0});
  const std::size_t before = card.voice().frames.size();
  EXPECT_NEAR(static_cast<double>(before), 500, 11);
  card.run(500 * kMillisecond);
  EXPECT_EQ(card.voice().frames.size(), before);
  card.dsp({0xD4});
  card.run(200 * kMillisecond);
  EXPECT_TRUE(card.irqs.levels[5]);
  ASSERT_EQ(card.voice().frames.size(), 2000u);
  for (std::size_t i = 0; i < 2000; i++)
    ASSERT_EQ(card.voice().frames[i].left, static_cast<float>(samples[i] - 128) / 128.0f);
}

// Some programs start the DSP first and the controller after that.
TEST(Sb16, WaitsForTheDmaController) {
  Card card;
  card.dsp({0x40, 256 - 100, 0x14, 99, 0});
  card.run(20 * kMillisecond);
  EXPECT_FALSE(card.irqs.levels[5]);
  card.program_dma8(kBuffer, 100, false);
  card.run(12 * kMillisecond);
  EXPECT_TRUE(card.irqs.levels[5]);
}

TEST(Sb16, OldCommands) {
  Card card;
  // High speed and automatic, with command 48h's block.
  card.program_dma8(kBuffer, 200, true);
  card.dsp({0x40, 256 - 50, 0x48, 99, 0, 0x90});
  for (int i = 0; i < 3; i++) {
    card.run(5 * kMillisecond);
    EXPECT_TRUE(card.irqs.levels[5]) << i;
    card.in(0x22E);
  }
  card.reset_dsp();
  EXPECT_EQ(card.answer(), 0xAAu);
  card.run(20 * kMillisecond);
  EXPECT_FALSE(card.irqs.levels[5]);
  // Silence, then an interrupt.
  card.dsp({0x40, 256 - 100, 0x80, 99, 0});
  card.run(9 * kMillisecond);
  EXPECT_FALSE(card.irqs.levels[5]);
  card.run(kMillisecond);
  EXPECT_TRUE(card.irqs.levels[5]);
  card.in(0x22E);
  // A sample at once.
  auto& level = card.host.levels[0];
  level.levels.clear();
  card.dsp({0x10, 0xC0});
  ASSERT_EQ(level.levels.size(), 1u);
  EXPECT_EQ(level.levels[0].second, (StereoFrame{0.5f, 0.5f}));
  // Input is silence.
  card.store(kBuffer, std::vector<u8>(100, 1));
  card.program_dma8(kBuffer, 100, false, false);
  card.dsp({0x24, 99, 0});
  card.run(20 * kMillisecond);
  EXPECT_TRUE(card.irqs.levels[5]);
  std::vector<u8> got(100);
  card.memory.read_block(PhysAddr(kBuffer), got);
  EXPECT_EQ(got, std::vector<u8>(100, 0x80));
}

TEST(Sb16, PackedSamples) {
  Card card;
  // A reference of 128, then codes that go up, and down again.
  card.store(kBuffer, {0x80, 0x11, 0x77, 0x99, 0xFF, 0x00});
  card.program_dma8(kBuffer, 6, false);
  card.dsp({0x40, 256 - 100, 0x75, 5, 0});
  card.run(20 * kMillisecond);
  EXPECT_TRUE(card.irqs.levels[5]);
  const auto& frames = card.voice().frames;
  ASSERT_EQ(frames.size(), 10u);
  for (std::size_t i = 1; i < 4; i++) EXPECT_GE(frames[i].left, frames[i - 1].left) << i;
  EXPECT_GT(frames[3].left, frames[0].left + 0.05f);
  for (std::size_t i = 5; i < 8; i++) EXPECT_LE(frames[i].left, frames[i - 1].left) << i;
  EXPECT_EQ(frames[8], frames[9]);
}

TEST(Sb16, MidiPortAnswers) {
  Card card;
  EXPECT_EQ(card.in(0x331) & 0xC0, 0x80u);
  card.out(0x331, 0xFF);
  EXPECT_EQ(card.in(0x331) & 0xC0, 0u);
  EXPECT_EQ(card.mixer(0x82) & 7, 4u);
  EXPECT_EQ(card.in(0x330), 0xFEu);
  EXPECT_EQ(card.mixer(0x82) & 7, 0u);
  card.out(0x331, 0x3F);
  EXPECT_EQ(card.in(0x330), 0xFEu);
  card.out(0x330, 0x90);
  EXPECT_EQ(card.in(0x331) & 0xC0, 0x80u);
}

TEST(Sb16, MidiThroughTheDsp) {
  Card card;
  for (const u8 byte : {0x90, 60, 100}) {
    card.out(0x22C, 0x38);
    card.out(0x22C, byte);
  }
  EXPECT_EQ(card.instrument.messages, (std::vector<std::vector<u8>>{{0x90, 60, 100}}));
  card.set_mixer(0x34, 0);  // the left volume of MIDI
  EXPECT_EQ(card.instrument.gain, (StereoFrame{0, 1}));
  card.out(0x22C, 0x34);  // all that follows
  for (const u8 byte : {0xE1, 60, 0}) card.out(0x22C, byte);
  EXPECT_EQ(card.instrument.messages.size(), 2u);
  card.out(0x226, 1);
  card.out(0x226, 0);
  EXPECT_EQ(card.in(0x22A), 0xAAu);
  card.out(0x22C, 0xE1);
  EXPECT_EQ(card.in(0x22A), 4u);
}

TEST(Sb16, SoundBlasterProVolumes) {
  Card card;
  card.set_mixer(0x22, 0xA5);
  EXPECT_EQ(card.mixer(0x22), 0xA5u);
  EXPECT_EQ(card.mixer(0x30), 0xA8u);
  EXPECT_EQ(card.mixer(0x31), 0x58u);
  card.set_mixer(0, 0);
  EXPECT_EQ(card.mixer(0x30), 0xF8u);
}

TEST(Sb16, RandomAccessesAndSavedStates) {
  std::mt19937 random(11);
  for (int round = 0; round < 20; round++) {
    Card card;
    for (int i = 0; i < 3000; i++) {
      const u16 port = static_cast<u16>(random() % 20 == 0 ? 0x330 + random() % 2 : 0x220 + random() % 16);
      static constexpr u8 kCommands[] = {0x14, 0x1C, 0xB6, 0xC6, 0xB0, 0xC0, 0x90,
                                         0xD0, 0xD4, 0xDA, 0x75, 0x80, 0x40, 0x24};
      if (random() % 3 == 0)
        card.in(port);
      else
        card.out(port, random() % 2 == 0 ? kCommands[random() % std::size(kCommands)] : random() % 256);
      if (i % 16 == 0) card.run(static_cast<GuestTime>(random() % 3'000'000));
      if (i % 200 == 0) card.program_dma8(kBuffer + random() % 4096, 1 + random() % 5000, random() % 2 == 0);
      if (i % 300 == 0) card.program_dma16(kBuffer + random() % 4096, 1 + random() % 5000, random() % 2 == 0);
    }
    Card other;
    other.clock.time = card.clock.time;
    const auto state = test::saved(card.sb16);
    EXPECT_TRUE(test::load(other.sb16, state));
    EXPECT_EQ(test::saved(other.sb16), state);
    const auto opl_state = test::saved(card.opl);
    EXPECT_TRUE(test::load(other.opl, opl_state));
    EXPECT_EQ(test::saved(other.opl), opl_state);
  }
}

}  // namespace
}  // namespace relic86
