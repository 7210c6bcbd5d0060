// What is recorded is read back: the file's chunks, and the pictures by a decoder of our own. FFmpeg shows the same.
#include "display/video_recorder.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

constexpr GuestTime kPicture = 1'000'000'000 / VideoRecorder::kPicturesPerSecond + 1;

u32 number(const std::string& bytes, std::size_t at) {
  u32 value = 0;
  for (unsigned i = 0; i < 4; i++) value |= u32{static_cast<u8>(bytes.at(at + i))} << (8 * i);
  return value;
}

struct Video {
  unsigned width = 0, height = 0;
  std::vector<std::vector<u32>> pictures;
  std::string sound;
};

class Decoder {
 public:
  Decoder(unsigned width, unsigned height) : width_(width), pixels_(std::size_t{width} * height), height_(height) {
    inflateInit(&z_);
  }
  ~Decoder() { inflateEnd(&z_); }
  const std::vector<u32>& decode(const std::string& chunk) {
    if (chunk.empty()) return pixels_;
    const bool key = (chunk[0] & 1) != 0;
    std::size_t at = 1;
    if (key) {
      EXPECT_EQ(chunk.substr(1, 6), std::string("\0\1\1\10\20\20", 6));
      at = 7;
      inflateReset(&z_);
    }
    std::string plain(pixels_.size() * 4 + 65536, '\0');
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(&chunk[at]));
    z_.avail_in = static_cast<uInt>(chunk.size() - at);
    z_.next_out = reinterpret_cast<Bytef*>(plain.data());
    z_.avail_out = static_cast<uInt>(plain.size());
    EXPECT_EQ(inflate(&z_, Z_SYNC_FLUSH), Z_OK);
    EXPECT_EQ(z_.avail_in, 0u);
    plain.resize(plain.size() - z_.avail_out);
    if (key) {
      EXPECT_EQ(plain.size(), pixels_.size() * 4);
      std::memcpy(pixels_.data(), plain.data(), plain.size());
      return pixels_;
    }
    const unsigned across = (width_ + 15) / 16, down = (height_ + 15) / 16;
    std::size_t next = (across * down * 2 + 3) / 4 * 4;
    for (unsigned block = 0; block < across * down; block++) {
      EXPECT_EQ(plain[block * 2] & ~1, 0);
      if ((plain[block * 2] & 1) == 0) continue;
      for (unsigned y = block / across * 16; y < std::min(height_, block / across * 16 + 16); y++) {
        for (unsigned x = block % across * 16; x < std::min(width_, block % across * 16 + 16); x++) {
          pixels_[y * width_ + x] ^= number(plain, next);
          next += 4;
        }
      }
    }
    EXPECT_EQ(next, plain.size());
    return pixels_;
  }

 private:
  unsigned width_;
  std::vector<u32> pixels_;
  unsigned height_;
  z_stream z_{};
};

Video read_avi(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  Video video;
  EXPECT_EQ(bytes.substr(0, 4), "RIFF");
  EXPECT_EQ(number(bytes, 4), bytes.size() - 8);
  const std::size_t movi = bytes.find("movi"), format = bytes.find("strf");
  video.width = number(bytes, format + 12);
  video.height = number(bytes, format + 16);
  Decoder decoder(video.width, video.height);
  const std::size_t end = movi + number(bytes, movi - 4);
  EXPECT_EQ(bytes.substr(end, 4), "idx1");
  std::size_t entry = end + 8;
  for (std::size_t at = movi + 4; at < end;) {
    const std::string id = bytes.substr(at, 4);
    const u32 size = number(bytes, at + 4);
    EXPECT_EQ(bytes.substr(entry, 4), id);
    EXPECT_EQ(number(bytes, entry + 8), at - movi);
    EXPECT_EQ(number(bytes, entry + 12), size);
    entry += 16;
    const std::string content = bytes.substr(at + 8, size);
    if (id == "00dc")
      video.pictures.push_back(decoder.decode(content));
    else
      video.sound += content;
    at += 8 + size + size % 2;
  }
  EXPECT_EQ(entry, bytes.size());
  EXPECT_EQ(number(bytes, bytes.find("avih") + 8 + 16), video.pictures.size());
  return video;
}

