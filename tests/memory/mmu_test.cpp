// Accesses, TLB entries and their flushes. The table of flush rules in memory/mmu.h names the tests here.
#include "memory/mmu.h"

#include <gtest/gtest.h>

#include "tests/memory/memory_board.h"

namespace relic86 {
namespace {

struct Bytes16 {
  u64 low, high;
};
struct Bytes10 {
  u8 bytes[10];
};

TEST(Mmu, PagingOffIsIdentityWithEntries) {
  MemoryBoard board;
  ASSERT_TRUE(board.write<u32>(0x5000, 0x12345678));
  EXPECT_EQ(board.entry(0x5000), 0x12345678u);
  u8 value = 0;
  ASSERT_TRUE(board.read(0x5003, value, kUser));
  EXPECT_EQ(value, 0x12);
  EXPECT_NE(board.read_entry(0x5000) & kTlbFast, 0u);
  EXPECT_NE(board.write_entry(0x5000) & kTlbFast, 0u);
  EXPECT_EQ(board.mmu.tlb().live_entries(), 2u);
}

TEST(Mmu, FastEntryIsTheAddend) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP | kW);
  ASSERT_TRUE(board.write<u8>(0x401000, 1));
  for (const u64 entry : {board.read_entry(0x401000), board.write_entry(0x401000)}) {
    EXPECT_EQ(entry & 0xFFF, kTlbFast);
    EXPECT_EQ(reinterpret_cast<u8*>(0x401ABC + entry - 1), board.store.host(BackingOffset(0x801ABC)));
  }
}

TEST(Mmu, AllWidthsRoundTripWithinAndAcrossPages) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP | kW);
  board.map(0x402000, 0x903000 | kP | kW);
  for (u32 at = 0x401FE0; at < 0x402020; at++) {
    const Bytes16 wide{0x0706050403020100u + at, 0x0F0E0D0C0B0A0908u + at};
    Bytes16 wide_back{};
    ASSERT_TRUE(board.write(at, wide) && board.read(at, wide_back));
    EXPECT_EQ(wide_back.low, wide.low);
    EXPECT_EQ(wide_back.high, wide.high);
    Bytes10 ten{{1, 2, 3, 4, 5, 6, 7, 8, 9, static_cast<u8>(at)}}, ten_back{};
    ASSERT_TRUE(board.write(at, ten) && board.read(at, ten_back));
    EXPECT_EQ(std::memcmp(&ten, &ten_back, 10), 0);
    u64 quad = 0;
    ASSERT_TRUE(board.write<u64>(at, 0x8877665544332211 ^ at) && board.read(at, quad));
    EXPECT_EQ(quad, 0x8877665544332211 ^ at);
    u16 half = 0;
    ASSERT_TRUE(board.write<u16>(at, static_cast<u16>(at)) && board.read(at, half));
    EXPECT_EQ(half, static_cast<u16>(at));
  }
  ASSERT_TRUE(board.write<u32>(0x401FFE, 0x44332211));
  EXPECT_EQ(board.entry(0x801FFE, 2), 0x2211u);
  EXPECT_EQ(board.entry(0x903000, 2), 0x4433u);
}

TEST(Mmu, CrossingWriteIntoAFaultWritesNothing) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP | kW);
  for (const u64 second : {u64{0}, 0x802000 | kP}) {
    board.map(0x402000, second);
    board.mmu.flush_all();
    EXPECT_FALSE(board.write<u32>(0x401FFE, 0xFFFFFFFF));
    EXPECT_EQ(board.mmu.fault().address.raw, 0x402000u);
    EXPECT_EQ(board.mmu.fault().error_code, second == 0 ? 2u : 3u);
    EXPECT_EQ(board.entry(0x801FFC), 0u);
    EXPECT_EQ(board.entry(board.table_entry(0x402000)), second);
  }
  board.map(0x401000, 0);
  board.map(0x402000, 0x802000 | kP | kW);
  board.mmu.flush_all();
  EXPECT_FALSE(board.write<u64>(0x401FFF, ~u64{0}));
  EXPECT_EQ(board.mmu.fault().address.raw, 0x401FFFu) << "the first byte's page is looked at first";
  EXPECT_EQ(board.entry(0x802000), 0u);
}

TEST(Mmu, CrossingReadIntoAFaultLeavesTheValue) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP);
  u32 value = 77;
  EXPECT_FALSE(board.read(0x401FFD, value, kSupervisor));
  EXPECT_EQ(board.mmu.fault().address.raw, 0x402000u);
  EXPECT_EQ(board.mmu.fault().error_code, 0u);
  EXPECT_EQ(value, 77u);
}

