#include "devices/storage/disk_geometry.h"

#include <gtest/gtest.h>

#include "tests/block/memory_disk.h"

namespace relic86 {
namespace {

// An image of any size whose first sector holds a partition table.
class SizedDisk final : public BlockDevice {
 public:
  SizedDisk(u64 sectors, u32 heads = 0, u32 sectors_per_track = 0) : sectors_(sectors) {
    if (heads == 0) return;
    first_[510] = 0x55, first_[511] = 0xAA;
    first_[0x1BE + 4] = 6;
    first_[0x1BE + 5] = static_cast<u8>(heads - 1);
    first_[0x1BE + 6] = static_cast<u8>(sectors_per_track | 0xC0);
    first_[0x1BE + 12] = 1;
  }
  u64 size_bytes() const override { return sectors_ * 512; }
  bool read_only() const override { return true; }
  Result<> read(u64, std::span<u8> bytes) override {
    std::copy_n(first_.begin(), bytes.size(), bytes.begin());
    return {};
  }
  Result<> write(u64, std::span<const u8>) override { return Error{"read-only"}; }
  Result<> flush() override { return {}; }

 private:
  u64 sectors_;
  std::array<u8, 512> first_{};
};

DiskLayout guess(SizedDisk disk) { return guess_disk_layout(disk); }

TEST(DiskGeometry, BySize) {
  EXPECT_EQ(guess(SizedDisk(20 * 2048)).geometry, (DiskGeometry{40, 16, 63}));
  EXPECT_EQ(guess(SizedDisk(20 * 2048)).translation, DiskTranslation::None);
  EXPECT_EQ(guess(SizedDisk(u64{2} << 21)).geometry, (DiskGeometry{4161, 16, 63}));  // 2 GiB
  EXPECT_EQ(guess(SizedDisk(u64{2} << 21)).translation, DiskTranslation::Large);
  EXPECT_EQ(guess(SizedDisk(u64{64} << 21)).geometry, (DiskGeometry{16383, 16, 63}));
  EXPECT_EQ(guess(SizedDisk(u64{64} << 21)).translation, DiskTranslation::Lba);
  EXPECT_EQ(guess(SizedDisk(1)).geometry, (DiskGeometry{2, 16, 63}));
}

TEST(DiskGeometry, OldDriveByItsPartitionTable) {
  // A 20 MB drive: 615 cylinders, 4 heads, 17 sectors.
  const auto layout = guess(SizedDisk(615 * 4 * 17, 4, 17));
  EXPECT_EQ(layout.geometry, (DiskGeometry{615, 4, 17}));
  EXPECT_EQ(layout.translation, DiskTranslation::None);
}

TEST(DiskGeometry, TranslationOfThePartitionTable) {
  const u64 sectors = u64{4} << 21;  // 4 GiB
  EXPECT_EQ(guess(SizedDisk(sectors, 255, 63)).translation, DiskTranslation::Lba);
  EXPECT_EQ(guess(SizedDisk(sectors, 255, 63)).geometry, (DiskGeometry{8322, 16, 63}));
  EXPECT_EQ(guess(SizedDisk(u64{1} << 21, 64, 63)).translation, DiskTranslation::Large);  // 1 GiB: 520 x 64 x 63
  EXPECT_EQ(guess(SizedDisk(u64{1} << 21, 255, 63)).translation, DiskTranslation::Large);
  EXPECT_EQ(guess(SizedDisk(u64{100} << 11, 255, 63)).translation, DiskTranslation::Lba);
}

TEST(DiskGeometry, ChosenByTheUser) {
  EXPECT_TRUE(chosen_disk_layout({1024, 16, 63}).ok());
  EXPECT_EQ(chosen_disk_layout({1025, 16, 63}).value().translation, DiskTranslation::Large);
  EXPECT_FALSE(chosen_disk_layout({0, 16, 63}).ok());
  EXPECT_FALSE(chosen_disk_layout({10, 17, 63}).ok());
  EXPECT_FALSE(chosen_disk_layout({10, 16, 64}).ok());
}

}  // namespace
}  // namespace relic86
