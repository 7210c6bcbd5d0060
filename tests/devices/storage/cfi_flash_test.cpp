#include "devices/storage/cfi_flash.h"

#include <gtest/gtest.h>

#include "tests/block/memory_disk.h"
#include "tests/devices/test_board.h"

namespace relic86 {
namespace {

using test::MemoryDisk;
using test::TestBoard;

constexpr u64 kSize = u64{64} << 10, kEnd = u64{1} << 32, kFirst = kEnd - kSize;

struct FlashBoard : TestBoard {
  explicit FlashBoard(bool read_only = false) {
    image.fill_pattern();
    image.read_only = read_only;
    flash = std::make_unique<CfiFlash>(0, std::make_unique<MemoryDisk>(image), "-pflash code.fd", kEnd);
    EXPECT_TRUE(flash->attach(attachment).ok());
    flash->reset(ResetKind::PowerOn);
  }
  u8 at(u64 offset) { return static_cast<u8>(memory.read(PhysAddr(kFirst + offset), 1)); }
  void put(u64 offset, u8 value) { memory.write(PhysAddr(kFirst + offset), 1, value); }
  void put_all(u64 offset, std::initializer_list<u8> values) {
    for (const u8 value : values) put(offset, value);
  }
  bool is_memory() { return memory.page(PhysAddr(kFirst)).read.kind == PageTarget::Kind::Backing; }