TEST(Mmu, AddressesWrapAtFourGigabytes) {
  MemoryBoard board;
  RecordingHandler top;
  board.bus.map_movable(1000, mmio_range("top", PhysAddr(0xFFFFF000), 0x1000, &top, 0, 4));
  ASSERT_TRUE(board.write<u32>(0xFFFFFFFE, 0x44332211));
  EXPECT_EQ(top.log, (std::vector<RecordingHandler::Access>{{'w', 0, 0xFFE, 2, 0x2211}}));
  EXPECT_EQ(board.entry(0, 2), 0x4433u);
  u32 value = 0;
  ASSERT_TRUE(board.read(0xFFFFFFFE, value));
  EXPECT_EQ(value >> 16, 0x4433u);
  ASSERT_TRUE(board.mmu.write<u8>(LinAddr(0x1'0000'0010), 5, kSupervisor)) << "bits 63:32 do not count";
  EXPECT_EQ(board.entry(0x10, 1), 5u);
}

TEST(Mmu, ReadsDoNotOpenTheWayForWrites) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP | kW | kU);
  ASSERT_TRUE(board.can_read(0x401000, kUser));
  EXPECT_EQ(board.write_entry(0x401000, kUser), 0u) << "D would not be set";
  EXPECT_EQ(board.entry(board.table_entry(0x401000)), 0x801000 | kP | kW | kU | kA);
  ASSERT_TRUE(board.write<u8>(0x401000, 1, kUser));
  EXPECT_EQ(board.entry(board.table_entry(0x401000)), 0x801000 | kP | kW | kU | kA | kD);
  EXPECT_EQ(board.read_entry(0x401000, kSupervisor), 0u) << "privileges have tables of their own";
}

TEST(Mmu, ProbeWriteFaultsAndMarksAsAWriteWould) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP | kW | kU);
  board.map(0x402000, 0x802000 | kP | kU);
  EXPECT_TRUE(board.mmu.probe_write(LinAddr(0x401FF0), 16, kUser));
  EXPECT_EQ(board.entry(board.table_entry(0x401000)) & (kA | kD), kA | kD);
  EXPECT_EQ(board.entry(board.table_entry(0x402000)) & (kA | kD), 0u);
  EXPECT_EQ(board.entry(0x801FF0), 0u);
  EXPECT_FALSE(board.mmu.probe_write(LinAddr(0x401FF1), 16, kUser));
  EXPECT_EQ(board.mmu.fault().address.raw, 0x402000u);
  EXPECT_EQ(board.mmu.fault().error_code, 7u);
}

TEST(Mmu, ReadForWriteFaultsAsAWrite) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP | kU);
  u32 value = 0;
  EXPECT_FALSE(board.mmu.read_for_write(LinAddr(0x401000), value, kUser));
  EXPECT_EQ(board.mmu.fault().error_code, 7u);
  board.map(0x401000, 0x801000 | kP | kU | kW);
  board.set_entry(0x801000, 99);
  ASSERT_TRUE(board.mmu.read_for_write(LinAddr(0x401000), value, kUser));
  EXPECT_EQ(value, 99u);
  EXPECT_NE(board.entry(board.table_entry(0x401000)) & kD, 0u);
}

// --- Registers and ROM ---

TEST(Mmu, MmioSeesAccessesAsTheGuestMakesThem) {
  MemoryBoard board;
  RecordingHandler handler;
  board.bus.map_movable(1000, mmio_range("registers", PhysAddr(0xE0000000), 0x2000, &handler, 3, 4));
  u32 value = 0;
  ASSERT_TRUE(board.read(0xE0000010, value));
  EXPECT_EQ(value, 0x44332221u);
  ASSERT_TRUE(board.write<u16>(0xE0001008, 0xBEEF));
  ASSERT_TRUE(board.write<u64>(0xE0000000, 0x1111111122222222));
  EXPECT_EQ(handler.log, (std::vector<RecordingHandler::Access>{{'r', 3, 0x10, 4, 0x44332221},
                                                                {'w', 3, 0x1008, 2, 0xBEEF},
                                                                {'w', 3, 0, 4, 0x22222222},
                                                                {'w', 3, 4, 4, 0x11111111}}));
  EXPECT_EQ(board.read_entry(0xE0000010), 0xE0000000 | kTlbPresent | kTlbMmio);
}

