#include "block/cue_image.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "block/open_image.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

struct Cue : testing::Test {
  // A file of so many bytes, each of which says where it is.
  void write_file(const std::string& name, std::size_t size) {
    std::ofstream file(folder.path(name), std::ios::binary);
    for (std::size_t i = 0; i < size; i++) file.put(static_cast<char>(byte_at(i)));
  }
  static u8 byte_at(u64 offset) { return static_cast<u8>(offset * 7 + offset / 2352); }
  Result<std::unique_ptr<DiskImage>> open(const std::string& text) {
    std::ofstream(folder.path("disc.cue")) << text;
    ImageSource source;
    source.file = folder.path("disc.cue");
    return open_image(source, HostFile::Access::ReadOnly);
  }
  std::string refusal(const std::string& text) {
    const auto opened = open(text);
    EXPECT_FALSE(opened.ok()) << text;
    return opened.ok() ? "" : opened.message();
  }
  test::TemporaryFolder folder;
};

TEST_F(Cue, DataAndSoundInOneFile) {
  write_file("disc.bin", 100 * 2352);
  const auto opened = open(
      "REM made by hand\r\nFILE \"disc.bin\" BINARY\r\n  TRACK 01 MODE1/2352\r\n    INDEX 01 00:00:00\r\n"
      "  TRACK 02 AUDIO\r\n    INDEX 00 00:00:40\r\n    INDEX 01 00:00:50\r\n"
      "  TRACK 03 AUDIO\r\n    PREGAP 00:00:20\r\n    INDEX 01 00:01:05\r\n");
  ASSERT_TRUE(opened.ok()) << opened.message();
  DiskImage& image = *opened.value();
  EXPECT_EQ(image.size_bytes(), 120u * 2048);
  EXPECT_TRUE(image.read_only());
  EXPECT_EQ(image.info().format, "cue");
  ASSERT_NE(image.disc(), nullptr);
  const auto& tracks = image.disc()->tracks();
  ASSERT_EQ(tracks.size(), 3u);
  EXPECT_FALSE(tracks[0].audio);
  EXPECT_EQ(tracks[1].first, 50u);
  EXPECT_EQ(tracks[2].first, 100u);
  std::array<u8, 3000> data{};
  ASSERT_TRUE(image.read(2 * 2048 + 100, data).ok());
  EXPECT_EQ(data[0], byte_at(2 * 2352 + 16 + 100));
  EXPECT_EQ(data[2999], byte_at(3 * 2352 + 16 + 3099 - 2048));
  std::array<u8, kCdFrameBytes> sound{};
  ASSERT_TRUE(image.disc()->read_audio(45, sound).ok());  // the pause before a track is in the file
  EXPECT_EQ(sound[10], byte_at(45 * 2352 + 10));
  ASSERT_TRUE(image.disc()->read_audio(85, sound).ok());
  EXPECT_EQ(sound, (std::array<u8, kCdFrameBytes>{}));  // and here it is not
  ASSERT_TRUE(image.disc()->read_audio(101, sound).ok());
  EXPECT_EQ(sound[10], byte_at(81 * 2352 + 10));
  ASSERT_TRUE(image.read(60 * 2048, data).ok());  // sound has no data
  EXPECT_EQ(data, (std::array<u8, 3000>{}));
  EXPECT_FALSE(image.read(119 * 2048, data).ok());
  EXPECT_FALSE(image.write(0, data).ok());
}

TEST_F(Cue, AFileForEachTrack) {
  write_file("data.iso", 10 * 2048);
  write_file("second.raw", 4 * 2352 + 100);
  std::string wave = "RIFF....WAVEfmt ";
  const auto number = [](u32 value, unsigned width) {
    std::string bytes;
    for (unsigned i = 0; i < width; i++) bytes += static_cast<char>(value >> (8 * i));
    return bytes;
  };
  wave +=
      number(16, 4) + number(1, 2) + number(2, 2) + number(44100, 4) + number(176400, 4) + number(4, 2) + number(16, 2);
  wave += "data" + number(3 * 2352, 4) + std::string(3 * 2352, 'w') + "LIST" + number(4, 4) + "xxxx";
  std::ofstream(folder.path("third.wav"), std::ios::binary) << wave;
  const auto opened = open(
      "FILE data.iso BINARY\nTRACK 1 MODE1/2048\nINDEX 1 0:0:0\nFILE second.raw MOTOROLA\nTRACK 2 AUDIO\nINDEX 1 "
      "0:0:0\n"
      "FILE third.wav WAVE\nTRACK 3 AUDIO\nINDEX 1 0:0:0\n");
  ASSERT_TRUE(opened.ok()) << opened.message();
  DiskImage& image = *opened.value();
  EXPECT_EQ(image.size_bytes(), 18u * 2048);
  std::array<u8, kCdFrameBytes> sound{};
  ASSERT_TRUE(image.disc()->read_audio(11, sound).ok());
  EXPECT_EQ(sound[0], byte_at(2353));
  EXPECT_EQ(sound[1], byte_at(2352));
  ASSERT_TRUE(image.disc()->read_audio(14, sound).ok());  // it ends in its 100th byte
  EXPECT_EQ(sound[98], byte_at(4 * 2352 + 99));
  EXPECT_EQ(sound[100], 0);
  ASSERT_TRUE(image.disc()->read_audio(17, sound).ok());
  EXPECT_EQ(sound[2351], 'w');
  ASSERT_TRUE(image.disc()->read_audio(18, sound).ok());
  EXPECT_EQ(sound[0], 0);
}

