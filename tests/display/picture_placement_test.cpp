#include "display/picture_placement.h"

#include <gtest/gtest.h>

#include <utility>

namespace relic86 {
namespace {

constexpr PictureShape kText{720, 400, 20.0 / 27, true};
constexpr PictureShape kMode13h{320, 200, 5.0 / 6, false};
constexpr PictureShape kSvga{800, 600, 1.0, false};

TEST(PicturePlacement, TextInItsOwnWindowIsPixelForPixel) {
  const Placement place = place_picture(kText, {720, 400});
  EXPECT_EQ(place.x, 0);
  EXPECT_EQ(place.y, 0);
  EXPECT_EQ(place.width, 720);
  EXPECT_EQ(place.height, 400);
  EXPECT_EQ(place.repeat_x, 1u);
  EXPECT_EQ(place.repeat_y, 1u);
}

TEST(PicturePlacement, TextOnALargeScreenIsAWholeMultipleAndCentred) {
  const Placement place = place_picture(kText, {1920, 1080});
  EXPECT_EQ(place.width, 1440);
  EXPECT_EQ(place.height, 800);
  EXPECT_EQ(place.x, 240);
  EXPECT_EQ(place.y, 140);
  EXPECT_EQ(place.repeat_x, 2u);
  EXPECT_EQ(place.repeat_y, 2u);
}

TEST(PicturePlacement, TextFillsAScreenThatNoMultipleSuits) {
  const Placement place = place_picture(kText, {1280, 960});
  EXPECT_EQ(place.width, 1280);
  EXPECT_EQ(place.height, 960);
  EXPECT_EQ(place.repeat_x, 2u);
  EXPECT_EQ(place.repeat_y, 3u);
}

TEST(PicturePlacement, TextInATooSmallWindowShrinks) {
  const Placement place = place_picture(kText, {400, 400});
  EXPECT_EQ(place.width, 400);
  EXPECT_EQ(place.height, 300);
  EXPECT_EQ(place.y, 50);
  EXPECT_EQ(place.repeat_x, 1u);
}

TEST(PicturePlacement, GraphicsKeepTheirTrueShape) {
  const Placement wide = place_picture(kMode13h, {1920, 1080});
  EXPECT_EQ(wide.width, 1440);
  EXPECT_EQ(wide.height, 1080);
  EXPECT_EQ(wide.x, 240);
  EXPECT_EQ(wide.repeat_x, 5u);
  EXPECT_EQ(wide.repeat_y, 6u);
  const Placement tall = place_picture(kSvga, {600, 900});
  EXPECT_EQ(tall.width, 600);
  EXPECT_EQ(tall.height, 450);
  EXPECT_EQ(tall.y, 225);
}

TEST(PicturePlacement, NoPictureOrNoAreaDrawsNothing) {
  EXPECT_EQ(place_picture({}, {640, 480}).width, 0);
  EXPECT_EQ(place_picture(kText, {0, 480}).width, 0);
}

TEST(PicturePlacement, AnyAreaHoldsThePicture) {
  for (int width = 1; width < 2000; width += 37) {
    for (int height = 1; height < 1500; height += 41) {
      for (const PictureShape& shape : {kText, kMode13h, kSvga}) {
        const Placement place = place_picture(shape, {width, height});
        ASSERT_GE(place.x, 0);
        ASSERT_GE(place.y, 0);
        ASSERT_GT(place.width, 0);
        ASSERT_GT(place.height, 0);
        ASSERT_LE(place.x + place.width, width);
        ASSERT_LE(place.y + place.height, height);
      }
    }
  }
}

TEST(PicturePlacement, WindowsSuitTheDesktop) {
  const auto size = [](const PictureShape& shape, Extent room) {
    const Extent extent = natural_size(shape, room);
    return std::pair(extent.width, extent.height);
  };
  EXPECT_EQ(size(kText, {1920, 1080}), std::pair(720, 400));
  EXPECT_EQ(size(kText, {1024, 768}), std::pair(720, 400));
  EXPECT_EQ(size(kText, {640, 480}), std::pair(720, 400));
  EXPECT_EQ(size(kText, {3840, 2160}), std::pair(2160, 1200));
  EXPECT_EQ(size(kMode13h, {1024, 768}), std::pair(640, 480));
  EXPECT_EQ(size(kMode13h, {1920, 1080}), std::pair(960, 720));
  EXPECT_EQ(size(kSvga, {1920, 1080}), std::pair(800, 600));
  EXPECT_EQ(size(kSvga, {640, 480}), std::pair(800, 600));
}

TEST(PicturePlacement, PointsOfTheWindowAreOfThePicture) {
  const Placement place{100, 50, 801, 601};
  constexpr unsigned kMost = 32767;
  const auto at = [&](double x, double y) {
    const PicturePoint point = point_in_picture(place, x, y, kMost);
    return std::pair(point.x, point.y);
  };
  EXPECT_EQ(at(100, 50), std::pair(0u, 0u));
  EXPECT_EQ(at(900, 650), std::pair(kMost, kMost));
  EXPECT_EQ(at(500, 350), std::pair(16384u, 16384u));
  EXPECT_EQ(at(0, 2000), std::pair(0u, kMost));  // beside it
  EXPECT_EQ(point_in_picture({0, 0, 0, 0}, 5, 5, kMost).x, 0u);
}

}  // namespace
}  // namespace relic86