TEST(Mmu, EveryMmioAccessReachesTheDevice) {
  MemoryBoard board;
  RecordingHandler handler;
  board.bus.map_movable(1000, mmio_range("registers", PhysAddr(0xE0000000), 0x1000, &handler, 0, 4));
  for (unsigned i = 0; i < 5; i++) ASSERT_TRUE(board.can_read(0xE0000000));
  EXPECT_EQ(handler.log.size(), 5u);
}

// A register that closes A20 when it is touched, by an access whose second half lies in RAM behind it.
TEST(Mmu, FirstHalfOfACrossingAccessMayRemapMemory) {
  struct A20Latch final : RegionHandler {
    PhysicalBus* bus = nullptr;
    u64 read(RegionId, u64, unsigned) override {
      bus->set_a20(!bus->a20());
      return 0x11;
    }
    void write(RegionId, u64, unsigned, u64) override { bus->set_a20(!bus->a20()); }
  } latch;
  MemoryBoard board;
  latch.bus = &board.bus;
  board.bus.map_movable(1000, mmio_range("latch", PhysAddr(0x1FF000), 0x1000, &latch, 0, 1, Priority::Bar));
  board.bus.map_movable(1001, mmio_range("latch", PhysAddr(0xFF000), 0x1000, &latch, 0, 1, Priority::Bar));
  board.set_entry(0x200000, 0x22);
  u16 value = 0;
  ASSERT_TRUE(board.read(0x1FFFFF, value));
  EXPECT_EQ(value, 0x2211);
  ASSERT_TRUE(board.write<u16>(0x1FFFFF, 0x3344));
  EXPECT_EQ(board.entry(0x200000), 0x33u);
  EXPECT_EQ(board.entry(0), 0u);
}

TEST(Mmu, RomIsReadFastAndDropsWrites) {
  MemoryBoard board;
  const BackingOffset rom = board.store.allocate(0x1000, "bios");
  *board.store.host(rom) = 0x42;
  board.bus.map_movable(1000, rom_range("bios", PhysAddr(0xFFFFF000), 0x1000, rom));
  ASSERT_TRUE(board.write<u8>(0xFFFFF000, 1));
  u8 value = 0;
  ASSERT_TRUE(board.read(0xFFFFF000, value));
  EXPECT_EQ(value, 0x42);
  EXPECT_NE(board.read_entry(0xFFFFF000) & kTlbFast, 0u);
  EXPECT_EQ(board.write_entry(0xFFFFF000) & kTlbFast, 0u);
}

TEST(Mmu, ShadowedPageReadsRomAndWritesRam) {
  MemoryBoard board;
  const BackingOffset rom = board.store.allocate(0x1000, "bios");
  *board.store.host(rom + 8) = 0xB1;
  board.bus.map_movable(1000, rom_range("bios", PhysAddr(0xF0000), 0x1000, rom));
  PhysRange shadow = ram_range("pam", PhysAddr(0xF0000), 0x1000, BackingOffset(0xF0000), Priority::Window);
  shadow.affects_read = false;
  board.bus.map_movable(1001, shadow);
  ASSERT_TRUE(board.write<u8>(0xF0008, 0x77));
  u8 value = 0;
  ASSERT_TRUE(board.mmu.read_for_write(LinAddr(0xF0008), value, kSupervisor));
  EXPECT_EQ(value, 0xB1);
  EXPECT_EQ(*board.store.host(BackingOffset(0xF0008)), 0x77);
  EXPECT_NE(board.read_entry(0xF0000) & board.write_entry(0xF0000) & kTlbFast, 0u);
}

// --- Watched pages ---

TEST(Mmu, WatchedPageIsReported) {
  MemoryBoard board;
  RecordingCodeWatch watch;
  board.store.add_code_watch(watch);
  board.page32();
  board.map(0x401000, 0x801000 | kP | kW | kU);
  board.map(0x405000, 0x801000 | kP | kW | kU);  // an alias
  ASSERT_TRUE(board.write<u8>(0x401000, 1) && board.write<u8>(0x405000, 1, kUser));
  board.store.add_code(BackingOffset(0x801000), 1u << 4);
  for (const u64 entry : {board.write_entry(0x401000), board.write_entry(0x405000, kUser)})
    EXPECT_EQ(entry & 0xFFF, kTlbPresent | kTlbWatched);
  EXPECT_NE(board.read_entry(0x401000) & kTlbFast, 0u);
  ASSERT_TRUE(board.write<u32>(0x401100, 0xAABBCCDD) && board.write<u16>(0x405102, 0x1122, kUser));
  ASSERT_TRUE(board.write<u32>(0x401000, 5)) << "no code in that granule";
  EXPECT_EQ(board.entry(0x801100), 0x1122CCDDu);
  ASSERT_TRUE(board.write<u32>(0x401100, 0x1122CCDD)) << "the same again: no news";
  EXPECT_EQ(watch.hits, (std::vector<RecordingCodeWatch::Hit>{{0x801100, 4}, {0x801102, 2}}));
  board.map(0x402000, 0x801000 | kP | kW | kU);  // filled while watched
  ASSERT_TRUE(board.write<u8>(0x402120, 1));
  EXPECT_EQ(watch.hits.size(), 3u);
  ASSERT_TRUE(board.write<u32>(0x401FFE, 0)) << "crossing: 402000 shows the same page again";
  EXPECT_EQ(watch.hits.size(), 3u);
}

