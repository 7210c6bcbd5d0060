#include "batch/picture_match.h"

#include <gtest/gtest.h>

#include "display/picture_file.h"
#include "display/screenshot.h"
#include "tests/block/temporary_folder.h"

namespace relic86::batch {
namespace {

Frame empty_frame(unsigned width, unsigned height) {
  Frame made;
  made.width = width;
  made.height = height;
  return made;
}

Frame frame(unsigned width, unsigned height) {
  Frame made = empty_frame(width, height);
  for (unsigned i = 0; i < width * height; i++) made.pixels.push_back(i * 0x10305 & 0xFFFFFF);
  return made;
}

TEST(PictureMatch, TheSameIsTheSame) { EXPECT_TRUE(compare_picture(frame(20, 10), frame(20, 10), {}).same); }

TEST(PictureMatch, ToleranceAndShare) {
  Frame shown = frame(20, 10);
  shown.pixels[45] ^= 0x000004;
  const auto strict = compare_picture(shown, frame(20, 10), {});
  EXPECT_FALSE(strict.same);
  EXPECT_NE(strict.why.find("1 of 200 pixels"), std::string::npos) << strict.why;
  EXPECT_NE(strict.why.find("at 5,2"), std::string::npos) << strict.why;
  EXPECT_TRUE(compare_picture(shown, frame(20, 10), {.tolerance = 4}).same);
  EXPECT_FALSE(compare_picture(shown, frame(20, 10), {.tolerance = 3}).same);
  EXPECT_TRUE(compare_picture(shown, frame(20, 10), {.differing = 0.005}).same);
}

TEST(PictureMatch, ARegionOfTheScreenOrOfBoth) {
  const Frame screen = frame(20, 10);
  Frame cut = empty_frame(3, 2);
  for (unsigned y = 0; y < 2; y++) {
    for (unsigned x = 0; x < 3; x++) cut.pixels.push_back(screen.pixels[(y + 4) * 20 + x + 7]);
  }
  EXPECT_TRUE(compare_picture(screen, cut, {.region = {7, 4, 3, 2}}).same);
  EXPECT_FALSE(compare_picture(screen, cut, {.region = {8, 4, 3, 2}}).same);
  EXPECT_FALSE(compare_picture(screen, cut, {.region = {18, 4, 3, 2}}).same);
  EXPECT_FALSE(compare_picture(screen, cut, {}).same);
  Frame other = screen;
  other.pixels[0] ^= 0xFF;
  EXPECT_TRUE(compare_picture(screen, other, {.region = {1, 0, 19, 10}}).same);
}

TEST(PictureMatch, WhatIsWrittenIsReadAgain) {
  test::TemporaryFolder folder;
  const std::string file = folder.path("screen.png");
  ASSERT_TRUE(write_screenshot(frame(20, 10), file, PictureFormat::Png));
  const auto read = read_picture(file);
  ASSERT_TRUE(read.ok()) << read.message();
  EXPECT_EQ(read.value().pixels, frame(20, 10).pixels);
  EXPECT_NE(read_picture(folder.path("none.png")).message().find("none.png"), std::string::npos);
}

}  // namespace
}  // namespace relic86::batch
