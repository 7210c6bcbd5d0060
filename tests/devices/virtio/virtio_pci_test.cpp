#include "devices/virtio/virtio_block.h"
#include "tests/block/memory_disk.h"
#include "tests/devices/virtio/virtio_board.h"

namespace relic86 {
namespace {

using namespace test;
using namespace virtio;

class VirtioPciTest : public ::testing::Test, protected VirtioBoard {
 protected:
  VirtioBlock& plug_disk(const VirtioInterfaces& interfaces) {
    disk = std::make_unique<VirtioBlock>("disk.0", interfaces, std::make_unique<MemoryDisk>(content),
                                         VirtioBlockOptions{});
    plug(*disk);
    return *disk;
  }
  MemoryDiskContent content{64 * 512};
  std::unique_ptr<VirtioBlock> disk;
};

TEST_F(VirtioPciTest, IdentityOfATransitionalDevice) {
  plug_disk({});
  EXPECT_EQ(config(kSlot, 0, 0x00, 4), 0x10011AF4u);
  EXPECT_EQ(config(kSlot, 0, 0x08, 4), 0x01000000u);
  EXPECT_EQ(config(kSlot, 0, 0x2C, 4), 0x00021AF4u);
  EXPECT_EQ(config(kSlot, 0, 0x3D, 1), 1u);
  EXPECT_NE(config(kSlot, 0, 0x06, 2) & 0x10, 0u);
}

TEST_F(VirtioPciTest, IdentityWithoutTheLegacyInterface) {
  plug_disk({.legacy = false});
  EXPECT_EQ(config(kSlot, 0, 0x00, 4), 0x10421AF4u);
  EXPECT_EQ(config(kSlot, 0, 0x08, 4), 0x01000001u);
  EXPECT_EQ(config(kSlot, 0, 0x2C, 4), 0x11001AF4u);
  set_config(kSlot, 0, 0x10, 4, ~0u);
  EXPECT_EQ(config(kSlot, 0, 0x10, 4), 0u);
  EXPECT_NE(device_features() >> kVersion1 & 1, 0u);
}

TEST_F(VirtioPciTest, WithoutTheModernInterface) {
  plug_disk({.modern = false});
  EXPECT_EQ(config(kSlot, 0, 0x00, 4), 0x10011AF4u);
  EXPECT_EQ(config(kSlot, 0, 0x06, 2) & 0x10, 0u);
  EXPECT_EQ(config(kSlot, 0, 0x34, 1), 0u);
  set_config(kSlot, 0, 0x20, 4, ~0u);
  EXPECT_EQ(config(kSlot, 0, 0x20, 4), 0u);
}

// What QEMU 7.2 shows with vectors=0, without what the test's driver has written (command, BARs).
TEST_F(VirtioPciTest, ConfigurationSpaceIsQemus) {
  plug_disk({});
  const std::pair<u8, u32> kExpected[] = {
      {0x00, 0x10011AF4}, {0x08, 0x01000000}, {0x2C, 0x00021AF4}, {0x34, 0x00000084}, {0x3C, 0x00000100},
      {0x40, 0x01100009}, {0x44, 0x00000004}, {0x48, 0x00000000}, {0x4C, 0x00001000}, {0x50, 0x03104009},
      {0x54, 0x00000004}, {0x58, 0x00001000}, {0x5C, 0x00001000}, {0x60, 0x04105009}, {0x64, 0x00000004},
      {0x68, 0x00002000}, {0x6C, 0x00001000}, {0x70, 0x02146009}, {0x74, 0x00000004}, {0x78, 0x00003000},
      {0x7C, 0x00001000}, {0x80, 0x00000004}, {0x84, 0x05147009}, {0x88, 0x00000000}};
  for (const auto& [offset, value] : kExpected) EXPECT_EQ(config(kSlot, 0, offset, 4), value) << unsigned{offset};
  EXPECT_EQ(disk->bar_size(0), 128u);
}

TEST_F(VirtioPciTest, CapabilitiesNameThePartsOfTheBar) {
  plug_disk({});
  std::vector<unsigned> types;
  for (u32 at = config(kSlot, 0, 0x34, 1); at != 0; at = config(kSlot, 0, static_cast<u8>(at + 1), 1)) {
    ASSERT_EQ(config(kSlot, 0, static_cast<u8>(at), 1), 9u);
    const unsigned type = config(kSlot, 0, static_cast<u8>(at + 3), 1);
    types.push_back(type);
    if (type == kPciConfig) continue;
    EXPECT_EQ(config(kSlot, 0, static_cast<u8>(at + 4), 1), 4u);
    EXPECT_EQ(config(kSlot, 0, static_cast<u8>(at + 8), 4) % 0x1000, 0u);
    EXPECT_EQ(config(kSlot, 0, static_cast<u8>(at + 12), 4), 0x1000u);
  }
  EXPECT_EQ(types, (std::vector<unsigned>{kPciConfig, kNotify, kDeviceConfig, kInterruptStatus, kCommonConfig}));
}

TEST_F(VirtioPciTest, TheBarIs64BitsWide) {
  plug_disk({});
  set_config(kSlot, 0, 0x20, 4, ~0u);
  set_config(kSlot, 0, 0x24, 4, ~0u);
  EXPECT_EQ(config(kSlot, 0, 0x20, 4), 0xFFFFC00Cu);
  EXPECT_EQ(config(kSlot, 0, 0x24, 4), 0xFFFFFFFFu);
  EXPECT_EQ(disk->mapped_at(4), 0u) << "a size probe";
  set_config(kSlot, 0, 0x20, 4, kMemory);
  set_config(kSlot, 0, 0x24, 4, 8);
  EXPECT_EQ(disk->mapped_at(4), u64{8} << 32 | kMemory);
  constexpr u64 kStatus = 0x14;  // of the common configuration, which comes first
  memory.write(PhysAddr((u64{8} << 32 | kMemory) + kStatus), 1, 1);
  EXPECT_EQ(memory.read(PhysAddr((u64{8} << 32 | kMemory) + kStatus), 1), 1u);
  EXPECT_EQ(memory.read(PhysAddr(kMemory + kStatus), 1), 0xFFu);
  set_config(kSlot, 0, 0x24, 4, 0);
  EXPECT_EQ(disk->mapped_at(4), kMemory);
}

TEST_F(VirtioPciTest, ConfigurationSpaceShowsRegisters) {
  plug_disk({});
  const auto aim = [&](u32 offset, u32 length) {
    set_config(kSlot, 0, 0x88, 1, 4);
    set_config(kSlot, 0, 0x8C, 4, offset);
    set_config(kSlot, 0, 0x90, 4, length);
  };
  aim(0x2000, 4);
  EXPECT_EQ(config(kSlot, 0, 0x94, 4), 64u) << "sectors";
  aim(kStatus, 1);
  set_config(kSlot, 0, 0x94, 1, kAcknowledge);
  EXPECT_EQ(status(), kAcknowledge);
  EXPECT_EQ(config(kSlot, 0, 0x94, 1), kAcknowledge);
  aim(0xFFFFFFF0, 4);
  set_config(kSlot, 0, 0x94, 4, 0);
  aim(0, 3);
  set_config(kSlot, 0, 0x94, 4, 0);
  EXPECT_EQ(status(), kAcknowledge);
}

TEST_F(VirtioPciTest, FeaturesThatAreNotOfferedAreRefused) {
  plug_disk({.event_index = false});
  const auto accepts = [&](u64 wanted) {
    set_status(0);
    set_status(kAcknowledge | kDriver);
    set_features(wanted);
    set_status(kAcknowledge | kDriver | kFeaturesOk);
    return (status() & kFeaturesOk) != 0;
  };
  const u64 version = u64{1} << kVersion1;
  EXPECT_TRUE(accepts(version));
  EXPECT_FALSE(accepts(0)) << "this interface is virtio 1's";
  EXPECT_FALSE(accepts(version | u64{1} << 50));
  EXPECT_FALSE(accepts(version | u64{1} << kEventIndex));
  EXPECT_EQ(device_features() >> kNotifyOnEmpty & 1, 0u) << "a legacy feature";
  EXPECT_EQ(legacy(kLegacyDeviceFeatures, 4) >> kNotifyOnEmpty & 1, 1u);
}

TEST_F(VirtioPciTest, QueueSizesArePowersOfTwoAndSettledOnceEnabled) {
  plug_disk({});
  set_status(kAcknowledge | kDriver);
  set_common(kQueueSelect, 2, 0);
  const u32 most = common(kQueueSize, 2);
  for (const u32 wrong : {0u, 3u, most * 2, 0xFFFFu}) {
    set_common(kQueueSize, 2, wrong);
    EXPECT_EQ(common(kQueueSize, 2), most) << wrong;
  }
  set_common(kQueueSize, 2, 8);
  set_common(kQueueDescriptors, 4, 0x10000);
  set_common(kQueueEnable, 2, 1);
  set_common(kQueueSize, 2, 16);
  set_common(kQueueDescriptors, 4, 0x20000);
  EXPECT_EQ(common(kQueueSize, 2), 8u);
  EXPECT_EQ(common(kQueueDescriptors, 4), 0x10000u);
  set_common(kQueueSelect, 2, 1);
  EXPECT_EQ(common(kQueueSize, 2), 0u) << "there is no such queue";
}

}  // namespace
}  // namespace relic86
