// A debugger's watchpoints: told of every access to their bytes, without a change to which pages the TLB holds.
#include <gtest/gtest.h>

#include "tests/memory/memory_board.h"

namespace relic86 {
namespace {

struct Watchpoints : ::testing::Test {
  void watch(u32 first, u32 size, bool reads, bool writes) {
    board.mmu.set_watchpoints({{first, size, reads, writes}}, [this](const Mmu::Watchpoint&) { hits++; });
  }
  // Hits since the last question.
  unsigned taken() { return std::exchange(hits, 0u); }

  MemoryBoard board;
  unsigned hits = 0;
};

TEST_F(Watchpoints, EveryOverlapIsReported) {
  watch(0x3FFE, 4, false, true);  // over two pages
  u32 value = 0;
  EXPECT_TRUE(board.write<u32>(0x3FFA, 1));
  EXPECT_EQ(taken(), 0u);
  EXPECT_TRUE(board.write<u32>(0x3FFB, 0x11223344));
  EXPECT_EQ(taken(), 1u);
  EXPECT_TRUE(board.write<u8>(0x4001, 5));
  EXPECT_EQ(taken(), 1u);
  EXPECT_TRUE(board.write<u8>(0x4002, 5));
  EXPECT_EQ(taken(), 0u);
  EXPECT_TRUE(board.read(0x3FFB, value));
  EXPECT_EQ(value, 0x11223344u);
  EXPECT_EQ(taken(), 0u);
  EXPECT_TRUE(board.write<u64>(0x3FFC, ~u64{0}));
  EXPECT_GE(taken(), 1u);
}

TEST_F(Watchpoints, ReadsAreReportedIfAskedFor) {
  u16 value = 0;
  EXPECT_TRUE(board.write<u16>(0x5000, 0xABCD));
  watch(0x5000, 1, true, false);
  EXPECT_TRUE(board.read(0x5000, value));
  EXPECT_EQ(value, 0xABCD);
  EXPECT_EQ(taken(), 1u);
  EXPECT_TRUE(board.write<u16>(0x5000, 1));
  EXPECT_EQ(taken(), 0u);
}

TEST_F(Watchpoints, EntriesChangeInPlaceAndBack) {
  EXPECT_TRUE(board.write<u32>(0x5000, 1));
  const u64 read = board.read_entry(0x5000), write = board.write_entry(0x5000);
  const u64 flushes = board.mmu.tlb().flushes();
  const u32 live = board.mmu.tlb().live_entries();
  watch(0x5FFF, 1, true, true);
  EXPECT_EQ(board.read_entry(0x5000) & kTlbFast, 0u);
  EXPECT_EQ(board.write_entry(0x5000) & kTlbFast, 0u);
  EXPECT_TRUE(board.write<u32>(0x5000, 2));
  EXPECT_EQ(taken(), 0u);
  board.mmu.set_watchpoints({}, {});
  EXPECT_EQ(board.read_entry(0x5000), read);
  EXPECT_EQ(board.write_entry(0x5000), write);
  EXPECT_EQ(board.mmu.tlb().flushes(), flushes);
  EXPECT_EQ(board.mmu.tlb().live_entries(), live);
}

// Pages with code or a display are watched by others too.
TEST_F(Watchpoints, CodeIsStillKnownToBeOverwritten) {
  RecordingCodeWatch code;
  board.store.add_code_watch(code);
  EXPECT_TRUE(board.write<u32>(0x6000, 1));
  watch(0x6800, 4, false, true);
  board.store.add_code(BackingOffset(0x6000), 1);
  EXPECT_TRUE(board.write<u32>(0x6000, 2));
  EXPECT_EQ(code.hits.size(), 1u);
  board.mmu.set_watchpoints({}, {});
  EXPECT_NE(board.write_entry(0x6000) & kTlbWatched, 0u);
  EXPECT_TRUE(board.write<u32>(0x6004, 2));
  EXPECT_EQ(code.hits.size(), 2u);
  board.store.remove_code_watch(code);
}

TEST_F(Watchpoints, RegistersOfDevicesToo) {
  RecordingHandler device;
  ASSERT_TRUE(
      board.bus.map_fixed(board.bus.new_key(), mmio_range("device", PhysAddr(0xF0000000), 0x1000, &device, 1, 4)).ok());
  watch(0xF0000010, 4, true, true);
  u32 value = 0;
  EXPECT_TRUE(board.read(0xF0000010, value));
  EXPECT_EQ(taken(), 1u);
  EXPECT_TRUE(board.write<u32>(0xF0000014, 1));
  EXPECT_EQ(taken(), 0u);
  EXPECT_EQ(device.log.size(), 2u);
}

}  // namespace
}  // namespace relic86