TEST(Mmu, UnwatchedPageGetsFastAgainWithTheNextWrite) {
  MemoryBoard board;
  ASSERT_TRUE(board.write<u8>(0x3000, 1));
  board.store.add_code(BackingOffset(0x3000), 1);
  board.store.keep_code(BackingOffset(0x3000), 0);
  EXPECT_NE(board.write_entry(0x3000) & kTlbWatched, 0u);
  ASSERT_TRUE(board.write<u8>(0x3000, 2));
  EXPECT_EQ(board.write_entry(0x3000) & 0xFFF, kTlbFast);
  ASSERT_TRUE(board.write<u8>(0x3001, 3));
  EXPECT_EQ(board.entry(0x3000, 2), 0x0302u);
}

TEST(Mmu, DisplayPagesAreReArmedEachFrame) {
  MemoryBoard board;
  ASSERT_TRUE(board.write<u8>(0x3000, 1) && board.write<u8>(0x4000, 1));
  for (int frame = 0; frame < 3; frame++) {
    board.store.arm_dirty(BackingOffset(0x3800), 0x1000);  // not aligned: both pages
    EXPECT_EQ(board.write_entry(0x3000) & kTlbFast, 0u);
    EXPECT_EQ(board.write_entry(0x4000) & kTlbFast, 0u);
    ASSERT_TRUE(board.write<u8>(0x4FFF, 1));
    EXPECT_TRUE(board.store.dirty(BackingOffset(0x4000)));
    EXPECT_FALSE(board.store.dirty(BackingOffset(0x3000)));
    EXPECT_EQ(board.write_entry(0x4000) & 0xFFF, kTlbFast);
  }
}

// --- Code ---

TEST(Mmu, FetchMarksAccessedAndFindsTheBacking) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP | kU);
  Mmu::CodePage page;
  ASSERT_TRUE(board.mmu.fetch_page(LinAddr(0x401FFF), kUser, page));
  EXPECT_TRUE(page.backed);
  EXPECT_EQ(page.backing.raw, 0x801000u);
  EXPECT_EQ(page.host, board.store.host(BackingOffset(0x801000)));
  EXPECT_EQ(board.entry(board.table_entry(0x401000)) & (kA | kD), kA);
  EXPECT_EQ(board.mmu.tlb().live_entries(), 1u);
  EXPECT_FALSE(board.mmu.fetch_page(LinAddr(0x402000), kUser, page));
  EXPECT_EQ(board.mmu.fault().error_code, 4u);
}

TEST(Mmu, FetchFromRegistersIsNotBacked) {
  MemoryBoard board;
  RecordingHandler handler;
  board.bus.map_movable(1000, mmio_range("registers", PhysAddr(0xE0000000), 0x1000, &handler, 0, 4));
  Mmu::CodePage page;
  for (const u32 at : {0xE0000123u, 0xD0000123u}) {
    ASSERT_TRUE(board.mmu.fetch_page(LinAddr(at), kSupervisor, page));
    EXPECT_FALSE(page.backed);
    EXPECT_EQ(page.physical.raw, at & 0xFFFFF000u);
  }
  EXPECT_TRUE(handler.log.empty());
}

TEST(Mmu, NoExecutePageIsReadFastButNotFetched) {
  MemoryBoard board;
  PagingMode mode = board.paging_mode();
  mode.no_execute = true;
  board.page_pae(mode);
  board.map_pae(0x201000, 0x801000 | kP | kW | kU | kNx);
  Mmu::CodePage page;
  for (int i = 0; i < 2; i++) {
    ASSERT_TRUE(board.can_read(0x201000, kUser));
    EXPECT_NE(board.read_entry(0x201000, kUser) & kTlbFast, 0u);
    EXPECT_FALSE(board.mmu.fetch_page(LinAddr(0x201000), kUser, page));
    EXPECT_EQ(board.mmu.fault().error_code, 0x15u);
    EXPECT_FALSE(board.mmu.peek_code(LinAddr(0x201000), kUser, page));
  }
  // A fault asks the tables again: rights that were added need no INVLPG.
  board.map_pae(0x201000, 0x801000 | kP | kW | kU);
  EXPECT_TRUE(board.mmu.fetch_page(LinAddr(0x201000), kUser, page));
}

