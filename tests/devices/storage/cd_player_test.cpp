// Audio tracks, as MSCDEX's drivers and Windows play them.
#include "devices/storage/cd_player.h"

#include "devices/chipset/i8237.h"
#include "devices/sound/opl.h"
#include "devices/sound/sb16.h"
#include "tests/devices/sound/sound_board.h"
#include "tests/devices/storage/ide_board.h"

namespace relic86 {
namespace {

using Codes = std::vector<int>;
constexpr GuestTime kSecond = 1'000'000'000;
constexpr int kPlaying = 0x11, kPaused = 0x12, kCompleted = 0x13, kNothing = 0x15;

// 100 sectors of data, then two tracks of 150 and 50 sectors. Left every sample of a sector is its number, right its
// negative.
class Disc final : public BlockDevice, public CompactDisc {
 public:
  u64 size_bytes() const override { return 300 * 2048; }
  bool read_only() const override { return true; }
  Result<> read(u64, std::span<u8> bytes) override {
    std::fill(bytes.begin(), bytes.end(), u8{0x44});
    return {};
  }
  Result<> write(u64, std::span<const u8>) override { return Error{}; }
  Result<> flush() override { return {}; }
  CompactDisc* disc() override { return this; }
  const std::vector<DiscTrack>& tracks() const override { return tracks_; }
  Result<> read_audio(u32 sector, std::span<u8> into) override {
    for (std::size_t i = 0; i < into.size(); i += 4) {
      const auto left = static_cast<u16>(sector), right = static_cast<u16>(-static_cast<int>(sector));
      into[i] = static_cast<u8>(left), into[i + 1] = static_cast<u8>(left >> 8);
      into[i + 2] = static_cast<u8>(right), into[i + 3] = static_cast<u8>(right >> 8);
    }
    return {};
  }

 private:
  std::vector<DiscTrack> tracks_{{1, false, 0}, {2, true, 100}, {3, true, 250}};
};

struct Drive : test::IdeBoard {
  Drive() {
    cdrom->connect_sound(host);
    cdrom->insert(std::make_unique<Disc>());
    clear_attention();
  }
  // Audio status, track, sector, sector within the track.
  Codes where() {
    const auto data = packet({0x42, 0, 0x40, 1, 0, 0, 0, 0, 16}).data;
    if (data.size() != 16) return {};
    const auto number = [&](std::size_t at) {
      return data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3];
    };
    return {data[1], data[6], number(8), number(12)};
  }
  bool play(u32 first, u32 count) {
    return packet({0x45, 0, 0, 0, static_cast<u8>(first >> 8), static_cast<u8>(first), 0, static_cast<u8>(count >> 8),
                   static_cast<u8>(count)})
        .good;
  }
  void listen(GuestTime span) {
    pass(span);
    cdrom_source().produce(clock.time);
  }
  SoundSource& cdrom_source() { return static_cast<CdPlayer&>(cdrom->sound_cable()); }
  test::HearingHost host;
};

TEST(CdPlayer, TableOfContents) {
  Drive drive;
  const auto toc = drive.packet({0x43, 0, 0, 0, 0, 0, 0, 2, 0}).data;
  EXPECT_EQ(toc, (std::vector<u8>{0, 34,   1, 3,                                                //
                                  0, 0x14, 1, 0, 0, 0, 0, 0,   0, 0x10, 2,    0, 0, 0, 0, 100,  //
                                  0, 0x10, 3, 0, 0, 0, 0, 250, 0, 0x10, 0xAA, 0, 0, 0, 1, 44}));
  const auto from2 = drive.packet({0x43, 2, 0, 0, 0, 0, 3, 2, 0}).data;
  EXPECT_EQ(from2, (std::vector<u8>{0, 18, 1, 3, 0, 0x10, 3, 0, 0, 0, 5, 25, 0, 0x10, 0xAA, 0, 0, 0, 6, 0}));
  EXPECT_EQ(drive.packet({0x43, 2, 0, 0, 0, 0, 0, 2, 0, 0x80}).data.size(), 4u + 6 * 11);
}

TEST(CdPlayer, PlaysFromHereToThere) {
  Drive drive;
  EXPECT_EQ(drive.where()[0], kNothing);
  ASSERT_TRUE(drive.play(110, 60));
  drive.listen(kSecond / 5);
  EXPECT_EQ(drive.where(), (Codes{kPlaying, 2, 125, 25}));
  drive.listen(kSecond);
  EXPECT_EQ(drive.where(), (Codes{kCompleted, 2, 169, 69}));
  EXPECT_EQ(drive.where()[0], kNothing);  // it is told once
  const test::HeardVoice& heard = drive.host.voices[0];
  ASSERT_EQ(heard.frames.size(), 60u * 588);
  EXPECT_EQ(heard.rate, (SampleRate{44100, 1}));
  EXPECT_EQ(heard.breaks, 0u);
  EXPECT_EQ(heard.frames.front(), (StereoFrame{110 / 32768.0f, -110 / 32768.0f}));
  EXPECT_EQ(heard.frames.back(), (StereoFrame{169 / 32768.0f, -169 / 32768.0f}));
  EXPECT_NEAR(static_cast<double>(heard.end - heard.start), 0.8e9, 1e3);
}

TEST(CdPlayer, PausesAndGoesOn) {
  Drive drive;
  EXPECT_FALSE(drive.packet({0x4B, 0, 0, 0, 0, 0, 0, 0, 1}).good);
  EXPECT_EQ(drive.sense(), (Codes{5, 0x2C, 0}));
  ASSERT_TRUE(drive.packet({0x47, 0, 0, 0, 4, 0, 0, 5, 0}).good);  // 150 to 225
  drive.listen(kSecond / 5);
  ASSERT_TRUE(drive.packet({0x4B, 0, 0, 0, 0, 0, 0, 0, 0}).good);
  drive.listen(kSecond);
  EXPECT_EQ(drive.where(), (Codes{kPaused, 2, 165, 65}));
  ASSERT_TRUE(drive.packet({0x4B, 0, 0, 0, 0, 0, 0, 0, 1}).good);
  drive.listen(kSecond / 5);
  EXPECT_EQ(drive.where(), (Codes{kPlaying, 2, 180, 80}));
  ASSERT_TRUE(drive.packet({0x4E}).good);
  EXPECT_EQ(drive.where(), (Codes{kNothing, 2, 180, 80}));
  ASSERT_TRUE(drive.packet({0x48, 0, 0, 0, 3, 1, 0, 3, 1}).good);  // a track by its number
  EXPECT_EQ(drive.where(), (Codes{kPlaying, 3, 250, 0}));
  ASSERT_TRUE(drive.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1}).good);  // reading ends it
  EXPECT_EQ(drive.where()[0], kNothing);
}

