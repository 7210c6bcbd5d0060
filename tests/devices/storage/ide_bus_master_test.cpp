#include "devices/storage/ide_bus_master.h"

#include "tests/devices/storage/ide_board.h"

namespace relic86 {
namespace {

using test::IdeBoard;
using test::kSector;
constexpr u32 kTable = 0x1000;

// As Linux does it: table, direction, clear status, command, start; then the interrupt.
void start(IdeBoard& board, u8 code, bool to_memory) {
  board.set_table(kTable);
  board.set_bus_command(to_memory ? 8 : 0);
  board.out(test::kBusMasterBase + 2, 0x66);
  board.set_reg(7, code);
  board.set_bus_command(to_memory ? 9 : 1);
  board.pass(5'000'000);
  for (int i = 0; i < 100; i++) board.pass(100'000);
}

TEST(IdeBusMaster, ReadsIntoScatteredMemory) {
  IdeBoard board;
  board.enable_bus_master();
  board.descriptor(kTable, 0x20FF0, 0x1000, false);
  board.descriptor(kTable + 8, 0x40000, 0x1000, true);
  board.lba28(64, 16);
  start(board, 0xC8, true);
  EXPECT_TRUE(board.irqs.levels[14]);
  EXPECT_EQ(board.bus_status(), 0x64) << "interrupt, not active, no error; capable bits kept";
  EXPECT_EQ(board.status(), 0x50);
  auto got = board.ram(0x20FF0, 0x1000);
  const auto second = board.ram(0x40000, 0x1000);
  got.insert(got.end(), second.begin(), second.end());
  EXPECT_EQ(got, board.sectors(64, 16));
  board.set_bus_command(8);
  board.out(test::kBusMasterBase + 2, 0x64);
  EXPECT_EQ(board.bus_status(), 0x60);
}

TEST(IdeBusMaster, WritesWithExtendedCommandAndLargeRegions) {
  IdeBoard board;
  board.enable_bus_master();
  std::vector<u8> data(256 * kSector);
  for (std::size_t i = 0; i < data.size(); i++) data[i] = static_cast<u8>(i * 13 >> 4);
  board.memory.write_block(PhysAddr(0x20000), data);
  board.descriptor(kTable, 0x20000, 0, false);  // 64 KiB
  board.descriptor(kTable + 8, 0x30000, 0, true);
  board.lba48(1000, 256);
  start(board, 0x35, false);
  EXPECT_EQ(board.bus_status() & 7, 4);
  EXPECT_EQ(board.status(), 0x50);
  EXPECT_EQ(board.sectors(1000, 256), data);
}

TEST(IdeBusMaster, StartBeforeTheCommand) {
  IdeBoard board;
  board.enable_bus_master();
  board.descriptor(kTable, 0x20000, kSector, true);
  board.set_table(kTable);
  board.set_bus_command(9);
  board.pass(1'000'000);
  EXPECT_EQ(board.bus_status() & 7, 1);
  board.lba28(3, 1);
  board.set_reg(7, 0xC8);
  board.pass(100'000);
  board.pass(100'000);
  EXPECT_EQ(board.bus_status() & 7, 4);
  EXPECT_EQ(board.ram(0x20000, kSector), board.sectors(3, 1));
}

TEST(IdeBusMaster, LongTableStaysActive) {
  IdeBoard board;
  board.enable_bus_master();
  board.descriptor(kTable, 0x20000, 4096, true);
  board.lba28(3, 1);
  start(board, 0xC8, true);
  EXPECT_EQ(board.bus_status() & 7, 5);
  board.set_bus_command(8);
  EXPECT_EQ(board.bus_status() & 7, 4);
}

TEST(IdeBusMaster, ShortTableLeavesTheDriveWaitingAndANewOneGoesOn) {
  IdeBoard board;
  board.enable_bus_master();
  board.descriptor(kTable, 0x20000, 700, true);
  board.lba28(3, 2);
  start(board, 0xC8, true);
  EXPECT_EQ(board.bus_status() & 7, 0);
  EXPECT_EQ(board.alternate() & 8, 8);
  EXPECT_FALSE(board.irqs.levels[14]);
  board.set_bus_command(8);
  board.descriptor(kTable, 0x30000, 324, true);
  board.set_bus_command(9);
  board.pass(100'000);
  EXPECT_EQ(board.bus_status() & 7, 4);
  auto got = board.ram(0x20000, 700);
  const auto rest = board.ram(0x30000, 324);
  got.insert(got.end(), rest.begin(), rest.end());
  EXPECT_EQ(got, board.sectors(3, 2));
}

TEST(IdeBusMaster, AddressesOutsideMemoryAreMasterAborts) {
  IdeBoard board;
  board.enable_bus_master();
  const auto before = board.disk.bytes;
  board.descriptor(kTable, 0xE0000000, kSector, true);
  board.lba28(3, 1);
  start(board, 0xCA, false);
  EXPECT_EQ(board.bus_status() & 3, 2);
  EXPECT_EQ(board.disk.bytes, before);
  EXPECT_NE(board.config(1, 1, 6, 2) & 0x2000, 0u);
  board.set_config(1, 1, 6, 2, 0x2000);
  EXPECT_EQ(board.config(1, 1, 6, 2) & 0x2000, 0u);
  board.out(0x3F6, 4), board.out(0x3F6, 0);
  board.wait_idle();
  board.set_bus_command(0);
  board.set_table(0xFFFFFFF8);  // a table that is nowhere
  board.lba28(3, 1);
  board.set_reg(7, 0xC8);
  board.set_bus_command(9);
  board.pass(100'000);
  board.pass(100'000);
  EXPECT_EQ(board.bus_status() & 2, 2);
}

TEST(IdeBusMaster, WrongDirectionAndDisabledMasteringMoveNothing) {
  IdeBoard board;
  board.enable_bus_master();
  board.descriptor(kTable, 0x20000, kSector, true);
  board.lba28(3, 1);
  start(board, 0xC8, false);
  EXPECT_EQ(board.bus_status() & 7, 1);
  EXPECT_EQ(board.ram(0x20000, kSector), std::vector<u8>(kSector));
  board.set_bus_command(0);
  board.set_config(1, 1, 4, 2, 1);
  board.set_bus_command(9);
  board.pass(1'000'000);
  EXPECT_EQ(board.bus_status() & 7, 1);
  board.set_config(1, 1, 4, 2, 5);
  board.pass(1'000'000);
  EXPECT_EQ(board.bus_status() & 7, 4);
  EXPECT_EQ(board.ram(0x20000, kSector), board.sectors(3, 1));
}

TEST(IdeBusMaster, HostErrorEndsTheTransfer) {
  IdeBoard board;
  board.enable_bus_master();
  board.disk.fail_writes_from = 0;
  board.descriptor(kTable, 0x20000, 4096, true);
  board.lba28(8, 8);
  start(board, 0xCA, false);
  EXPECT_TRUE(board.irqs.levels[14]);
  EXPECT_EQ(board.bus_status() & 4, 4);
  EXPECT_EQ(board.status() & 9, 1);
}

TEST(IdeBusMaster, RandomTablesNeverHangOrWriteBeyondTheTransfer) {
  IdeBoard board;
  board.enable_bus_master();
  std::mt19937 random(7);
  for (int i = 0; i < 2000; i++) {
    const u32 table = random() % 4 == 0 ? static_cast<u32>(random()) : kTable + (random() % 64) * 4;
    for (u32 at = 0; at < 64; at++) {
      const u32 address = random() % 8 == 0 ? static_cast<u32>(random()) : 0x10000 + random() % 0xE0000;
      board.descriptor(kTable + at * 8, address, random() % 3 == 0 ? random() & 0xFFFF : random() % 600,
                       random() % 9 == 0);
    }
    board.set_bus_command(0);
    board.set_table(table);
    const bool reads = random() % 2 == 0;
    board.lba28(random() % 4200, random() % 256);
    board.set_reg(7, reads ? 0xC8 : 0xCA);
    board.set_bus_command(reads ? 9 : 1);
    for (int step = 0; step < 5; step++) board.pass(70'000);
    board.out(0x3F6, 4), board.out(0x3F6, 0);
    board.wait_idle();
    ASSERT_EQ(board.alternate(), 0x50);
  }
}

}  // namespace
}  // namespace relic86
