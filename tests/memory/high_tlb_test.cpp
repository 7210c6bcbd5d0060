// Entries of linear pages above 4 GiB.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

#include "tests/memory/memory_board.h"

namespace relic86 {
namespace {

// Four-level paging of the board: linear `linear` is the 4 KiB page at `physical`, through tables of its own.
class LongBoard : public MemoryBoard {
 public:
  using MemoryBoard::MemoryBoard;
  static constexpr u32 kTop = 0x10000;

  void page_long(bool five_levels = false) {
    PagingMode mode = paging_mode();
    mode.pae = mode.long_mode = mode.no_execute = mode.giant_pages = true;
    mode.five_levels = five_levels;
    mode.physical_bits = 40;
    mmu.set_mode(mode);
    mmu.set_code64(true);
    RELIC86_ASSERT(mmu.load_cr3(kTop));
  }
  void map_long(u64 linear, u64 entry_value, unsigned leaf_shift = 12) {
    u64 table = kTop;
    for (unsigned shift = mmu.mode().five_levels ? 48 : 39;; shift -= 9) {
      const u32 at = static_cast<u32>(table + (linear >> shift & 511) * 8);
      if (shift == leaf_shift) return set_entry(at, entry_value, 8);
      if ((entry(at, 8) & kP) == 0) {
        set_entry(at, next_ | kP | kW | kU, 8);
        next_ += kPageSize;
      }
      table = entry(at, 8) & 0xFFFFFFFFF000;
    }
  }