  test::MemoryDiskContent image{kSize};
  std::unique_ptr<CfiFlash> flash;
};

TEST(CfiFlash, IsMemoryUntilACommandComes) {
  FlashBoard board;
  EXPECT_TRUE(board.is_memory());
  EXPECT_EQ(board.at(0x123), board.image.bytes[0x123]);
  EXPECT_EQ(board.at(kSize - 1), board.image.bytes.back());
  board.put(5, 0x70);
  EXPECT_FALSE(board.is_memory());
  EXPECT_EQ(board.at(0x123), 0x80);
  board.put(5, 0xFF);
  EXPECT_TRUE(board.is_memory());
  EXPECT_EQ(board.at(0x123), board.image.bytes[0x123]);
}

// How OVMF tells flash memory from RAM and ROM: what it writes is not read, and the status register is 0 once cleared.
TEST(CfiFlash, IsFoundByItsStatusRegister) {
  FlashBoard board;
  const u8 before = board.at(0);
  board.put(0, 0x50);
  EXPECT_EQ(board.at(0), before);
  board.put(0, 0x70);
  EXPECT_EQ(board.at(0), 0);
  board.put(0, 0xF0);
  EXPECT_EQ(board.at(0), before);
}

// Linux's and U-Boot's drivers find the chip by this (values as in QEMU, but for the size).
TEST(CfiFlash, AnswersTheQuery) {
  FlashBoard board;
  board.put(0x55, 0x98);
  const auto byte = [&](u64 offset) { return static_cast<unsigned>(board.at(offset)); };
  EXPECT_EQ(std::string({static_cast<char>(byte(0x10)), static_cast<char>(byte(0x11)), static_cast<char>(byte(0x12))}),
            "QRY");
  EXPECT_EQ(byte(0x13) | byte(0x14) << 8, 1u);
  const unsigned table = byte(0x15) | byte(0x16) << 8;
  EXPECT_EQ(std::string({static_cast<char>(byte(table)), static_cast<char>(byte(table + 1)),
                         static_cast<char>(byte(table + 2)), static_cast<char>(byte(table + 3)),
                         static_cast<char>(byte(table + 4))}),
            "PRI10");
  EXPECT_EQ(1u << byte(0x27), kSize);
  EXPECT_EQ(1u << byte(0x2A), 256u);
  EXPECT_EQ(byte(0x2C), 1u);
  EXPECT_EQ((byte(0x2D) | byte(0x2E) << 8) + 1, kSize / 4096);
  EXPECT_EQ((byte(0x2F) | byte(0x30) << 8) * 256, 4096u);
  EXPECT_EQ(byte(0x90), 0u);
  board.put(0, 0x90);
  EXPECT_EQ(byte(0), 0u);
  EXPECT_EQ(byte(1), 0u);
}

TEST(CfiFlash, ProgramsBytesAndErasesSectors) {
  FlashBoard board;
  const std::vector<u8> before = board.image.bytes;
  board.put_all(0x2345, {0x10, 0xA5});
  EXPECT_EQ(board.at(0), 0x80);
  board.put_all(0x2346, {0x40, 0x5A});
  board.put(0, 0xFF);
  EXPECT_EQ(board.at(0x2345), 0xA5);
  EXPECT_EQ(board.at(0x2346), 0x5A);
  board.put_all(0x2345, {0x20, 0xFF});
  EXPECT_EQ(board.at(0x2345), 0xA5) << "not confirmed";
  board.put_all(0x2345, {0x20, 0xD0});
  EXPECT_EQ(board.at(0x2345), 0x80);
  board.put(0, 0xFF);
  for (u64 i = 0; i < kSize; i++) ASSERT_EQ(board.at(i), i / 4096 == 2 ? 0xFF : before[i]) << i;
  EXPECT_EQ(board.image.bytes[0x2FFF], 0xFF);
}

TEST(CfiFlash, ProgramsABufferWhenItIsConfirmed) {
  FlashBoard board;
  const u64 first = 0x1080;
  const u8 before = board.at(first), next = board.at(first + 3);
  board.put(first, 0xE8);
  EXPECT_EQ(board.at(first), 0x80) << "the buffer is free";
  board.put(first, 2);
  for (u8 i = 0; i < 3; i++) board.put(first + i, static_cast<u8>(0x60 + i));
  board.put(first, 0x00);  // anything but a confirmation
  EXPECT_EQ(board.at(first), before);
  board.put_all(first, {0xE8, 2});
  for (u8 i = 0; i < 3; i++) board.put(first + i, static_cast<u8>(0x60 + i));
  board.put(first, 0xD0);
  EXPECT_EQ(board.at(first), 0x80);
  board.put(first, 0xFF);
  for (u8 i = 0; i < 3; i++) EXPECT_EQ(board.at(first + i), 0x60 + i);
  EXPECT_EQ(board.at(first + 3), next);
  EXPECT_EQ(board.image.bytes[first + 2], 0x62);
}

TEST(CfiFlash, RefusesABufferAcrossBlocks) {
  FlashBoard board;
  const std::vector<u8> before = board.image.bytes;
  board.put_all(0xFF, {0xE8, 1, 0x11});
  board.put(0x100, 0x22);
  EXPECT_EQ(board.at(0), 0x90);
  board.put(0, 0xFF);
  EXPECT_EQ(board.at(0xFF), before[0xFF]);
  EXPECT_EQ(board.at(0x100), before[0x100]);
}

TEST(CfiFlash, AReadOnlyImageFailsProgramsAndErases) {
  FlashBoard board(true);
  const u8 before = board.at(0);
  board.put_all(0, {0x10, 0x12});
  EXPECT_EQ(board.at(0), 0x90);
  board.put_all(0, {0x50, 0x20, 0xD0});
  EXPECT_EQ(board.at(0), 0xA0);
  board.put(0, 0xFF);
  EXPECT_EQ(board.at(0), before);
  EXPECT_EQ(board.image.writes, 0u);
}

TEST(CfiFlash, TheImageGetsASectorsBytesTogether) {
  FlashBoard board;
  for (u64 i = 0; i < 1000; i++) board.put_all(0x4000 + i, {0x10, static_cast<u8>(i)});
  EXPECT_EQ(board.image.writes, 0u);
  board.put_all(0x5000, {0x10, 1});
  EXPECT_EQ(board.image.writes, 1u);
  EXPECT_TRUE(board.flash->flush().ok());
  EXPECT_EQ(board.image.writes, 2u);
  EXPECT_EQ(board.image.flushes, 1u);
  EXPECT_EQ(board.image.bytes[0x43E7], static_cast<u8>(999));
  board.put_all(0x6000, {0x10, 0x77});
  board.flash.reset();
  EXPECT_EQ(board.image.bytes[0x6000], 0x77) << "at the end, too";
}

TEST(CfiFlash, TheGuestIsToldOfAnImageThatCannotBeWritten) {
  FlashBoard board;
  board.image.fail_writes_from = 0;
  board.put_all(0, {0x10, 0x12, 0xFF, 0x70});
  EXPECT_EQ(board.at(0), 0x90);
}

TEST(CfiFlash, GoesOnWhereItWasSaved) {
  FlashBoard board, other;
  board.put_all(0x3000, {0x10, 0x99, 0xE8, 1});
  board.put(0x3001, 0x55);
  const auto bytes = test::saved(*board.flash);
  ASSERT_TRUE(test::load(*other.flash, bytes));
  EXPECT_FALSE(other.is_memory());
  // Memory is not part of the device's state.
  const auto content = board.store.bytes(board.flash->backing(), kSize);
  std::copy(content.begin(), content.end(), other.store.bytes(other.flash->backing(), kSize).begin());
  other.put(0x3002, 0x66);
  other.put_all(0x3000, {0xD0, 0xFF});
  EXPECT_EQ(other.at(0x3000), 0x99);
  EXPECT_EQ(other.at(0x3001), 0x55);
  EXPECT_EQ(other.at(0x3002), 0x66);
  EXPECT_EQ(other.image.bytes[0x3000], 0x99) << "which had not reached the image yet";
  EXPECT_EQ(test::saved(*board.flash), bytes) << "saving changes nothing";
}

}  // namespace
}  // namespace relic86
