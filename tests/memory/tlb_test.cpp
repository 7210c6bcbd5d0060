#include "memory/tlb.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>

#include "tests/memory/memory_board.h"

namespace relic86 {
namespace {

// Pages with entries must always be those that were filled and not dropped since, less those after which as many others
// have come as the cap says: against a map and the list of what came.
TEST(Tlb, EntriesMatchAModel) {
  constexpr u32 kPages = 40, kFirst = 0x401000, kCap = 48;
  MemoryBoard board(kCap);
  Tlb& tlb = board.mmu.tlb();
  std::mt19937 random(7);
  using Key = std::pair<u32, Privilege>;
  struct Came {
    Key key;
    bool global = false;
    bool dropped = false;
  };
  std::set<Key> model;
  std::deque<Came> came;
  for (int step = 0; step < 20000; step++) {
    const u32 page = kFirst + static_cast<u32>(random() % kPages) * kPageSize;
    const u32 what = static_cast<u32>(random() % 200);
    if (what < 4) {
      for (Came& each : came) {
        if (each.dropped || (what != 0 && each.global)) continue;
        model.erase(each.key);
        each.dropped = true;
      }
      if (what == 0) {
        tlb.flush_all();
      } else {
        tlb.flush_non_global();
      }
    } else if (what < 60) {
      tlb.flush_page(LinAddr(page));
      model.erase({page, kSupervisor});
      model.erase({page, kUser});
    } else {
      TlbFill fill;
      fill.page = LinAddr(page);
      fill.physical = PhysAddr(page);
      fill.privilege = random() % 2 != 0 ? kUser : kSupervisor;
      fill.writable = random() % 2 != 0;
      fill.global = random() % 2 != 0;
      const Key key{page, fill.privilege};
      if (!model.contains(key)) {
        came.push_back({key, fill.global});
        if (came.size() > kCap) {
          if (!came.front().dropped) model.erase(came.front().key);
          came.pop_front();
        }
        model.insert(key);
      }
      tlb.fill(fill);
      EXPECT_EQ(board.write_entry(page, fill.privilege) != 0, fill.writable);
    }
    ASSERT_EQ(tlb.live_entries(), model.size()) << step;
    for (u32 i = 0; i < kPages; i++) {
      const u32 at = kFirst + i * kPageSize;
      for (const Privilege privilege : {kSupervisor, kUser}) {
        ASSERT_EQ(board.read_entry(at, privilege) != 0, model.contains({at, privilege})) << step;
        if (!model.contains({at, privilege})) {
          ASSERT_EQ(board.write_entry(at, privilege), 0u) << step;
        }
      }
    }
  }
}

TEST(Tlb, TablesOutliveTheirUserEmptyAfterAFlush) {
  MemoryBoard board;
  for (u32 page = 0; page < 3000; page++) ASSERT_TRUE(board.write<u8>(page * kPageSize, 1));
  board.mmu.flush_all();
  EXPECT_EQ(board.mmu.tlb().live_entries(), 0u);
  for (u32 page = 0; page < 3000; page++)
    ASSERT_EQ(board.read_entry(page * kPageSize) | board.write_entry(page * kPageSize), 0u);
}

// What the top of tlb.h promises to translated code about the entry's low bits.
TEST(Tlb, EntryKindsAreToldApartByTheirLowBits) {
  MemoryBoard board;
  RecordingHandler handler;
  board.bus.map_movable(1000, mmio_range("registers", PhysAddr(0xE0000000), 0x1000, &handler, 0, 4));
  board.store.add_code(BackingOffset(0x2000), 1);
  ASSERT_TRUE(board.write<u8>(0x1000, 1) && board.write<u8>(0x2800, 1) && board.write<u8>(0xE0000000, 1));
  EXPECT_EQ(board.write_entry(0x1000) & 0xFFF, kTlbFast);
  EXPECT_EQ(board.write_entry(0x2000) & 0xFFF, kTlbPresent | kTlbWatched);
  EXPECT_EQ(reinterpret_cast<u8*>(0x2000 + (board.write_entry(0x2000) & ~u64{0xFFF})),
            board.store.host(BackingOffset(0x2000)));
  EXPECT_EQ(board.write_entry(0xE0000000), 0xE0000000 | kTlbPresent | kTlbMmio);
  EXPECT_EQ(board.write_entry(0x3000), 0u);
}

}  // namespace
}  // namespace relic86