TEST_F(Cue, ThePauseBeforeTheFirstTrackIsNoSector) {
  write_file("disc.bin", 200 * 2352);
  const auto opened = open("FILE disc.bin BINARY\nTRACK 01 AUDIO\nINDEX 00 00:00:00\nINDEX 01 00:02:00\n");
  ASSERT_TRUE(opened.ok()) << opened.message();
  EXPECT_EQ(opened.value()->disc()->tracks()[0].first, 0u);
  EXPECT_EQ(opened.value()->size_bytes(), 50u * 2048);
}

TEST_F(Cue, WhatIsWrongIsToldWithItsLine) {
  write_file("disc.bin", 10 * 2352);
  EXPECT_NE(refusal("FILE disc.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:60:00\n").find("line 3: "), std::string::npos);
  EXPECT_NE(refusal("FILE disc.bin MP3\n").find("line 1: "), std::string::npos);
  EXPECT_NE(refusal("FILE disc.bin BINARY\nTRACK 01 AUDIO\n").find("INDEX 01"), std::string::npos);
  EXPECT_NE(refusal("FILE disc.bin BINARY\nTRACK 02 AUDIO\nINDEX 01 0:0:0\nTRACK 1 AUDIO\n").find("line 4"),
            std::string::npos);
  EXPECT_NE(refusal("FILE disc.bin BINARY\nTRACK 1 AUDIO\nINDEX 1 0:0:0\nTRACK 2 AUDIO\nINDEX 1 0:0:20\n")
                .find("too short for track"),
            std::string::npos);
  EXPECT_NE(refusal("FILE nothing.bin BINARY\nTRACK 1 AUDIO\nINDEX 1 0:0:0\n").find("nothing.bin"), std::string::npos);
  EXPECT_NE(refusal("FILE disc.bin WAVE\nTRACK 1 AUDIO\nINDEX 1 0:0:0\n").find("WAVE"), std::string::npos);
  EXPECT_NE(refusal("REM empty\n").find("no TRACK"), std::string::npos);
  EXPECT_NE(refusal("\x7F\x45LF\n").find("is this one"), std::string::npos);
}

// Sheets come from anywhere: whatever stands in one, opening it ends, and what is opened can be read.
TEST_F(Cue, RandomSheetsAreContained) {
  write_file("disc.bin", 50 * 2352);
  const char* const kPieces[] = {"FILE disc.bin BINARY\n",
                                 "TRACK 01 AUDIO\n",
                                 "TRACK 02 MODE1/2352\n",
                                 "INDEX 00 00:00:00\n",
                                 "INDEX 01 00:00:10\n",
                                 "INDEX 01 99:59:74\n",
                                 "PREGAP 90:00:00\n",
                                 "TRACK 03 MODE2/2336\n",
                                 "INDEX 01 00:00:00\n",
                                 "\"",
                                 "TRACK\n",
                                 "INDEX\n"};
  std::mt19937 random(1);
  for (int round = 0; round < 500; round++) {
    std::string text = "FILE disc.bin BINARY\n";
    for (u64 i = random() % 8; i > 0; i--) text += kPieces[random() % std::size(kPieces)];
    const auto opened = open(text);
    if (!opened) continue;
    std::array<u8, kCdFrameBytes> sound{};
    std::array<u8, 2048> data{};
    const u64 sectors = opened.value()->size_bytes() / 2048;
    for (const u64 sector : {u64{0}, sectors / 2, sectors - 1, sectors}) {
      EXPECT_TRUE(opened.value()->disc()->read_audio(static_cast<u32>(sector), sound).ok());
      EXPECT_EQ(opened.value()->read(sector * 2048, data).ok(), sector < sectors) << text;
    }
  }
}

}  // namespace
}  // namespace relic86
