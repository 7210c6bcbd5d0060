#include "memory/physical_bus.h"

#include <gtest/gtest.h>

#include "tests/memory/memory_board.h"

namespace relic86 {
namespace {

using Log = std::vector<RecordingHandler::Access>;

TEST(PhysicalBus, UnmappedReadsAllOnesAndSwallowsWrites) {
  MemoryBoard board;
  for (const u64 at : {u64{0x2000000}, u64{0xFFFFFFF8}, u64{1} << 32, u64{0xF00000000}}) {
    EXPECT_EQ(board.bus.read(PhysAddr(at), 8), ~u64{0});
    EXPECT_EQ(board.bus.read(PhysAddr(at), 2), 0xFFFFu);
    board.bus.write(PhysAddr(at), 8, 0);
    EXPECT_EQ(board.bus.read(PhysAddr(at), 4), 0xFFFFFFFFu);
  }
}

TEST(PhysicalBus, RomDropsWrites) {
  MemoryBoard board;
  const BackingOffset rom = board.store.allocate(0x2000, "bios");
  *board.store.host(rom + 0x1004) = 0x5A;
  ASSERT_TRUE(board.bus.map_fixed(1000, rom_range("bios", PhysAddr(0xFFFFE000), 0x2000, rom)).ok());
  board.bus.write(PhysAddr(0xFFFFF004), 1, 0);
  EXPECT_EQ(board.bus.read(PhysAddr(0xFFFFF004), 4), 0x5Au);
}

TEST(PhysicalBus, FixedOverlapNamesBothOwners) {
  MemoryBoard board;
  RecordingHandler handler;
  ASSERT_TRUE(board.bus.map_fixed(1000, mmio_range("first", PhysAddr(0xA0000), 0x20000, &handler, 0, 1)).ok());
  const auto result = board.bus.map_fixed(1001, mmio_range("second", PhysAddr(0xBF000), 0x2000, &handler, 0, 1));
  ASSERT_FALSE(result.ok());
  for (const char* word : {"first", "second", "0xbf000"})
    EXPECT_NE(result.message().find(word), std::string::npos) << word;
}

TEST(PhysicalBus, HigherPriorityHidesAndUncoversWhenItMoves) {
  MemoryBoard board;
  RecordingHandler bar;
  board.bus.write(PhysAddr(0x100000), 1, 7);
  const u32 key = board.bus.new_key();
  board.bus.map_movable(key, mmio_range("bar", PhysAddr(0x100000), 0x1000, &bar, 2, 4, Priority::Bar));
  EXPECT_EQ(board.bus.read(PhysAddr(0x100000), 1), 0x11u);
  board.bus.map_movable(key, mmio_range("bar", PhysAddr(0x200000), 0x1000, &bar, 2, 4, Priority::Bar));
  EXPECT_EQ(board.bus.read(PhysAddr(0x100000), 1), 7u);
  EXPECT_EQ(board.bus.read(PhysAddr(0x200001), 1), 0x12u);
  board.bus.map_movable(key, mmio_range("bar", PhysAddr(0), 0, &bar, 2, 4, Priority::Bar));
  EXPECT_EQ(board.bus.read(PhysAddr(0x200001), 1), 0u);
}

TEST(PhysicalBus, RangesMayLieAbove4GiBAndAcross) {
  MemoryBoard board;
  RecordingHandler bar;
  const u32 key = board.bus.new_key();
  board.bus.map_movable(key, mmio_range("bar", PhysAddr(0xFFFFF000), 0x4000, &bar, 0, 4));
  EXPECT_EQ(board.bus.read(PhysAddr(0xFFFFF000), 1), 0x11u);
  EXPECT_EQ(board.bus.read(PhysAddr(u64{1} << 32), 1), 0x11u);
  EXPECT_EQ(bar.log.back().offset, 0x1000u);
  EXPECT_EQ(board.bus.read(PhysAddr((u64{1} << 32) + 0x3000), 1), 0xFFu);
  board.bus.map_movable(key, mmio_range("bar", PhysAddr(u64{0x38000} << 20), 0x4000, &bar, 0, 4));
  EXPECT_EQ(board.bus.read(PhysAddr(u64{1} << 32), 1), 0xFFu);
  EXPECT_EQ(board.bus.read(PhysAddr((u64{0x38000} << 20) + 0x3FFF), 1), 0x10u);
}

TEST(PhysicalBus, RangesBeyondTheEndAreCut) {
  MemoryBoard board;
  RecordingHandler bar;
  const u32 key = board.bus.new_key();
  const u64 end = u64{1} << 52;
  board.bus.map_movable(key, mmio_range("bar", PhysAddr(end - 0x1000), 0x4000, &bar, 0, 4));
  EXPECT_EQ(board.bus.read(PhysAddr(end - 0x1000), 1), 0x11u);
  EXPECT_EQ(board.bus.read(PhysAddr(end), 1), 0xFFu);
  board.bus.map_movable(key, mmio_range("bar", PhysAddr(end), 0x1000, &bar, 0, 4));
  EXPECT_EQ(board.bus.read(PhysAddr(end - 0x1000), 1), 0xFFu);
}

TEST(PhysicalBus, HighMemoryIsWrittenThroughABlockAndHiddenByABar) {
  MemoryBoard board;
  const u64 first = (u64{5} << 32) - 0x2000;  // across a border of 4 GiB
  ASSERT_TRUE(board.bus.map_fixed(1000, ram_range("high", PhysAddr(first), 0x4000, BackingOffset(0x800000))).ok());
  std::vector<u8> bytes(0x3000, 0x5A), back(0x3000);
  board.bus.write_block(PhysAddr(first + 0x800), bytes);
  board.bus.read_block(PhysAddr(first + 0x800), back);
  EXPECT_EQ(back, bytes);
  EXPECT_EQ(board.bus.read(PhysAddr(0x800800), 8), 0x5A5A5A5A5A5A5A5Au);
  RecordingHandler bar;
  const u32 key = board.bus.new_key();
  board.bus.map_movable(key, mmio_range("bar", PhysAddr(first + 0x1000), 0x1000, &bar, 0, 4, Priority::Bar));
  EXPECT_EQ(board.bus.read(PhysAddr(first + 0x1000), 1), 0x11u);
  EXPECT_EQ(board.bus.read(PhysAddr(first + 0x2000), 1), 0x5Au);
  board.bus.map_movable(key, mmio_range("bar", PhysAddr(0), 0, &bar, 0, 4, Priority::Bar));
  EXPECT_EQ(board.bus.read(PhysAddr(first + 0x1000), 1), 0x5Au);
}

// PAM: reads from ROM, writes to the RAM below it, then the other way round.
TEST(PhysicalBus, ReadAndWriteTargetsMayDiffer) {
  MemoryBoard board;
  const BackingOffset rom = board.store.allocate(0x1000, "bios");
  *board.store.host(rom) = 0xB1;
  ASSERT_TRUE(board.bus.map_fixed(1000, rom_range("bios", PhysAddr(0xF0000), 0x1000, rom)).ok());
  PhysRange shadow = ram_range("pam", PhysAddr(0xF0000), 0x1000, BackingOffset(0xF0000), Priority::Window);
  shadow.affects_read = false;
  const u32 key = board.bus.new_key();
  board.bus.map_movable(key, shadow);
  board.bus.write(PhysAddr(0xF0000), 1, 0x77);
  EXPECT_EQ(board.bus.read(PhysAddr(0xF0000), 1), 0xB1u);
  EXPECT_EQ(*board.store.host(BackingOffset(0xF0000)), 0x77);
  shadow.affects_read = true;
  shadow.affects_write = false;
  board.bus.map_movable(key, shadow);
  board.bus.write(PhysAddr(0xF0000), 1, 0x88);
  EXPECT_EQ(board.bus.read(PhysAddr(0xF0000), 1), 0x77u);
}

TEST(PhysicalBus, WideAccessesAreSplitToTheRegionsWidth) {
  MemoryBoard board;
  RecordingHandler handler;
  board.bus.map_movable(1000, mmio_range("registers", PhysAddr(0x4000000), 0x2000, &handler, 9, 2));
  EXPECT_EQ(board.bus.read(PhysAddr(0x4001002), 4), 0x32153213u);
  board.bus.write(PhysAddr(0x4000000), 8, 0x8877665544332211);
  EXPECT_EQ(handler.log, (Log{{'r', 9, 0x1002, 2, 0x3213},
                              {'r', 9, 0x1004, 2, 0x3215},
                              {'w', 9, 0, 2, 0x2211},
                              {'w', 9, 2, 2, 0x4433},
                              {'w', 9, 4, 2, 0x6655},
                              {'w', 9, 6, 2, 0x8877}}));
}

TEST(PhysicalBus, A20ForcesTheBitToZeroAndTellsTheListener) {
  MemoryBoard board;
  int changes = 0;
  board.bus.on_topology_change([&] { changes++; });
  board.bus.write(PhysAddr(0x100010), 1, 0x99);
  board.bus.set_a20(false);
  board.bus.set_a20(false);
  EXPECT_EQ(changes, 1);
  EXPECT_EQ(board.bus.read(PhysAddr(0x100010), 1), 0u);
  board.bus.write(PhysAddr(0x300020), 1, 0x55);
  board.bus.set_a20(true);
  EXPECT_EQ(board.bus.read(PhysAddr(0x200020), 1), 0x55u);
  EXPECT_EQ(board.bus.read(PhysAddr(0x100010), 1), 0x99u);
}

// Translated code reads page tables by them.
TEST(PhysicalBus, AddendsLeadToMemoryThatIsOneRun) {
  MemoryBoard board;
  constexpr u64 kSpan = u64{1} << PhysicalBus::kAddendShift;
  const auto addend = [&](u64 address) { return board.bus.addends()[address >> PhysicalBus::kAddendShift]; };
  const u64 ram = reinterpret_cast<u64>(board.store.host(BackingOffset(0)));
  EXPECT_EQ(addend(4 * kSpan), ram);
  EXPECT_EQ(addend(MemoryBoard::kRam), 0u);
  RecordingHandler handler;
  const PhysAddr overlaid(5 * kSpan + 0x3000);
  board.bus.map_movable(1000, mmio_range("registers", overlaid, kPageSize, &handler, 1, 4));
  EXPECT_EQ(addend(4 * kSpan), ram);
  EXPECT_EQ(addend(5 * kSpan), 0u);
  EXPECT_EQ(addend(6 * kSpan), ram);
  board.bus.map_movable(1000, mmio_range("registers", PhysAddr(0), 0, &handler, 1, 4));
  EXPECT_EQ(addend(5 * kSpan), ram);
  // Read from one page, written to another: PAM.
  PhysRange shadow = rom_range("shadow", overlaid, kPageSize, BackingOffset(0));
  shadow.affects_write = false;
  board.bus.map_movable(1001, shadow);
  EXPECT_EQ(addend(5 * kSpan), 0u);
}

TEST(PhysicalBus, BlocksRunOverAllKindsOfPages) {
  MemoryBoard board;
  RecordingHandler handler;
  board.bus.map_movable(1000, mmio_range("registers", PhysAddr(MemoryBoard::kRam), 0x1000, &handler, 1, 4));
  std::vector<u8> bytes(0x1000 + 8, 0xAB);
  board.bus.write_block(PhysAddr(MemoryBoard::kRam - 3), bytes);
  EXPECT_EQ(*board.store.host(BackingOffset(MemoryBoard::kRam - 1)), 0xAB);
  ASSERT_EQ(handler.log.size(), 0x400u);
  EXPECT_EQ(handler.log[0], (RecordingHandler::Access{'w', 1, 0, 4, 0xABABABAB}));
  handler.log.clear();
  std::vector<u8> back(11);
  board.bus.read_block(PhysAddr(MemoryBoard::kRam + 0xFF9), back);
  EXPECT_EQ(handler.log, (Log{{'r', 1, 0xFF9, 1, 0x0A}, {'r', 1, 0xFFA, 2, 0x320B}, {'r', 1, 0xFFC, 4, 0x4433320D}}));
  EXPECT_EQ(back, (std::vector<u8>{0x0A, 0x0B, 0x32, 0x0D, 0x32, 0x33, 0x44, 0xFF, 0xFF, 0xFF, 0xFF}));
}

TEST(PhysicalBus, EveryKindOfWriteReportsCode) {
  MemoryBoard board;
  RecordingCodeWatch watch;
  board.store.add_code_watch(watch);
  board.store.add_code(BackingOffset(0x3000), ~u64{0});
  board.bus.write(PhysAddr(0x3010), 4, 0);
  const std::vector<u8> bytes(0x2000);
  board.bus.write_block(PhysAddr(0x2800), bytes);
  EXPECT_EQ(watch.hits, (std::vector<RecordingCodeWatch::Hit>{{0x3010, 4}, {0x3000, 0x1000}}));
}

// A register whose reading takes its own page away must not be asked through a target that is gone.
TEST(PhysicalBus, HandlerMayUnmapItselfWhileRead) {
  struct Vanisher final : RegionHandler {
    PhysicalBus* bus = nullptr;
    unsigned reads = 0;
    u64 read(RegionId, u64, unsigned) override {
      reads++;
      bus->map_movable(1000, mmio_range("vanisher", PhysAddr(0), 0, this, 0, 1));
      return 0;
    }
    void write(RegionId, u64, unsigned, u64) override {}
  } vanisher;
  MemoryBoard board;
  vanisher.bus = &board.bus;
  const auto range = mmio_range("vanisher", PhysAddr(0x4000000), 0x1000, &vanisher, 0, 1);
  board.bus.map_movable(1000, range);
  EXPECT_EQ(board.bus.read(PhysAddr(0x4000000), 4), 0u);
  EXPECT_EQ(vanisher.reads, 4u);
  board.bus.map_movable(1000, range);
  std::vector<u8> bytes(8);
  board.bus.read_block(PhysAddr(0x4000000), bytes);
  EXPECT_EQ(board.bus.read(PhysAddr(0x4000000), 4), 0xFFFFFFFFu);
}

}  // namespace
}  // namespace relic86
