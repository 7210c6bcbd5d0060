// Blank floppies: what is on them is a file system as DOS reads it.
#include "block/floppy_image.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace relic86 {
namespace {

std::string path_of(const char* name) {
  return testing::TempDir() + "floppy_image_test." + std::to_string(::getpid()) + "." + name;
}

TEST(FloppyImage, EverySizeHoldsAFileSystem) {
  struct Size {
    u64 kilobytes;
    unsigned clusters;  // that DOS reports free
  };
  for (const Size& size : {Size{360, 354}, {720, 713}, {1200, 2371}, {1440, 2847}, {2880, 2863}}) {
    const std::string path = path_of("img");
    ASSERT_TRUE(create_floppy_image(path, size.kilobytes).ok());
    std::ifstream stream(path, std::ios::binary);
    const std::string image{std::istreambuf_iterator<char>(stream), {}};
    std::filesystem::remove(path);
    ASSERT_EQ(image.size(), size.kilobytes * 1024);
    const auto byte = [&](std::size_t at) { return static_cast<u8>(image[at]); };
    const auto word = [&](std::size_t at) { return byte(at) | byte(at + 1) << 8; };
    EXPECT_EQ(word(510), 0xAA55);
    EXPECT_EQ(word(11), 512);
    EXPECT_EQ(word(19) * 512u, image.size());
    EXPECT_EQ(word(19) % (word(24) * word(26)), 0) << "whole tracks";
    const int first_data = word(14) + byte(16) * word(22) + word(17) * 32 / 512;
    const int clusters = (word(19) - first_data) / byte(13);
    EXPECT_EQ(static_cast<unsigned>(clusters), size.clusters) << size.kilobytes;
    EXPECT_LT(clusters, 4085) << "FAT12";
    EXPECT_GE(word(22) * 512 * 2 / 3, clusters + 2) << "the FAT has an entry for each";
    for (int fat = 0; fat < byte(16); fat++) {
      const std::size_t at = static_cast<std::size_t>(512 * (word(14) + fat * word(22)));
      EXPECT_EQ(byte(at), byte(21));
      EXPECT_EQ(word(at + 1), 0xFFFF);
      EXPECT_EQ(word(at + 3), 0);
    }
  }
}

TEST(FloppyImage, Refusals) {
  const std::string path = path_of("there");
  std::ofstream(path) << "precious";
  const auto there = create_floppy_image(path, 1440);
  EXPECT_EQ(there.message(), path + ": cannot be made: File exists; choose another name");
  EXPECT_EQ(std::filesystem::file_size(path), 8u);
  std::filesystem::remove(path);
  EXPECT_EQ(create_floppy_image(path, 1441).message(),
            path + ": there are no floppies of 1441 KiB; 360, 720, 1200, 1440 and 2880 exist");
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace relic86
