#include "devices/storage/ata_disk.h"

#include "tests/devices/storage/ide_board.h"

namespace relic86 {
namespace {

using test::IdeBoard;
using test::kSector;
using test::TestBoard;

TEST(AtaDisk, IdentifyIsTruthful) {
  IdeBoard board;
  board.set_reg(6, 0xA0);
  board.command(0xEC);
  EXPECT_TRUE(board.irqs.levels[14]);
  EXPECT_EQ(board.alternate(), 0x58);
  EXPECT_TRUE(board.irqs.levels[14]) << "the alternate status leaves INTRQ alone";
  EXPECT_EQ(board.status(), 0x58);
  EXPECT_FALSE(board.irqs.levels[14]);
  const auto bytes = board.read_words(512);
  const auto word = [&](unsigned i) { return bytes[i * 2] | bytes[i * 2 + 1] << 8; };
  EXPECT_EQ(word(0), 0x0040);
  EXPECT_EQ(word(1), 65);
  EXPECT_EQ(word(3), 4);
  EXPECT_EQ(word(6), 16);
  EXPECT_EQ(word(60) | word(61) << 16, 4096);
  EXPECT_EQ(word(100), 4096);
  EXPECT_EQ(word(83) & 0xC400, 0x4400);
  EXPECT_EQ((std::string{static_cast<char>(bytes[55]), static_cast<char>(bytes[54])}), "RE");
  board.wait_idle();
  EXPECT_EQ(board.status(), 0x50);
  EXPECT_FALSE(board.irqs.levels[14]) << "no interrupt at the end of data in";
}

TEST(AtaDisk, ReadsSectorsByPio) {
  IdeBoard board;
  board.lba28(100, 3);
  board.set_reg(7, 0x20);
  EXPECT_EQ(board.alternate(), 0x80);
  std::vector<u8> got;
  for (int i = 0; i < 3; i++) {
    board.wait_idle();
    EXPECT_TRUE(board.irqs.levels[14]);
    EXPECT_EQ(board.status(), 0x58);
    const auto block = board.read_words(kSector, 0x1F0, i == 1 ? 4 : 2);
    got.insert(got.end(), block.begin(), block.end());
  }
  board.wait_idle();
  EXPECT_EQ(board.status(), 0x50);
  EXPECT_EQ(board.irqs.rises[14], 3u);
  EXPECT_EQ(got, board.sectors(100, 3));
  EXPECT_EQ(board.reg(2), 0);
  EXPECT_EQ(board.reg(3), 102);
}

TEST(AtaDisk, WritesSectorsByPioThenFlushes) {
  IdeBoard board;
  board.lba28(7, 2);
  board.command(0x30);
  EXPECT_FALSE(board.irqs.levels[14]) << "the first block is asked for by DRQ alone";
  const std::vector<u8> data(kSector, 0x5A);
  board.write_words(data);
  board.wait_idle();
  EXPECT_TRUE(board.irqs.levels[14]);
  EXPECT_EQ(board.status(), 0x58);
  board.write_words(data);
  board.wait_idle();
  EXPECT_TRUE(board.irqs.levels[14]);
  EXPECT_EQ(board.status(), 0x50);
  EXPECT_EQ(board.sectors(7, 2), std::vector<u8>(2 * kSector, 0x5A));
  board.command(0xE7);
  EXPECT_EQ(board.status(), 0x50);
  EXPECT_EQ(board.disk.flushes, 1u);
  board.command(0xEA);
  EXPECT_EQ(board.disk.flushes, 2u);
}

TEST(AtaDisk, MultipleSectorsABlock) {
  IdeBoard board;
  board.lba28(0, 1);
  board.command(0xC4);
  EXPECT_EQ(board.status() & 1, 1) << "not before SET MULTIPLE MODE";
  EXPECT_EQ(board.reg(1), 4);
  board.set_reg(2, 3);
  board.command(0xC6);
  EXPECT_EQ(board.status() & 1, 1);
  board.set_reg(2, 8);
  board.command(0xC6);
  EXPECT_EQ(board.status(), 0x50);
  const unsigned before = board.irqs.rises[14];
  board.lba28(50, 20);
  board.command(0xC4);
  std::vector<u8> got;
  for (const u32 size : {8u, 8u, 4u}) {
    EXPECT_EQ(board.status(), 0x58);
    std::vector<u8> block(10'000);
    block.resize(board.ide.data_port(IoPort(0x1F0))->read_data_block(block));
    EXPECT_EQ(block.size(), size * kSector);
    got.insert(got.end(), block.begin(), block.end());
    board.wait_idle();
  }
  EXPECT_EQ(got, board.sectors(50, 20));
  EXPECT_EQ(board.irqs.rises[14] - before, 3u);
}

TEST(AtaDisk, CylinderHeadSector) {
  IdeBoard board;
  const auto read = [&](u32 cylinder, u32 head, u32 sector) {
    board.set_reg(2, 1), board.set_reg(3, sector), board.set_reg(4, cylinder), board.set_reg(5, cylinder >> 8);
    board.set_reg(6, 0xA0 | head);
    board.command(0x21);
    return (board.status() & 1) != 0 ? std::vector<u8>{} : board.read_words(kSector);
  };
  EXPECT_EQ(read(2, 3, 5), board.sectors((2 * 4 + 3) * 16 + 4, 1));
  board.wait_idle();
  EXPECT_TRUE(read(0, 0, 0).empty());
  EXPECT_EQ(board.reg(1), 0x10);
  EXPECT_TRUE(read(0, 4, 1).empty());
  EXPECT_TRUE(read(0, 0, 17).empty());
  EXPECT_TRUE(read(64, 0, 1).empty()) << "beyond the end";
  board.set_reg(2, 32), board.set_reg(6, 0xA7);
  board.command(0x91);
  EXPECT_EQ(board.status(), 0x50);
  EXPECT_EQ(read(1, 7, 32), board.sectors((1 * 8 + 7) * 32 + 31, 1));
}

TEST(AtaDisk, FortyEightBitAddressesAndPreviousBytes) {
  IdeBoard board;
  board.lba48(0x0000'0000'0123, 2);
  board.command(0x24);
  EXPECT_EQ(board.status(), 0x58);
  EXPECT_EQ(board.read_words(kSector), board.sectors(0x123, 1));
  board.wait_idle();
  EXPECT_EQ(board.read_words(kSector), board.sectors(0x124, 1));
  board.wait_idle();
  board.lba48(0x0012'3456'789A, 0x0102);
  EXPECT_EQ(board.reg(3), 0x9A);
  board.out(0x3F6, 0x80);
  EXPECT_EQ(board.reg(2), 0x01);
  EXPECT_EQ(board.reg(3), 0x34);
  EXPECT_EQ(board.reg(4), 0x12);
  EXPECT_EQ(board.reg(5), 0x00);
  board.command(0x42);
  EXPECT_EQ(board.status() & 1, 1);
  EXPECT_EQ(board.reg(1), 0x10);
}

TEST(AtaDisk, TransfersThatRunOverTheEndMoveNothing) {
  IdeBoard board;
  const auto before = board.disk.bytes;
  board.lba28(4095, 2);
  board.command(0x30);
  EXPECT_EQ(board.status() & 0x09, 0x01);
  EXPECT_EQ(board.reg(1), 0x10);
  EXPECT_EQ(board.disk.bytes, before);
  board.command(0xF8);
  EXPECT_EQ(board.reg(3) | board.reg(4) << 8, 4095);
  board.set_reg(6, 0x40);
  board.command(0x27);
  EXPECT_EQ(board.reg(3) | board.reg(4) << 8, 4095);
}

TEST(AtaDisk, HostErrorsAreGuestErrors) {
  IdeBoard board;
  board.disk.fail_reads_from = 10 * kSector;
  board.lba28(9, 2);
  board.command(0x20);
  board.status();
  board.read_words(kSector);
  board.wait_idle();
  EXPECT_TRUE(board.irqs.levels[14]);
  EXPECT_EQ(board.status() & 0x09, 0x01);
  EXPECT_EQ(board.reg(1), 0x40);
  EXPECT_EQ(board.reg(3), 10) << "the sector that failed";
  EXPECT_EQ(board.reg(2), 1) << "sectors not read";
  // A full host disk.
  board.disk.fail_reads_from = ~u64{0};
  board.disk.fail_writes_from = 20 * kSector;
  const auto before = board.disk.bytes;
  board.lba28(20, 2);
  board.command(0x30);
  board.write_words(std::vector<u8>(kSector, 1));
  board.wait_idle();
  EXPECT_EQ(board.status() & 0x09, 0x01);
  EXPECT_NE(board.reg(1) & 4, 0);
  EXPECT_EQ(board.disk.bytes, before);
  board.disk.fail_flush = true;
  board.command(0xE7);
  EXPECT_EQ(board.status() & 1, 1);
  // The drive still works.
  board.disk.fail_writes_from = ~u64{0};
  board.lba28(20, 1);
  board.command(0x20);
  EXPECT_EQ(board.status(), 0x58);
}

TEST(AtaDisk, ReadOnlyImageAbortsWrites) {
  IdeBoard board;
  board.disk.read_only = true;
  board.lba28(0, 1);
  board.command(0x30);
  EXPECT_EQ(board.status() & 0x09, 0x01);
  EXPECT_EQ(board.reg(1), 4);
}

TEST(AtaDisk, WriteCacheOffFlushesEachCommand) {
  IdeBoard board;
  board.set_reg(1, 0x82);
  board.command(0xEF);
  EXPECT_EQ(board.disk.flushes, 1u);
  board.lba28(0, 1);
  board.command(0x30);
  board.write_words(std::vector<u8>(kSector, 1));
  board.wait_idle();
  EXPECT_EQ(board.disk.flushes, 2u);
}

TEST(AtaDisk, PowerModesAndUnknownCommands) {
  IdeBoard board;
  board.command(0xE5);
  EXPECT_EQ(board.reg(2), 0xFF);
  board.command(0xE0);
  board.command(0xE5);
  EXPECT_EQ(board.reg(2), 0x00);
  for (const u8 code : {0x00, 0x08, 0xA0, 0xA1, 0xB0, 0xFF}) {
    board.command(code);
    EXPECT_EQ(board.status(), 0x51) << int{code};
    EXPECT_EQ(board.reg(1), 4);
  }
  for (const u8 code : {0x10, 0x1F, 0x70}) {
    board.lba28(5, 1);
    board.command(code);
    EXPECT_EQ(board.status(), 0x50) << int{code};
  }
  board.command(0xE6);
  board.status();
  board.set_reg(7, 0xEC);
  board.pass(1'000'000);
  EXPECT_EQ(board.status() & 8, 0) << "asleep";
  board.out(0x3F6, 4), board.out(0x3F6, 0);
  board.wait_idle();
  board.command(0xEC);
  EXPECT_EQ(board.status(), 0x58);
}

TEST(AtaDisk, ResetShowsTheSignature) {
  IdeBoard board;
  const auto signature = [&] {
    return std::vector<int>{board.reg(1), board.reg(2), board.reg(3), board.reg(4), board.reg(5), board.status()};
  };
  EXPECT_EQ(signature(), (std::vector<int>{1, 1, 1, 0, 0, 0x50}));
  board.lba28(0x123456, 9);
  board.command(0x20);
  board.out(0x3F6, 0x04);
  EXPECT_EQ(board.alternate(), 0x80);
  EXPECT_FALSE(board.irqs.levels[14]);
  board.pass(10'000'000);
  EXPECT_EQ(board.alternate(), 0x80);
  board.out(0x3F6, 0x00);
  board.wait_idle();
  EXPECT_EQ(signature(), (std::vector<int>{1, 1, 1, 0, 0, 0x50}));
  board.command(0x90);
  EXPECT_TRUE(board.irqs.levels[14]);
  EXPECT_EQ(signature(), (std::vector<int>{1, 1, 1, 0, 0, 0x50}));
}

TEST(AtaDisk, InterruptsCanBeDisabled) {
  IdeBoard board;
  board.out(0x3F6, 2);
  board.lba28(0, 1);
  board.command(0x20);
  EXPECT_FALSE(board.irqs.levels[14]);
  board.out(0x3F6, 0);
  EXPECT_TRUE(board.irqs.levels[14]) << "pending, and shown when enabled";
  board.set_reg(6, 0xB0);
  EXPECT_FALSE(board.irqs.levels[14]) << "the drive that is not selected leaves INTRQ alone";
}

TEST(AtaDisk, AbsentDrives) {
  IdeBoard board;
  board.set_reg(6, 0xB0);
  EXPECT_EQ(board.status(), 0);
  EXPECT_EQ(board.alternate(), 0);
  board.set_reg(2, 0x55);
  EXPECT_EQ(board.reg(2), 0x55) << "drive 0 answers for drive 1";
  board.set_reg(7, 0xEC);
  board.pass(1'000'000);
  EXPECT_EQ(board.status(), 0);
  EXPECT_FALSE(board.irqs.levels[14]);
}

// No drive at all: drivers see by a status of 0 that nothing is there, also after a reset and a command.
TEST(AtaDisk, AnEmptyChannelReadsZero) {
  TestBoard board;
  PciBus pci;
  Piix3Ide ide;
  ASSERT_TRUE(pci.add(ide, 1, 1).ok() && pci.attach(board.attachment).ok() && ide.attach(board.attachment).ok());
  pci.reset(ResetKind::PowerOn);
  ide.reset(ResetKind::PowerOn);
  constexpr u16 kBase = 0x170, kControl = 0x376;
  const auto expect_zero = [&] {
    for (u16 port = kBase + 1; port < kBase + 8; port++) EXPECT_EQ(board.in(port), 0u) << port;
    EXPECT_EQ(board.in(kControl), 0u);
  };
  for (const u32 device : {0xA0u, 0xB0u}) {
    board.out(kBase + 6, device);
    for (u16 port = kBase + 2; port < kBase + 6; port++) board.out(port, 0x5A);
    expect_zero();
    board.out(kControl, 0x04);
    expect_zero();
    board.out(kControl, 0x00);
    board.out(kBase + 7, 0xEC);
    board.pass(1'000'000'000);
    expect_zero();
    EXPECT_FALSE(board.irqs.levels[15]);
  }
}

}  // namespace
}  // namespace relic86
