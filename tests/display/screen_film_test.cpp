// The animated PNG is read back as its specification says.
#include "display/screen_film.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "display/picture_file.h"

namespace relic86 {
namespace {

constexpr GuestTime kMs = 1'000'000;

struct Chunk {
  std::string type;
  std::vector<u8> data;
  u32 number(std::size_t at, unsigned bytes = 4) const {
    u32 value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | data.at(at + i);
    return value;
  }
};

std::vector<Chunk> chunks_of(const std::vector<u8>& file) {
  std::vector<Chunk> chunks;
  const auto number = [&](std::size_t at) {
    return u32{file.at(at)} << 24 | u32{file.at(at + 1)} << 16 | u32{file.at(at + 2)} << 8 | file.at(at + 3);
  };
  for (std::size_t at = 8; at < file.size();) {
    const u32 length = number(at);
    Chunk chunk;
    chunk.type.assign(file.begin() + static_cast<long>(at) + 4, file.begin() + static_cast<long>(at) + 8);
    chunk.data.assign(file.begin() + static_cast<long>(at) + 8, file.begin() + static_cast<long>(at) + 8 + length);
    EXPECT_EQ(number(at + 8 + length), crc32(0, &file[at + 4], length + 4)) << chunk.type;
    at += 12 + length;
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

struct Shown {
  Frame frame;
  unsigned milliseconds = 0;
};

// What a player shows.
std::vector<Shown> play(const std::vector<u8>& file) {
  const std::vector<Chunk> chunks = chunks_of(file);
  std::vector<Shown> shown;
  Frame canvas;
  u32 sequence = 0, left = 0, top = 0, width = 0, height = 0, milliseconds = 0, announced = 0;
  for (const Chunk& chunk : chunks) {
    if (chunk.type == "IHDR") {
      canvas.width = chunk.number(0), canvas.height = chunk.number(4);
      canvas.pixels.assign(std::size_t{canvas.width} * canvas.height, 0);
    }
    if (chunk.type == "acTL") announced = chunk.number(0);
    if (chunk.type == "fcTL") {
      EXPECT_EQ(chunk.number(0), sequence++);
      width = chunk.number(4), height = chunk.number(8), left = chunk.number(12), top = chunk.number(16);
      EXPECT_LE(left + width, canvas.width);
      EXPECT_LE(top + height, canvas.height);
      milliseconds = chunk.number(20, 2) * 1000 / chunk.number(22, 2);
    }
    if (chunk.type != "fdAT") continue;
    EXPECT_EQ(chunk.number(0), sequence++);
    uLongf size = height * (1 + width * 3);
    std::vector<u8> rows(size);
    EXPECT_EQ(uncompress(rows.data(), &size, &chunk.data[4], chunk.data.size() - 4), Z_OK);
    EXPECT_EQ(size, rows.size());
    for (std::size_t y = 0; y < height; y++) {
      EXPECT_EQ(rows[y * (1 + width * 3)], 0);
      for (std::size_t x = 0; x < width; x++) {
        const u8* const pixel = &rows[y * (1 + width * 3) + 1 + x * 3];
        canvas.pixels[(top + y) * canvas.width + left + x] = u32{pixel[0]} << 16 | u32{pixel[1]} << 8 | pixel[2];
      }
    }
    shown.push_back({canvas, milliseconds});
  }
  EXPECT_EQ(announced, shown.size());
  return shown;
}

Frame picture(unsigned width, unsigned height, u32 colour) {
  Frame frame;
  frame.width = width, frame.height = height;
  frame.pixels.assign(std::size_t{width} * height, colour);
  return frame;
}

TEST(ScreenFilm, ShowsEachPictureForItsTime) {
  ScreenFilm film;
  Frame frame = picture(20, 10, 0x102030);
  film.add(frame, 0);
  film.add(frame, 100 * kMs);  // the same: none of its own
  frame.pixels[3 * 20 + 4] = 0xFF0000;
  frame.pixels[5 * 20 + 17] = 0x00FF00;
  film.add(frame, 300 * kMs);
  frame.pixels[0] = 0x0000FF;
  film.add(frame, 60'000 * kMs);
  const auto shown = play(film.animated_png());
  ASSERT_EQ(shown.size(), 3u);
  EXPECT_EQ(shown[0].frame.pixels, picture(20, 10, 0x102030).pixels);
  EXPECT_EQ(shown[0].milliseconds, 300u);
  EXPECT_EQ(shown[1].milliseconds, 2000u);  // waits are cut
  EXPECT_EQ(shown[2].frame.pixels, frame.pixels);
}

TEST(ScreenFilm, SizesMayChange) {
  ScreenFilm film;
  film.add(picture(20, 10, 0x111111), 0);
  film.add(picture(10, 20, 0x222222), 100 * kMs);
  film.add(picture(8, 4, 0x333333), 200 * kMs);
  const auto shown = play(film.animated_png());
  ASSERT_EQ(shown.size(), 5u);  // a black one where the size changes
  EXPECT_EQ(shown[0].frame.width, 20u);
  EXPECT_EQ(shown[0].frame.height, 20u);
  EXPECT_EQ(shown[1].milliseconds, 0u);
  const Frame& last = shown.back().frame;
  EXPECT_EQ(last.pixels[3 * 20 + 7], 0x333333u);
  EXPECT_EQ(last.pixels[4 * 20 + 7], 0u);
  EXPECT_EQ(last.pixels[3 * 20 + 8], 0u);
}

TEST(ScreenFilm, OfLongOnesTheEndIsKept) {
  constexpr std::size_t kMost = 20, kAdded = 1000;
  ScreenFilm film(kMost);
  Frame frame = picture(16, 16, 0);
  for (u32 i = 1; i <= kAdded; i++) {
    frame.pixels[i % frame.pixels.size()] = i;
    film.add(frame, i * kMs);
    EXPECT_LE(film.pictures(), kMost);
    EXPECT_GE(film.pictures(), std::min<std::size_t>(i, kMost / 2));
  }
  EXPECT_EQ(play(film.animated_png()).back().frame.pixels, frame.pixels);
}

TEST(ScreenFilm, ViewersWithoutAnimationShowTheLastPicture) {
  ScreenFilm film;
  film.add(picture(20, 10, 0x111111), 0);
  film.add(picture(20, 10, 0x445566), 100 * kMs);
  const std::string path = (std::filesystem::temp_directory_path() / "relic86-film-viewers.png").string();
  ASSERT_TRUE(film.write(path).ok());
  const auto read = read_picture(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(read.ok()) << read.message();
  EXPECT_EQ(read.value().pixels, picture(20, 10, 0x445566).pixels);
  EXPECT_TRUE(ScreenFilm().animated_png().empty());
}

}  // namespace
}  // namespace relic86
