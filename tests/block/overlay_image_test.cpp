#include "block/overlay_image.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <random>

#include "tests/block/memory_disk.h"
#include "tests/block/temporary_folder.h"

namespace relic86 {
namespace {

using test::MemoryDisk;
using test::MemoryDiskContent;

std::unique_ptr<OverlayImage> over(MemoryDiskContent& content, const std::string& folder) {
  auto overlay = OverlayImage::create(std::make_unique<MemoryDisk>(content), folder);
  EXPECT_TRUE(overlay.ok());
  return std::move(overlay).value();
}

TEST(OverlayImage, RandomWritesReadBackAndLeaveTheBaseAlone) {
  const test::TemporaryFolder folder;
  MemoryDiskContent content(200'000);  // ends within a block
  content.fill_pattern();
  auto expected = content.bytes;
  const auto original = content.bytes;
  auto overlay = over(content, folder.path());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "the overlay has no name";
  std::mt19937 random(1);
  for (int i = 0; i < 400; i++) {
    if (i % 130 == 129) {
      ASSERT_TRUE(overlay->forked().ok());  // layers on layers
    }
    const std::size_t offset = random() % expected.size();
    std::vector<u8> bytes(1 + random() % std::min<std::size_t>(20'000, expected.size() - offset));
    if (random() % 2 == 0) {
      for (u8& byte : bytes) byte = static_cast<u8>(random());
      ASSERT_TRUE(overlay->write(offset, bytes).ok());
      std::copy(bytes.begin(), bytes.end(), expected.begin() + static_cast<std::ptrdiff_t>(offset));
    } else {
      ASSERT_TRUE(overlay->read(offset, bytes).ok());
      ASSERT_TRUE(std::equal(bytes.begin(), bytes.end(), expected.begin() + static_cast<std::ptrdiff_t>(offset)));
    }
  }
  EXPECT_EQ(content.bytes, original);
  EXPECT_FALSE(overlay->write(199'999, std::vector<u8>(2)).ok());
  ASSERT_TRUE(overlay->commit().ok());
  EXPECT_EQ(content.bytes, expected);
  EXPECT_EQ(overlay->block_count(), 0u);
  EXPECT_EQ(content.flushes, 1u);
}

TEST(OverlayImage, AForkedProcessHasWhatThereWasAndWritesForItself) {
  const test::TemporaryFolder folder;
  MemoryDiskContent content(100'000);
  content.fill_pattern();
  auto overlay = over(content, folder.path());
  ASSERT_TRUE(overlay->write(5000, std::vector<u8>(4096, 0x11)).ok());
  std::vector<u8> bytes(4096);
  const pid_t child = ::fork();
  if (child == 0) {
    bool well = overlay->forked().ok() && overlay->read(5000, bytes).ok() && bytes == std::vector<u8>(4096, 0x11);
    well = well && overlay->write(5000, std::vector<u8>(100, 0x22)).ok() && overlay->read(5000, bytes).ok();
    ::_exit(well && bytes[99] == 0x22 && bytes[100] == 0x11 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_TRUE(overlay->read(5000, bytes).ok());
  EXPECT_EQ(bytes, std::vector<u8>(4096, 0x11));
}

TEST(OverlayImage, LayersAreSavedAsOneAndClearedTogether) {
  const test::TemporaryFolder folder;
  MemoryDiskContent content(100'000);
  auto overlay = over(content, folder.path());
  ASSERT_TRUE(overlay->write(0, std::vector<u8>(4096, 1)).ok());
  ASSERT_TRUE(overlay->write(8192, std::vector<u8>(4096, 2)).ok());
  ASSERT_TRUE(overlay->forked().ok());
  ASSERT_TRUE(overlay->write(8192, std::vector<u8>(10, 3)).ok());
  ASSERT_TRUE(overlay->forked().ok());
  ASSERT_TRUE(overlay->write(40'960, std::vector<u8>(1, 4)).ok());
  std::map<u64, std::vector<u8>> saved;
  ASSERT_TRUE(overlay
                  ->visit([&](u64 offset, std::span<const u8> bytes) {
                    saved[offset].assign(bytes.begin(), bytes.end());
                    return Result<>{};
                  })
                  .ok());
  ASSERT_EQ(saved.size(), 3u);
  EXPECT_EQ(saved[0][0], 1);
  EXPECT_EQ(saved[8192][9], 3);
  EXPECT_EQ(saved[8192][10], 2);
  EXPECT_EQ(saved[40'960][0], 4);
  ASSERT_TRUE(overlay->clear().ok());
  std::vector<u8> bytes(100'000, 0xFF);
  ASSERT_TRUE(overlay->read(0, bytes).ok());
  EXPECT_EQ(bytes, content.bytes);
}

TEST(OverlayImage, BlocksAreSavedAndRestored) {
  const test::TemporaryFolder folder;
  MemoryDiskContent content(100'000);
  content.fill_pattern();
  auto overlay = over(content, folder.path());
  ASSERT_TRUE(overlay->write(5000, std::vector<u8>(10, 0xEE)).ok());
  ASSERT_TRUE(overlay->write(99'999, std::vector<u8>(1, 0xDD)).ok());
  std::map<u64, std::vector<u8>> saved;
  ASSERT_TRUE(overlay
                  ->visit([&](u64 offset, std::span<const u8> bytes) {
                    saved[offset].assign(bytes.begin(), bytes.end());
                    return Result<>{};
                  })
                  .ok());
  EXPECT_EQ(saved.size(), 2u);
  EXPECT_EQ(saved[98'304].size(), 100'000u - 98'304u);
  ASSERT_TRUE(overlay->write(0, std::vector<u8>(30'000, 0x11)).ok());
  ASSERT_TRUE(overlay->clear().ok());
  for (const auto& [offset, bytes] : saved) ASSERT_TRUE(overlay->write(offset, bytes).ok());
  auto expected = content.bytes;
  std::fill_n(expected.begin() + 5000, 10, u8{0xEE});
  expected[99'999] = 0xDD;
  std::vector<u8> all(100'000);
  ASSERT_TRUE(overlay->read(0, all).ok());
  EXPECT_EQ(all, expected);
}

TEST(OverlayImage, CommitThatFailsKeepsTheOverlay) {
  const test::TemporaryFolder folder;
  MemoryDiskContent content(100'000);
  auto overlay = over(content, folder.path());
  ASSERT_TRUE(overlay->write(0, std::vector<u8>(100'000, 1)).ok());
  content.fail_writes_from = 50'000;
  EXPECT_FALSE(overlay->commit().ok());
  std::vector<u8> all(100'000);
  ASSERT_TRUE(overlay->read(0, all).ok());
  EXPECT_EQ(all, std::vector<u8>(100'000, 1));
  content.read_only = true;
  EXPECT_FALSE(overlay->commit().ok());
}

TEST(OverlayImage, NoFolderIsAClearError) {
  MemoryDiskContent content(512);
  auto overlay = OverlayImage::create(std::make_unique<MemoryDisk>(content), "/nonexistent/folder");
  ASSERT_FALSE(overlay.ok());
  EXPECT_NE(overlay.message().find("/nonexistent/folder: no temporary file"), std::string::npos);
}

}  // namespace
}  // namespace relic86