TEST(Mmu, SmepForbidsSupervisorFetchOfAUserPageThatWasRead) {
  MemoryBoard board;
  PagingMode mode = board.paging_mode();
  mode.smep = true;
  board.page32(mode);
  board.map(0x401000, 0x801000 | kP | kU);
  Mmu::CodePage page;
  ASSERT_TRUE(board.can_read(0x401000));
  EXPECT_FALSE(board.mmu.fetch_page(LinAddr(0x401000), kSupervisor, page));
  EXPECT_EQ(board.mmu.fault().error_code, 0x11u);
  EXPECT_TRUE(board.mmu.fetch_page(LinAddr(0x401000), kUser, page));
}

TEST(Mmu, SmapStillGuardsAPageThatWasFetched) {
  MemoryBoard board;
  PagingMode mode = board.paging_mode();
  mode.smap = true;
  board.page32(mode);
  board.map(0x401000, 0x801000 | kP | kW | kU | kD);
  Mmu::CodePage page;
  ASSERT_TRUE(board.mmu.fetch_page(LinAddr(0x401000), kSupervisor, page));
  EXPECT_EQ(page.backing.raw, 0x801000u);
  EXPECT_FALSE(board.can_read(0x401000));
  EXPECT_EQ(board.mmu.fault().error_code, 1u);
  EXPECT_FALSE(board.write<u8>(0x401000, 1));
  EXPECT_EQ(board.mmu.fault().error_code, 3u);
}

TEST(Mmu, SmapHoldsForImplicitAccessesWhateverAcSays) {
  MemoryBoard board;
  PagingMode mode = board.paging_mode();
  mode.smap = true;
  board.page32(mode);
  board.map(0x401000, 0x801000 | kP | kW);
  board.map(0x402000, 0x802000 | kP | kW | kU);
  EXPECT_TRUE(board.mmu.allows_implicit(LinAddr(0x402000), 8, Access::Read));  // the access itself finds out
  board.mmu.set_smap_override(true);
  EXPECT_TRUE(board.can_read(0x402000));
  EXPECT_TRUE(board.mmu.allows_implicit(LinAddr(0x401FF8), 8, Access::Write));
  EXPECT_FALSE(board.mmu.allows_implicit(LinAddr(0x402010), 1, Access::Read));
  EXPECT_EQ(board.mmu.fault().error_code, 1u);
  EXPECT_FALSE(board.mmu.allows_implicit(LinAddr(0x401FFC), 8, Access::Write));
  EXPECT_EQ(board.mmu.fault().address.raw, 0x402000u);
  EXPECT_EQ(board.mmu.fault().error_code, 3u);
}

TEST(Mmu, PeekAndDebuggerChangeNothing) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP | kU);
  const PageFault before = board.mmu.fault();
  Mmu::CodePage page;
  ASSERT_TRUE(board.mmu.peek_code(LinAddr(0x401234), kUser, page));
  EXPECT_EQ(page.backing.raw, 0x801000u);
  EXPECT_FALSE(board.mmu.peek_code(LinAddr(0x402000), kUser, page));
  EXPECT_EQ(board.mmu.debug_translate(LinAddr(0x401234))->raw, 0x801234u);
  EXPECT_FALSE(board.mmu.debug_translate(LinAddr(0x402000)).has_value());
  EXPECT_TRUE(board.mmu.debug_rights(LinAddr(0x401234))->user);
  EXPECT_FALSE(board.mmu.debug_rights(LinAddr(0x401234))->writable);
  EXPECT_EQ(board.entry(board.table_entry(0x401000)), 0x801000 | kP | kU);
  EXPECT_EQ(board.mmu.tlb().live_entries(), 0u);
  EXPECT_EQ(board.mmu.fault().address, before.address);
}

TEST(Mmu, PeekSeesWhatAFetchWouldSee) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP);
  Mmu::CodePage fetched, peeked;
  ASSERT_TRUE(board.mmu.fetch_page(LinAddr(0x401000), kSupervisor, fetched));
  board.map(0x401000, 0x802000 | kP);  // no INVLPG: the entry stands
  ASSERT_TRUE(board.mmu.peek_code(LinAddr(0x401000), kSupervisor, peeked));
  EXPECT_EQ(peeked.backing, fetched.backing);
  board.mmu.flush_page(LinAddr(0x401000));
  ASSERT_TRUE(board.mmu.peek_code(LinAddr(0x401000), kSupervisor, peeked));
  EXPECT_EQ(peeked.backing.raw, 0x802000u);
}