 private:
  u32 next_ = kTop + kPageSize;
};

TEST(HighTlb, EntriesMatchAModel) {
  constexpr u32 kCap = 48;
  MemoryBoard board(kCap);
  Tlb& tlb = board.mmu.tlb();
  tlb.set_wide(true);
  // Some below 4 GiB, neighbours, and many that want the same slot.
  std::vector<u64> pages;
  for (u64 i = 0; i < 8; i++) pages.push_back(0x401 + i);
  for (u64 i = 0; i < 16; i++) pages.push_back(0xFFFF888000000 + i);
  const u32 home = HighTlb::home(HighTlb::tag(pages.back(), 0));
  for (u64 page = 0x100000; pages.size() < 56; page += 97) {
    if (HighTlb::home(HighTlb::tag(page, 0)) == home) pages.push_back(page);
  }
  using Key = std::pair<u64, Privilege>;
  struct Came {
    Key key;
    bool global = false;
    bool dropped = false;
  };
  std::map<Key, u64> model;  // physical pages
  std::deque<Came> came;
  std::mt19937 random(11);
  for (int step = 0; step < 20000; step++) {
    const u64 page = pages[random() % pages.size()];
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
      tlb.flush_page(LinAddr(page << kPageShift));
      model.erase({page, kSupervisor});
      model.erase({page, kUser});
    } else {
      TlbFill fill;
      fill.page = LinAddr(page << kPageShift);
      fill.physical = PhysAddr(random() % 64 * kPageSize);
      fill.privilege = random() % 2 != 0 ? kUser : kSupervisor;
      fill.writable = true;
      fill.global = random() % 2 != 0;
      const Key key{page, fill.privilege};
      if (!model.contains(key)) {
        came.push_back({key, fill.global});
        if (came.size() > kCap) {
          if (!came.front().dropped) model.erase(came.front().key);
          came.pop_front();
        }
      }
      model[key] = fill.physical.raw;
      tlb.fill(fill);
    }
    ASSERT_EQ(tlb.live_entries(), model.size()) << step;
    for (const u64 each : pages) {
      for (const Privilege privilege : {kSupervisor, kUser}) {
        const LinAddr linear(each << kPageShift);
        const auto found = model.find({each, privilege});
        const u64 expected =
            found == model.end()
                ? 0
                : (reinterpret_cast<u64>(board.store.host(BackingOffset(found->second))) - linear.raw) | kTlbFast;
        ASSERT_EQ(tlb.read_entry(linear, privilege), expected) << step;
        ASSERT_EQ(tlb.write_entry(linear, privilege), expected) << step;
        ASSERT_EQ(tlb.code_entry(linear, privilege), 0u) << step;
      }
    }
  }
}

TEST(HighTlb, InvlpgDropsEveryEntryOfALargePage) {
  LongBoard board;
  board.page_long();
  for (const auto& [linear, shift] : {std::pair(u64{0xFFFF888000000000}, 21u), std::pair(u64{0xFFFF800040000000}, 30u),
                                      std::pair(u64{0x40000000}, 30u)}) {
    board.map_long(linear, kPs | kP | kW, shift);
    board.map_long(linear + (u64{1} << shift), kPs | kP | kW, shift);
    const u64 last = linear + (u64{1} << shift) - kPageSize, next = linear + (u64{1} << shift);
    u32 value = 0;
    for (const u64 at : {linear, last, next}) ASSERT_TRUE(board.mmu.read(LinAddr(at), value, kSupervisor));
    board.mmu.flush_page(LinAddr(linear + 0x5123));
    EXPECT_EQ(board.mmu.tlb().read_entry(LinAddr(linear), kSupervisor), 0u);
    EXPECT_EQ(board.mmu.tlb().read_entry(LinAddr(last), kSupervisor), 0u);
    EXPECT_NE(board.mmu.tlb().read_entry(LinAddr(next), kSupervisor), 0u);
  }
}

// INVLPG of one large page after the other, while entries of others stay, come again and go with their turn.
TEST(HighTlb, LargePagesMatchAModel) {
  constexpr u32 kCap = 64;
  // The first page of each, and the number of bits of a page's number within it.
  constexpr std::pair<u64, unsigned> kMapped[] = {{0xFFFF888000000, 9}, {0xFFFF888000200, 9}, {0xFFFF888000400, 0},
                                                  {0x7F0000000, 18},    {0x7F0040000, 0},     {0x123400000, 9}};
  MemoryBoard board(kCap);
  board.mmu.tlb().flush_all();
  Tlb& tlb = board.mmu.tlb();
  tlb.set_wide(true);
  std::mt19937_64 random(11);
  struct Came {
    u64 page;
    bool dropped;
  };
  std::deque<Came> came;  // what the cap counts
  std::map<u64, u64> model;
  const auto drop = [&](u64 first, unsigned bits, bool uncount) {
    std::erase_if(model, [&](const auto& each) { return each.first >> bits == first >> bits; });
    for (Came& each : came) each.dropped = each.dropped || (uncount && each.page >> bits == first >> bits);
  };
  for (unsigned step = 0; step < 20'000; step++) {
    const auto [first, bits] = kMapped[random() % std::size(kMapped)];
    const u64 page = first + (random() % 4 << (bits - std::min(bits, 2u)));
    if (random() % 4 == 0) {
      tlb.flush_page(LinAddr(page << kPageShift));
      drop(page, bits, bits != 0);
    } else {
      TlbFill fill;
      fill.page = LinAddr(page << kPageShift);
      fill.physical = PhysAddr(random() % 64 * kPageSize);
      fill.large = bits != 0;
      fill.giant = bits == 18;
      if (!model.contains(page)) {
        came.push_back({page, false});
        if (came.size() > kCap) {
          if (!came.front().dropped) model.erase(came.front().page);
          came.pop_front();
        }
      }
      model[page] = fill.physical.raw;
      tlb.fill(fill);
    }
    ASSERT_EQ(tlb.live_entries(), model.size()) << step;
    for (const auto& [first_page, page_bits] : kMapped) {
      for (u64 i = 0; i < 4; i++) {
        const LinAddr linear((first_page + (i << (page_bits - std::min(page_bits, 2u)))) << kPageShift);
        const auto found = model.find(linear.raw >> kPageShift);
        const u64 entry = tlb.read_entry(linear, kSupervisor);
        ASSERT_EQ(entry != 0, found != model.end()) << step;
        if (entry == 0) continue;
        ASSERT_EQ(entry + linear.raw - kTlbFast, reinterpret_cast<u64>(board.store.host(BackingOffset(found->second))));
      }
    }
  }
}

TEST(HighTlb, LeavingLongModeForgetsTheHighPages) {
  LongBoard board;
  board.page_long();
  board.map_long(0xFFFF888000001000, 0x401000 | kP | kW);
  ASSERT_TRUE(board.mmu.write<u32>(LinAddr(0xFFFF888000001000), 1, kSupervisor));
  board.mmu.set_mode(PagingMode{});
  board.mmu.set_code64(false);
  EXPECT_EQ(board.mmu.tlb().live_entries(), 0u);
  // Linear addresses wrap again.
  ASSERT_TRUE(board.mmu.write<u32>(LinAddr(0xFFFF888000402000), 0x12345678, kSupervisor));
  EXPECT_EQ(board.bus.read(PhysAddr(0x402000), 4), 0x12345678u);
  EXPECT_EQ(board.mmu.tlb().read_entry(LinAddr(0xFFFF888000402000), kSupervisor), board.read_entry(0x402000));
}

TEST(HighTlb, AccessesGoOnAbove4GiBInCodeOf64BitsOnly) {
  LongBoard board;
  board.page_long();
  board.map_long(0xFFFFF000, 0x401000 | kP | kW);
  board.map_long(0x100000000, 0x402000 | kP | kW);
  board.map_long(0, 0x403000 | kP | kW);
  ASSERT_TRUE(board.mmu.write<u32>(LinAddr(0xFFFFFFFE), 0x44332211, kSupervisor));
  EXPECT_EQ(board.bus.read(PhysAddr(0x402000), 2), 0x4433u);
  board.mmu.set_code64(false);
  ASSERT_TRUE(board.mmu.write<u32>(LinAddr(0xFFFFFFFE), 0x88776655, kSupervisor));
  EXPECT_EQ(board.bus.read(PhysAddr(0x402000), 2), 0x4433u);
  EXPECT_EQ(board.bus.read(PhysAddr(0x403000), 2), 0x8877u);
}

TEST(HighTlb, WatchedPagesAndBreakpointsSlowHighPagesDown) {
  LongBoard board;
  board.page_long();
  const LinAddr at(0xFFFFC90000001000);
  board.map_long(at.raw, 0x401000 | kP | kW);
  ASSERT_TRUE(board.mmu.write<u32>(at, 1, kSupervisor));
  board.store.add_code(BackingOffset(0x401000), 1);
  EXPECT_EQ(board.mmu.tlb().write_entry(at, kSupervisor) & 0xFFF, kTlbPresent | kTlbWatched);
  RecordingCodeWatch watch;
  board.store.add_code_watch(watch);
  ASSERT_TRUE(board.mmu.write<u32>(at, 2, kSupervisor));
  EXPECT_EQ(watch.hits, (std::vector<RecordingCodeWatch::Hit>{{0x401000, 4}}));
  board.store.keep_code(BackingOffset(0x401000), 0);
  board.mmu.set_breakpoint_pages({at.raw >> kPageShift});
  EXPECT_EQ(board.mmu.tlb().read_entry(at, kSupervisor), 0x401000 | kTlbPresent | kTlbDebug);
  board.mmu.set_breakpoint_pages({});
  EXPECT_EQ(board.mmu.tlb().read_entry(at, kSupervisor) & 0xFFF, kTlbFast);
  board.store.remove_code_watch(watch);
}

TEST(HighTlb, FiveLevelsReach57Bits) {
  LongBoard board;
  board.page_long(true);
  const LinAddr at(0xFF11000000001000);
  board.map_long(at.raw, 0x401000 | kP | kW);
  ASSERT_TRUE(board.mmu.write<u32>(at, 0xCAFE, kSupervisor));
  EXPECT_EQ(board.bus.read(PhysAddr(0x401000), 4), 0xCAFEu);
  u32 value = 0;
  EXPECT_FALSE(board.mmu.read(LinAddr(0xFF12000000001000), value, kSupervisor));
  EXPECT_EQ(board.mmu.fault().address.raw, 0xFF12000000001000u);
}

}  // namespace
}  // namespace relic86
