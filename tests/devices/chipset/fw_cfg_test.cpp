#include "devices/chipset/fw_cfg.h"

#include <gtest/gtest.h>

#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using test::TestBoard;

struct FirmwareConfig : ::testing::Test {
  FirmwareConfig() {
    const PhysRange ram = ram_range("ram", PhysAddr(0), 0xA0000, BackingOffset(0));
    EXPECT_TRUE(board.memory.map_fixed(board.memory.new_key(), ram).ok());
    device.add_u16(kFwCfgProcessors, 1);
    EXPECT_TRUE(device.add_file("etc/second", {1, 2, 3}).ok());
    EXPECT_TRUE(device.add_file("bootorder", {9}).ok());
    EXPECT_TRUE(device.attach(board.attachment).ok());
    device.reset(ResetKind::PowerOn);
  }
  std::string text(u16 key, unsigned count) {
    board.out(0x510, key, 2);
    std::string result;
    for (unsigned i = 0; i < count; i++) result += static_cast<char>(board.in(0x511));
    return result;
  }
  static u32 swapped(u32 value) { return __builtin_bswap32(value); }
  // Runs one DMA request at 1000h; returns the control word it leaves.
  u32 dma(u32 control, u32 length, u32 address, u32 address_high = 0) {
    const u32 request[4] = {swapped(control), swapped(length), swapped(address_high), swapped(address)};
    board.memory.write_block(PhysAddr(0x1000), std::span(reinterpret_cast<const u8*>(request), 16));
    board.out(0x514, 0, 4);
    board.out(0x518, swapped(0x1000), 4);
    return swapped(static_cast<u32>(board.memory.read(PhysAddr(0x1000), 4)));
  }
  TestBoard board;
  FwCfg device;
};

TEST_F(FirmwareConfig, SignatureAndId) {
  EXPECT_EQ(text(0, 5), std::string("QEMU\0", 5));
  EXPECT_EQ(text(1, 1), "\3");
  EXPECT_EQ(text(5, 3), std::string("\1\0\0", 3));
  EXPECT_EQ(text(0x7777, 1), std::string("\0", 1));
  EXPECT_EQ(board.in(0x514, 4), 0x554D4551u);
  EXPECT_EQ(board.in(0x518, 4), 0x47464320u);
}

TEST_F(FirmwareConfig, DirectoryIsSortedAndBigEndian) {
  const std::string directory = text(0x19, 4 + 2 * 64);
  EXPECT_EQ(directory.substr(0, 4), std::string("\0\0\0\2", 4));
  EXPECT_EQ(directory.substr(4, 8), std::string("\0\0\0\1\0\x21\0\0", 8));
  EXPECT_STREQ(directory.c_str() + 12, "bootorder");
  EXPECT_EQ(directory.substr(68, 6), std::string("\0\0\0\3\0\x20", 6));
  EXPECT_STREQ(directory.c_str() + 76, "etc/second");
  EXPECT_EQ(text(0x20, 3), "\1\2\3");
  EXPECT_FALSE(device.add_file(std::string(56, 'x'), {}).ok());
}

TEST_F(FirmwareConfig, DmaReadsSkipsAndPadsWithZeros) {
  board.memory.write(PhysAddr(0x2000), 8, ~u64{0});
  EXPECT_EQ(dma(0x0020000A, 5, 0x2000), 0u);
  EXPECT_EQ(board.memory.read(PhysAddr(0x2000), 8), 0xFFFFFF0000030201u);
  EXPECT_EQ(dma(0x00200008, 0, 0), 0u);
  EXPECT_EQ(dma(0x00000004, 2, 0), 0u);
  EXPECT_EQ(board.in(0x511), 3u);
  EXPECT_EQ(dma(0x00200018, 1, 0x2000), 1u);
}

TEST_F(FirmwareConfig, WildDmaIsContained) {
  EXPECT_EQ(dma(0x0020000A, 16, 0xFFFFFFF8), 1u);
  EXPECT_EQ(dma(0x0020000A, 16, 0, 1), 1u);
  board.out(0x514, 0xFFFFFFFF, 4);
  board.out(0x518, 0xFFFFFFFF, 4);
  std::mt19937 random(3);
  for (unsigned i = 0; i < 20000; i++) {
    board.out(static_cast<u16>(0x510 + random() % 12), static_cast<u32>(random()), 1u << random() % 3);
    board.in(static_cast<u16>(0x510 + random() % 12), 1u << random() % 3);
  }
  EXPECT_EQ(text(0, 4), "QEMU");
}

TEST_F(FirmwareConfig, StateKeepsThePosition) {
  text(0, 2);
  const auto state = test::saved(device);
  device.reset(ResetKind::Hard);
  ASSERT_TRUE(test::load(device, state));
  EXPECT_EQ(board.in(0x511), static_cast<u32>('M'));
  device.reset(ResetKind::Hard);
  ASSERT_TRUE(test::load(device, state));
  EXPECT_EQ(test::saved(device), state);
}

}  // namespace
}  // namespace relic86