TEST(Mmu, RunsNeverFill) {
  MemoryBoard board;
  EXPECT_EQ(board.mmu.readable_run(LinAddr(0x5000), kSupervisor), nullptr);
  EXPECT_EQ(board.mmu.writable_run(LinAddr(0x5000), kSupervisor), nullptr);
  EXPECT_EQ(board.mmu.tlb().live_entries(), 0u);
  ASSERT_TRUE(board.write<u8>(0x5000, 1));
  EXPECT_EQ(board.mmu.writable_run(LinAddr(0x5123), kSupervisor), board.store.host(BackingOffset(0x5123)));
  board.store.add_code(BackingOffset(0x5000), 1);
  EXPECT_EQ(board.mmu.writable_run(LinAddr(0x5123), kSupervisor), nullptr);
  EXPECT_EQ(board.mmu.readable_run(LinAddr(0x5123), kSupervisor), board.store.host(BackingOffset(0x5123)));
}

// --- Flush rules ---

TEST(MmuFlush, StaleEntryStandsUntilItIsFlushed) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP | kU);
  ASSERT_TRUE(board.can_read(0x401000, kUser) && board.can_read(0x401000));
  board.map(0x401000, 0);
  EXPECT_TRUE(board.can_read(0x401000, kUser));
  const u64 flushes = board.mmu.tlb().flushes();
  board.mmu.flush_page(LinAddr(0x401ABC));
  EXPECT_NE(board.mmu.tlb().flushes(), flushes) << "the engines' fetch caches look at this";
  EXPECT_FALSE(board.can_read(0x401000, kUser));
  EXPECT_FALSE(board.can_read(0x401000));
}

TEST(MmuFlush, LoadCr3KeepsGlobalPages) {
  MemoryBoard board;
  PagingMode mode = board.paging_mode();
  mode.global_pages = true;
  board.page32(mode);
  for (u32 i = 0; i < 8; i++) board.map(0x401000 + i * 0x1000, (0x801000 + i * 0x1000) | kP | (i % 3 == 0 ? kG : 0));
  for (u32 i = 0; i < 8; i++) ASSERT_TRUE(board.can_read(0x401000 + i * 0x1000));
  for (u32 i = 0; i < 8; i++) board.map(0x401000 + i * 0x1000, 0);
  ASSERT_TRUE(board.mmu.load_cr3(MemoryBoard::kDirectory));
  EXPECT_EQ(board.mmu.tlb().live_entries(), 3u);
  for (u32 i = 0; i < 8; i++) EXPECT_EQ(board.can_read(0x401000 + i * 0x1000), i % 3 == 0) << i;
  board.mmu.flush_page(LinAddr(0x404000));  // INVLPG drops global ones too
  EXPECT_FALSE(board.can_read(0x404000));
  EXPECT_TRUE(board.can_read(0x407000));
}

TEST(MmuFlush, LoadCr3WithoutPgeDropsAll) {
  MemoryBoard board;
  board.page32();
  board.map(0x401000, 0x801000 | kP | kG);
  ASSERT_TRUE(board.can_read(0x401000));
  ASSERT_TRUE(board.mmu.load_cr3(MemoryBoard::kDirectory));
  EXPECT_EQ(board.read_entry(0x401000), 0u);
}

TEST(MmuFlush, RefusedPointersChangeNothing) {
  MemoryBoard board;
  board.page_pae(board.paging_mode());
  board.map_pae(0x201000, 0x801000 | kP);
  ASSERT_TRUE(board.can_read(0x201000));
  board.set_entry(0x6000 + 8, 0x5000 | kP | 2, 8);
  const auto pointers = board.mmu.pdptes();
  EXPECT_FALSE(board.mmu.load_cr3(0x6000));
  EXPECT_EQ(board.mmu.cr3(), MemoryBoard::kPointers);
  EXPECT_EQ(board.mmu.pdptes(), pointers);
  EXPECT_NE(board.read_entry(0x201000), 0u);
}

