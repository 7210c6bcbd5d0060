#include "display/screenshot.h"

#include <gtest/gtest.h>
#include <png.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace relic86 {
namespace {

struct Screenshot : ::testing::Test {
  Screenshot() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    path = (std::filesystem::temp_directory_path() / (std::string("relic86-screenshot-") + info->name())).string();
    frame.width = 2;
    frame.height = 2;
    frame.pixels = {0xFF0000, 0x00FF00, 0x0000FF, 0x123456};
  }
  ~Screenshot() override { std::filesystem::remove(path); }
  std::string path;
  Frame frame;
};

TEST_F(Screenshot, PpmHoldsTheBytes) {
  ASSERT_TRUE(write_screenshot(frame, path, PictureFormat::Ppm).ok());
  std::ifstream file(path, std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  const char expected[] = "P6\n2 2\n255\n\xFF\x00\x00\x00\xFF\x00\x00\x00\xFF\x12\x34\x56";
  EXPECT_EQ(content, std::string(expected, sizeof expected - 1));
}

TEST_F(Screenshot, PngReadsBackAlike) {
  ASSERT_TRUE(write_screenshot(frame, path, PictureFormat::Png).ok());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  ASSERT_NE(png_image_begin_read_from_file(&image, path.c_str()), 0);
  image.format = PNG_FORMAT_RGB;
  ASSERT_EQ(image.width, 2u);
  ASSERT_EQ(image.height, 2u);
  std::array<u8, 12> rgb{};
  ASSERT_NE(png_image_finish_read(&image, nullptr, rgb.data(), 0, nullptr), 0);
  EXPECT_EQ(rgb, (std::array<u8, 12>{0xFF, 0, 0, 0, 0xFF, 0, 0, 0, 0xFF, 0x12, 0x34, 0x56}));
}

TEST_F(Screenshot, ErrorsNameTheFile) {
  const std::string bad = path + "/no/such/folder.ppm";
  const auto done = write_screenshot(frame, bad, PictureFormat::Ppm);
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.message().find(bad), std::string::npos);
  EXPECT_NE(done.message().find("No such file"), std::string::npos);
  EXPECT_FALSE(write_screenshot(frame, "/dev/full", PictureFormat::Png).ok());
  EXPECT_FALSE(write_screenshot(Frame{}, path, PictureFormat::Png).ok());
}

}  // namespace
}  // namespace relic86