TEST(CdPlayer, WhatIsNoSoundIsNotPlayed) {
  Drive drive;
  EXPECT_FALSE(drive.play(50, 10));
  EXPECT_EQ(drive.sense(), (Codes{5, 0x64, 0}));
  EXPECT_FALSE(drive.play(300, 10));
  EXPECT_EQ(drive.sense(), (Codes{5, 0x21, 0}));
  EXPECT_TRUE(drive.play(250, 1000));  // to the end of the disc
  EXPECT_TRUE(drive.play(250, 0));
  EXPECT_FALSE(drive.packet({0x28, 0, 0, 0, 0, 99, 0, 0, 2}).good);  // data and sound
  EXPECT_EQ(drive.sense(), (Codes{5, 0x64, 0}));
  const auto raw = drive.packet({0xBE, 4, 0, 0, 0, 120, 0, 0, 1, 0x10}).data;  // sound, as rippers read it
  ASSERT_EQ(raw.size(), 2352u);
  EXPECT_EQ(raw[0], 120);
}

TEST(CdPlayer, VolumesAndChannels) {
  Drive drive;
  // The audio control page: the second channel at both outputs, the right one at less than half.
  std::vector<u8> page(8 + 16);
  page[8] = 0x0E, page[9] = 14, page[16] = 2, page[17] = 0xFF, page[18] = 2, page[19] = 51;
  ASSERT_TRUE(drive.packet({0x55, 0x10, 0, 0, 0, 0, 0, 0, 24}, 0xFFFE, page).good);
  const auto told = drive.packet({0x5A, 0, 0x0E, 0, 0, 0, 0, 1, 0}).data;
  EXPECT_EQ((std::vector<u8>(told.begin() + 16, told.begin() + 20)), (std::vector<u8>{2, 0xFF, 2, 51}));
  drive.cdrom->sound_cable().set_gain(drive.clock.time, {0.5f, 1});
  ASSERT_TRUE(drive.play(200, 10));
  drive.listen(kSecond);
  const StereoFrame heard = drive.host.voices[0].frames.front();
  EXPECT_FLOAT_EQ(heard.left, -100 / 32768.0f);
  EXPECT_FLOAT_EQ(heard.right, -40 / 32768.0f);
}

TEST(CdPlayer, SavedMachinesPlayOn) {
  Drive drive, other;
  ASSERT_TRUE(drive.play(110, 150));
  drive.listen(kSecond / 2);
  StateWriter writer;
  drive.ide.state(writer);
  auto reader = StateReader::parse(writer.data());
  ASSERT_TRUE(reader.ok());
  other.clock.time = drive.clock.time;
  other.ide.state(reader.value());
  EXPECT_EQ(reader.value().complaint(), "");
  other.listen(kSecond / 5);
  drive.listen(kSecond / 5);
  EXPECT_EQ(other.where(), drive.where());
  EXPECT_EQ(other.host.voices[0].frames.front(), (StereoFrame{147 / 32768.0f, -147 / 32768.0f}));
  // A state of a disc that is not there any more.
  Drive empty;
  ASSERT_TRUE(empty.cdrom->eject(true).ok());
  auto again = StateReader::parse(writer.data());
  empty.clock.time = drive.clock.time;
  empty.ide.state(again.value());
  EXPECT_FALSE(empty.cdrom_source().sounding());
}

TEST(CdPlayer, TheSoundCardsMixerIsTheDrivesVolume) {
  Drive drive;
  I8237 dma;
  Opl opl{OplConfig{OplConfig::Model::Opl3, 0x220}, nullptr};
  Sb16 card{Sb16Config{}, dma, opl, nullptr, nullptr};
  card.connect_cd(drive.cdrom->sound_cable());
  ASSERT_TRUE(dma.attach(drive.attachment).ok());
  ASSERT_TRUE(opl.attach(drive.attachment).ok());
  ASSERT_TRUE(card.attach(drive.attachment).ok());
  card.reset(ResetKind::PowerOn);
  const auto heard = [&] {
    drive.host.voices[0].frames.clear();
    EXPECT_TRUE(drive.play(200, 10));
    drive.listen(kSecond);
    return drive.host.voices[0].frames.front();
  };
  EXPECT_EQ(heard(), (StereoFrame{200 / 32768.0f, -200 / 32768.0f}));
  drive.out(0x224, 0x36), drive.out(0x225, 0);  // the CD's left volume
  EXPECT_EQ(heard(), (StereoFrame{0, -200 / 32768.0f}));
  drive.out(0x224, 0x3C), drive.out(0x225, 0x1D);  // its right output off
  EXPECT_EQ(heard(), (StereoFrame{0, 0}));
}

}  // namespace
}  // namespace relic86