TEST(MmuFlush, ModeChangeFlushes) {
  for (int change = 0; change < 8; change++) {
    MemoryBoard board;
    board.page32();
    board.map(0x401000, 0x801000 | kP);
    ASSERT_TRUE(board.can_read(0x401000));
    PagingMode mode = board.mmu.mode();
    board.mmu.set_mode(mode);
    EXPECT_NE(board.read_entry(0x401000), 0u);
    bool* const flags[] = {&mode.enabled,      &mode.write_protect, &mode.page_size, &mode.pae,
                           &mode.global_pages, &mode.no_execute,    &mode.smep,      &mode.smap};
    *flags[change] = !*flags[change];
    board.mmu.set_mode(mode);
    EXPECT_EQ(board.read_entry(0x401000), 0u) << change;
    EXPECT_EQ(board.mmu.tlb().live_entries(), 0u);
  }
}

TEST(MmuFlush, WhatSmapOverrideOpenedGoesWithIt) {
  MemoryBoard board;
  PagingMode mode = board.paging_mode();
  mode.smap = true;
  board.page32(mode);
  board.map(0x401000, 0x801000 | kP | kW | kU);
  board.map(0x402000, 0x802000 | kP);
  ASSERT_TRUE(board.can_read(0x402000));
  board.mmu.set_smap_override(true);
  EXPECT_NE(board.read_entry(0x402000), 0u);
  EXPECT_TRUE(board.can_read(0x401000));
  EXPECT_TRUE(board.write<u8>(0x401000, 1));
  ASSERT_TRUE(board.can_read(0x401000, kUser));
  board.mmu.set_smap_override(false);
  EXPECT_FALSE(board.can_read(0x401000));
  EXPECT_FALSE(board.write<u8>(0x401000, 1));
  EXPECT_NE(board.read_entry(0x401000, kUser), 0u);
  EXPECT_NE(board.read_entry(0x402000), 0u);
  // Again, after a round in which nothing was opened.
  board.mmu.set_smap_override(true);
  board.mmu.set_smap_override(false);
  EXPECT_FALSE(board.can_read(0x401000));
}

TEST(MmuFlush, SmapOverrideThatOpenedMuch) {
  constexpr u32 kPages = 300;
  MemoryBoard board;
  PagingMode mode = board.paging_mode();
  mode.smap = true;
  board.page32(mode);
  for (u32 page = 0; page < kPages; page++) board.map(0x401000 + page * kPageSize, 0x801000 | kP | kU);
  board.mmu.set_smap_override(true);
  for (u32 page = 0; page < kPages; page++) ASSERT_TRUE(board.can_read(0x401000 + page * kPageSize));
  board.mmu.set_smap_override(false);
  for (u32 page = 0; page < kPages; page++) EXPECT_FALSE(board.can_read(0x401000 + page * kPageSize)) << page;
}

TEST(MmuFlush, InvlpgDropsLargePage) {
  MemoryBoard board;
  PagingMode mode = board.paging_mode();
  mode.page_size = true;
  board.page32(mode);
  board.set_entry(MemoryBoard::kDirectory + 8, 0x800000 | kPs | kP | kW | kU);  // linear 8 to 12 MiB
  board.map(0x401000, 0x801000 | kP);
  for (u32 at = 0x800000; at < 0xC00000; at += 0x55000) ASSERT_TRUE(board.can_read(at, kUser) && board.can_read(at));
  ASSERT_TRUE(board.can_read(0x401000));
  board.set_entry(MemoryBoard::kDirectory + 8, 0);
  board.mmu.flush_page(LinAddr(0x9ABCDE));  // a page of it that was not even touched
  for (u32 at = 0x800000; at < 0xC00000; at += 0x55000) EXPECT_FALSE(board.can_read(at, kUser) || board.can_read(at));
  EXPECT_EQ(board.mmu.tlb().live_entries(), 1u);
  EXPECT_NE(board.read_entry(0x401000), 0u);
}

TEST(MmuFlush, InvlpgDropsTwoMegabytePage) {
  MemoryBoard board;
  board.page_pae(board.paging_mode());
  board.set_entry(MemoryBoard::kPaeDirectory + 5 * 8, 0x800000 | kPs | kP, 8);  // linear 10 to 12 MiB
  ASSERT_TRUE(board.can_read(0xA00000) && board.can_read(0xBFF000));
  board.set_entry(MemoryBoard::kPaeDirectory + 5 * 8, 0, 8);
  board.mmu.flush_page(LinAddr(0xA00000));
  EXPECT_FALSE(board.can_read(0xBFF000));
}