Frame noise(unsigned width, unsigned height, u32 seed) {
  Frame frame;
  frame.width = width;
  frame.height = height;
  std::mt19937 random(seed);
  for (unsigned i = 0; i < width * height; i++) frame.pixels.push_back(static_cast<u32>(random() & 0xFFFFFF));
  return frame;
}

TEST(VideoRecorder, PicturesComeBackAsTheyWere) {
  test::TemporaryFolder folder;
  const std::string path = folder.path("video.avi");
  Frame frame = noise(70, 37, 1);  // no whole number of blocks
  std::vector<std::vector<u32>> shown;
  {
    auto made = VideoRecorder::create({.path = path, .sound_rate = 44100}, frame, 0);
    ASSERT_TRUE(made.ok()) << made.message();
    VideoRecorder& recorder = *made.value();
    std::mt19937 random(2);
    GuestTime now = 0;
    for (int i = 0; i < 400; i++) {  // beyond the second key frame
      shown.push_back(frame.pixels);
      if (random() % 3 != 0) frame.pixels[random() % frame.pixels.size()] = static_cast<u32>(random() & 0xFFFFFF);
      recorder.picture(now += kPicture, frame);
    }
    recorder.sound(std::vector<StereoFrame>(3, {0.5f, -2}));
    recorder.silence(2);
    EXPECT_EQ(recorder.take_trouble(), "");
  }
  const Video video = read_avi(path);
  EXPECT_EQ(video.width, 70u);
  EXPECT_EQ(video.pictures, shown);
  const std::string sample("\0\100\1\200", 4);
  EXPECT_EQ(video.sound, sample + sample + sample + std::string(8, '\0'));
}

TEST(VideoRecorder, AStillPictureTakesItsTime) {
  test::TemporaryFolder folder;
  const std::string path = folder.path("video.avi");
  const Frame frame = noise(64, 48, 1);
  {
    auto recorder = VideoRecorder::create({.path = path}, frame, 7'000'000'000);
    ASSERT_TRUE(recorder.ok());
    recorder.value()->picture(9'000'000'001, frame);
    recorder.value()->restart(1'000'000'000);  // an earlier state was loaded
    recorder.value()->picture(1'500'000'001, frame);
  }
  EXPECT_EQ(read_avi(path).pictures.size(), 150u);
  EXPECT_LT(std::filesystem::file_size(path), 20'000u);
}

TEST(VideoRecorder, AnotherSizeBeginsAnotherFile) {
  test::TemporaryFolder folder;
  const Frame small = noise(32, 20, 1), large = noise(64, 48, 2);
  {
    auto recorder = VideoRecorder::create({.path = folder.path("video.avi")}, small, 0);
    ASSERT_TRUE(recorder.ok());
    recorder.value()->picture(2 * kPicture, large);
    recorder.value()->picture(5 * kPicture, small);
    recorder.value()->picture(6 * kPicture, small);
  }
  EXPECT_EQ(read_avi(folder.path("video.avi")).pictures.size(), 2u);
  const Video second = read_avi(folder.path("video-2.avi"));
  EXPECT_EQ(second.pictures, (std::vector<std::vector<u32>>(3, large.pixels)));
  EXPECT_EQ(read_avi(folder.path("video-3.avi")).width, 32u);
}

TEST(VideoRecorder, TroubleIsToldOnce) {
  test::TemporaryFolder folder;
  EXPECT_NE(VideoRecorder::create({.path = folder.path("no/video.avi")}, noise(8, 8, 1), 0).message(), "");
  EXPECT_NE(VideoRecorder::create({.path = folder.path("video.avi")}, Frame(), 0).message(), "");
}

}  // namespace
}  // namespace relic86