TEST(MmuFlush, RemapFlushes) {
  MemoryBoard board;
  board.bus.write(PhysAddr(0x100000), 1, 0x99);
  u8 value = 0;
  ASSERT_TRUE(board.read(0x100000, value));
  EXPECT_EQ(value, 0x99);
  board.bus.set_a20(false);
  ASSERT_TRUE(board.read(0x100000, value));
  EXPECT_EQ(value, 0);
  board.bus.set_a20(true);
  ASSERT_TRUE(board.read(0x100000, value));
  EXPECT_EQ(value, 0x99);
  RecordingHandler handler;
  board.bus.map_movable(1000, mmio_range("bar", PhysAddr(0x100000), 0x1000, &handler, 0, 1, Priority::Bar));
  ASSERT_TRUE(board.read(0x100000, value));
  EXPECT_EQ(value, 0x11);
}

TEST(MmuFlush, CapReplacesTheOldest) {
  MemoryBoard board(8);
  for (u32 page = 0; page < 8; page++) ASSERT_TRUE(board.write<u8>(page * kPageSize, 1));
  EXPECT_EQ(board.mmu.tlb().live_entries(), 8u);
  ASSERT_TRUE(board.write<u8>(3 * kPageSize, 1));
  EXPECT_EQ(board.mmu.tlb().live_entries(), 8u) << "no new page";
  const u64 flushes = board.mmu.tlb().flushes();
  board.mmu.tlb().forget_replaced();
  for (u32 page = 8; page < 11; page++) ASSERT_TRUE(board.write<u8>(page * kPageSize, 1));
  EXPECT_EQ(board.mmu.tlb().live_entries(), 8u);
  EXPECT_EQ(board.mmu.tlb().flushes(), flushes) << "no code has lost its entry";
  EXPECT_EQ(board.mmu.tlb().replaced().count, 3u);
  EXPECT_EQ(board.mmu.tlb().replaced().pages[1], reinterpret_cast<u64>(board.store.host(BackingOffset(kPageSize))));
  for (u32 page = 0; page < 11; page++) EXPECT_EQ(board.write_entry(page * kPageSize) != 0, page >= 3) << page;
}

// The page that runs stays, and takes its turn again as if it were new; other code that goes is told of.
TEST(MmuFlush, CapKeepsThePageThatRuns) {
  MemoryBoard board(8);
  u64 base = 0x1000, offset = 0x10;
  board.mmu.tlb().execute_at(&offset, &base);
  Mmu::CodePage page;
  for (u32 number = 0; number < 8; number++)
    ASSERT_TRUE(board.mmu.fetch_page(LinAddr(number * kPageSize), kSupervisor, page));
  const u64 flushes = board.mmu.tlb().flushes();
  for (u32 number = 8; number < 11; number++) ASSERT_TRUE(board.write<u8>(number * kPageSize, 1));
  EXPECT_EQ(board.mmu.tlb().flushes(), flushes + 3);
  for (u32 number = 0; number < 11; number++)
    EXPECT_EQ(board.read_entry(number * kPageSize) != 0, number == 1 || number == 2 || number >= 5) << number;
}

TEST(MmuFlush, CapWithinACrossingAccess) {
  MemoryBoard board(4);
  for (u32 page = 0; page < 40; page += 3) {
    ASSERT_TRUE(board.write<u32>((page + 1) * kPageSize - 2, 0x44332211 + page));
    u32 value = 0;
    ASSERT_TRUE(board.read((page + 1) * kPageSize - 2, value, page % 2 == 0 ? kUser : kSupervisor));
    EXPECT_EQ(value, 0x44332211 + page);
    EXPECT_LE(board.mmu.tlb().live_entries(), 4u);
  }
}

// Translated code of a processor with a host thread of its own uses the TLB without the lock.
TEST(Mmu, APageThatOthersWatchSlowsDownWhenTheProcessorHasComeOut) {
  constexpr u32 kPage = 0x6000;
  MemoryBoard board;
  bool busy = true;
  board.mmu.put_off_while([&] { return busy; });
  const auto entry = [&] { return board.mmu.tlb().write_entry(LinAddr(kPage), kSupervisor); };
  ASSERT_TRUE(board.mmu.probe_write(LinAddr(kPage), 1, kSupervisor));
  board.store.add_code(BackingOffset(kPage), 1);
  EXPECT_NE(entry() & kTlbFast, 0u);
  busy = false;
  board.mmu.catch_up();
  EXPECT_EQ(entry() & (kTlbFast | kTlbWatched), kTlbWatched);
  ASSERT_TRUE(board.mmu.probe_write(LinAddr(2 * kPage), 1, kSupervisor));
  board.store.add_code(BackingOffset(2 * kPage), 1);
  EXPECT_NE(board.mmu.tlb().write_entry(LinAddr(2 * kPage), kSupervisor) & kTlbWatched, 0u) << "nothing to wait for";
}

}  // namespace
}  // namespace relic86
