// The Mmu against a straightforward reference: a second copy of RAM, page tables walked anew for every access by code
// that shares nothing with the walker. After every change of the tables the TLB is flushed, so both must always agree:
// on faults, on data, on A and D bits.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/memory/memory_board.h"

namespace relic86 {
namespace {

constexpr u64 kRam = MemoryBoard::kRam;
// Tables lie below 256 KiB; pages show physical memory from 4 MiB on, so that data never lands in tables.
constexpr u32 kFirstData = 4u << 20;

class Reference {
 public:
  Reference() : ram(kRam) {}

  struct Step {
    u64 at;
    unsigned width;
    u64 value;
  };
  struct Outcome {
    bool ok = false;
    u32 code = 0;
    u64 physical = 0;
  };

  u64 load(u64 at, unsigned width) const {
    u64 value = 0;
    for (unsigned i = 0; i < width; i++) value |= u64{at + i < kRam ? ram[at + i] : u8{0xFF}} << (8 * i);
    return value;
  }
  void store(u64 at, unsigned width, u64 value) {
    for (unsigned i = 0; i < width; i++) {
      if (at + i < kRam) ram[at + i] = static_cast<u8>(value >> (8 * i));
    }
  }

  Outcome translate(u64 linear, Access access, bool user, bool mark) {
    std::vector<Step> used;
    Outcome outcome;
    bool reserved = false, present = true, writable = true, for_user = true, execute = true, done = false;
    const unsigned width = mode.pae ? 8 : 4, bits = mode.pae ? 9 : 10;
    unsigned first_shift = 12 + bits;
    u64 table = cr3 & 0xFFFFF000;
    if (mode.long_mode) {
      first_shift = mode.five_levels ? 48 : 39;
    } else if (mode.pae) {
      const u64 pointer = load((cr3 & 0xFFFFFFE0) + (linear >> 30) * 8, 8);
      present = (pointer & 1) != 0;
      table = pointer & 0xFFFFFF000;
    }
    for (unsigned shift = first_shift; present && !reserved && !done; shift -= bits) {
      const u64 at = table + (linear >> shift & ((1u << bits) - 1)) * width;
      const u64 entry = load(at, width);
      if ((entry & kP) == 0) {
        present = false;
        break;
      }
      const bool large = shift > 12 && (entry & kPs) != 0 && (mode.pae || mode.page_size);
      const u64 kept = mode.long_mode ? 0xFFFFF : 0x7FFFFFFF;  // of bits 62:32, those that are not ignored
      if (mode.pae) {
        reserved = (entry >> 32 & kept & ~((u64{1} << (mode.physical_bits - 32)) - 1)) != 0 ||
                   ((entry & kNx) != 0 && !mode.no_execute);
      }
      if (large) reserved = reserved || (entry & (shift == 30 ? 0x3FFFE000 : mode.pae ? 0x1FE000 : 0x3E0000)) != 0;
      if (large && mode.long_mode) reserved = reserved || shift > 30 || (shift == 30 && !mode.giant_pages);
      used.push_back({at, width, entry});
      writable = writable && (entry & kW) != 0;
      for_user = for_user && (entry & kU) != 0;
      execute = execute && (entry & kNx) == 0;
      table = mode.pae ? entry & 0xFFFFFFFFFF000 : entry & 0xFFFFF000;
      done = large || shift == 12;
      if (!done) continue;
      const u64 inside = (u64{1} << shift) - 1;
      outcome.physical = (table & ~inside) | (linear & inside);
      if (large && !mode.pae) outcome.physical |= (entry >> 13 & 15) << 32;
    }
    bool allowed = present && !reserved;
    if (allowed && user) allowed = for_user;
    if (allowed && !user && for_user) allowed = access == Access::Execute ? !mode.smep : !mode.smap;
    if (allowed && access == Access::Execute) allowed = execute;
    if (allowed && access == Access::Write) allowed = writable || (!user && !mode.write_protect);
    if (!allowed) {
      outcome.code =
          (present ? 1u : 0u) | (access == Access::Write ? 2u : 0u) | (user ? 4u : 0u) | (reserved ? 8u : 0u);
      if (access == Access::Execute && (mode.smep || (mode.pae && mode.no_execute))) outcome.code |= 16u;
      return outcome;
    }
    outcome.ok = true;
    for (std::size_t i = 0; mark && i < used.size(); i++) {
      const bool leaf = i + 1 == used.size();
      store(used[i].at, used[i].width, used[i].value | kA | (leaf && access == Access::Write ? kD : 0));
    }
    return outcome;
  }

  PagingMode mode;
  u64 cr3 = 0;
  std::vector<u8> ram;
};

class RandomMmu {
 public:
  RandomMmu(u32 seed, u32 cap) : board_(cap), random_(seed) {}

  void run(unsigned steps) {
    choose_mode();
    for (unsigned step = 0; step < steps && !testing::Test::HasFailure(); step++) {
      const u32 what = pick(100);
      if (what < 4) {
        change_table();
      } else if (what < 5) {
        choose_mode();
      } else if (what < 10) {
        toggle_code();
      } else if (what < 18) {
        fetch();
      } else if (what < 25) {
        probe();
      } else if (what < 60) {
        transfer<false>();
      } else {
        transfer<true>();
      }
    }
    EXPECT_EQ(std::memcmp(reference_.ram.data(), board_.store.host(BackingOffset(0)), kRam), 0);
    EXPECT_GT(faults_, steps / 50);
    EXPECT_GT(successes_, steps / 50);
  }

 private:
  u32 pick(u32 below) { return static_cast<u32>(random_() % below); }
  bool chance(u32 percent) { return pick(100) < percent; }
  u64 wide() { return u64{static_cast<u32>(random_())} << 32 | static_cast<u32>(random_()); }

  // A few dozen pages in all parts of the address space, mostly near their borders.
  static constexpr u64 kRegions[] = {0x00000000, 0x003FE000, 0x00400000, 0x3FFFE000, 0xBFFFE000, 0xFFFFC000};
  static constexpr u64 kLongRegions[] = {0x003FE000,         0xFFFFE000,         0x7FFFFFFFC000,
                                         0xFFFF800000400000, 0xFFFFC000005FE000, 0xFFFFFFFFFFFFA000};
  bool long_mode() const { return reference_.mode.long_mode; }
  u64 address() {
    const u64 page = (long_mode() ? kLongRegions : kRegions)[pick(6)] + pick(4) * kPageSize;
    return after(page, chance(40) ? pick(kPageSize) : kPageSize - 10 + pick(20));
  }
  // So many bytes further on, as accesses go.
  u64 after(u64 linear, u32 bytes) const { return long_mode() ? linear + bytes : static_cast<u32>(linear + bytes); }
  Privilege privilege() { return chance(50) ? kUser : kSupervisor; }

  void poke(u64 at, unsigned width, u64 value) {
    reference_.store(at, width, value);
    board_.bus.write(PhysAddr(at), width, value);
  }

  u64 page_address() {
    if (chance(4)) return 0x2000000;                                              // nothing there
    if (chance(3) && reference_.mode.pae) return u64{pick(16)} << 32 | 0x400000;  // some of it is nowhere, too
    return kFirstData + pick(24) * kPageSize;
  }
  u64 rights() {
    u64 bits = chance(92) ? kP : 0;
    bits |= chance(75) ? kW : 0;
    bits |= chance(75) ? kU : 0;
    bits |= chance(30) ? kG : 0;
    bits |= chance(30) ? kA : 0;
    bits |= chance(30) ? kD : 0;
    if (!reference_.mode.pae) return bits;
    if (chance(10)) bits |= kNx;
    if (chance(2)) bits |= u64{1} << (36 + pick(27));  // reserved, ignored, or nowhere
    return bits;
  }
  u64 leaf() { return page_address() | rights(); }
  u64 directory(u32 table) {
    if (!chance(20)) return table | rights() | (chance(85) ? kP | kW | kU : 0);
    // Without PSE the bit means nothing: then the entry still points to its table, not into the data.
    if (!reference_.mode.pae && !reference_.mode.page_size) return table | kPs | rights();
    u64 value = kPs | rights() | (u64{1 + pick(3)} << 22);
    if (chance(10)) value |= u64{1} << (13 + pick(8));
    return value;
  }

  // Tables of fixed places: the directory (PAE: four) at 10000h, a table per used directory entry behind it.
  struct Place {
    u64 at;
    u32 table;           // of a directory entry; 0: a leaf
    unsigned shift = 0;  // of long mode: linear address bits that it leaves to the tables below
  };
  std::vector<Place> places() const {
    if (long_mode()) return long_places();
    std::vector<Place> result;
    const bool pae = reference_.mode.pae;
    static constexpr u32 kStarts[] = {0,          0x00200000, 0x00400000, 0x3FE00000,
                                      0x40000000, 0xBFE00000, 0xC0000000, 0xFFE00000};
    u32 table = 0x20000;
    for (const u32 start : kStarts) {
      const u64 at =
          pae ? 0x10000 + u64{start >> 30} * 0x1000 + (start >> 21 & 0x1FF) * 8 : 0x10000 + (start >> 22) * 4;
      result.push_back({at, table});
      for (const u32 page : {0u, 1u, 2u, 3u, 4u, 508u, 509u, 510u, 511u, 1020u, 1021u, 1022u, 1023u}) {
        if (page < (pae ? 512u : 1024u)) result.push_back({table + page * (pae ? 8 : 4), 0});
      }
      table += kPageSize;
    }
    return result;
  }
  // The tables of long mode by what they map: the top one at 10000h.
  std::vector<Place> long_places() const {
    std::vector<Place> result;
    std::map<std::pair<unsigned, u64>, u32> tables;
    const unsigned top = reference_.mode.five_levels ? 48 : 39;
    u32 next = 0x10000;
    const auto table_of = [&](unsigned shift, u64 linear) {
      const auto [found, fresh] = tables.try_emplace({shift, shift == top ? 0 : linear >> (shift + 9)}, next);
      if (fresh) next += kPageSize;
      return std::pair(found->second, fresh);
    };
    for (const u64 region : kLongRegions) {
      for (u32 page = 0; page < 5 && region + page * kPageSize >= region; page++) {
        const u64 linear = region + page * kPageSize;
        u32 table = table_of(top, 0).first;
        for (unsigned shift = top; shift > 12; shift -= 9) {
          const auto [below, fresh] = table_of(shift - 9, linear);
          if (fresh) result.push_back({table + (linear >> shift & 511) * 8, below, shift});
          table = below;
        }
        result.push_back({table + (linear >> 12 & 511) * 8, 0, 12});
      }
    }
    return result;
  }
  // Mostly a table; large pages where there may be some, and now and then where there may not. Of a GiB of RAM the
  // regions show what lies before the tables or after them.
  u64 long_directory(const Place& place) {
    if (chance(place.shift == 21 ? 25 : place.shift == 30 ? 8 : 1)) {
      const u64 pages = place.shift == 21 ? u64{1 + pick(5)} << 22 : u64{pick(2)} << 30;
      return kPs | rights() | pages | (chance(5) ? 1u << (13 + pick(8)) : 0);
    }
    return place.table | rights() | (chance(90) ? kP | kW | kU : 0);
  }
  void write_place(const Place& place) {
    const u64 value = place.table == 0 ? leaf() : long_mode() ? long_directory(place) : directory(place.table);
    poke(place.at, reference_.mode.pae ? 8 : 4, value);
  }

  void choose_mode() {
    PagingMode mode;
    mode.enabled = true;
    for (bool* flag :
         {&mode.write_protect, &mode.page_size, &mode.pae, &mode.global_pages, &mode.no_execute, &mode.smep})
      *flag = chance(50);
    mode.smap = chance(20);
    if (chance(50)) {
      mode.long_mode = mode.pae = true;
      mode.five_levels = chance(30);
      mode.giant_pages = chance(50);
      mode.physical_bits = static_cast<u8>(chance(50) ? 40 : 46);
    }
    reference_.mode = mode;
    reference_.cr3 = mode.pae && !mode.long_mode ? 0x8000 : 0x10000;
    for (u32 i = 0; i < 4; i++) poke(0x8000 + i * 8, 8, (0x10000 + i * 0x1000) | kP);
    for (u32 at = 0x10000; at < 0x40000; at += 8) poke(at, 8, 0);
    for (const Place& place : places()) write_place(place);
    board_.mmu.set_mode(mode);
    board_.mmu.set_code64(mode.long_mode);
    board_.mmu.flush_all();
    ASSERT_TRUE(board_.mmu.load_cr3(reference_.cr3));
  }

  void change_table() {
    const auto all = places();
    const Place& place = all[pick(static_cast<u32>(all.size()))];
    write_place(place);
    if (!reference_.mode.global_pages && chance(50)) {
      ASSERT_TRUE(board_.mmu.load_cr3(reference_.cr3));
    } else {
      board_.mmu.flush_all();
    }
  }

  void toggle_code() {
    const BackingOffset page(kFirstData + pick(24) * kPageSize);
    if (chance(50)) {
      board_.store.add_code(page, wide());
    } else {
      board_.store.keep_code(page, 0);
    }
  }

  // What the reference says of an access of size bytes; the physical address of each byte.
  bool expect(u64 at, u32 size, Access access, Privilege privilege, std::vector<u64>& bytes, PageFault& fault) {
    bytes.clear();
    for (u32 i = 0; i < size; i++) {
      const u64 linear = after(at, i);
      const auto outcome = reference_.translate(linear, access, privilege == kUser, true);
      if (!outcome.ok) {
        fault = {LinAddr(linear), outcome.code};
        return false;
      }
      bytes.push_back(outcome.physical);
    }
    return true;
  }

  void compare(bool ok, bool expected, const PageFault& fault) {
    EXPECT_EQ(ok, expected);
    (expected ? successes_ : faults_)++;
    if (expected) return;
    EXPECT_EQ(board_.mmu.fault().address, fault.address);
    EXPECT_EQ(board_.mmu.fault().error_code, fault.error_code);
  }

  template <bool kWriting, class T>
  void transfer_of(u64 at) {
    const Privilege who = privilege();
    std::vector<u64> bytes;
    PageFault fault;
    const bool expected = expect(at, sizeof(T), kWriting ? Access::Write : Access::Read, who, bytes, fault);
    u8 raw[sizeof(T)];
    for (u8& byte : raw) byte = static_cast<u8>(random_());
    T value;
    std::memcpy(&value, raw, sizeof(T));
    const bool ok = kWriting ? board_.mmu.write(LinAddr(at), value, who) : board_.mmu.read(LinAddr(at), value, who);
    compare(ok, expected, fault);
    if (!ok || !expected) return;
    std::memcpy(raw, &value, sizeof(T));
    for (u32 i = 0; i < sizeof(T); i++) {
      if (kWriting) {
        reference_.store(bytes[i], 1, raw[i]);
        EXPECT_EQ(board_.bus.read(PhysAddr(bytes[i]), 1), reference_.load(bytes[i], 1)) << std::hex << at;
      } else {
        EXPECT_EQ(raw[i], reference_.load(bytes[i], 1)) << std::hex << at;
      }
    }
  }
  struct Ten {
    u8 bytes[10];
  };
  struct Sixteen {
    u64 low, high;
  };
  template <bool kWriting>
  void transfer() {
    const u64 at = address();
    switch (pick(6)) {
      case 0: return transfer_of<kWriting, u8>(at);
      case 1: return transfer_of<kWriting, u16>(at);
      case 2: return transfer_of<kWriting, u32>(at);
      case 3: return transfer_of<kWriting, u64>(at);
      case 4: return transfer_of<kWriting, Ten>(at);
      default: return transfer_of<kWriting, Sixteen>(at);
    }
  }

  void probe() {
    const u64 at = address();
    const u32 size = 1 + pick(64);
    const Privilege who = privilege();
    std::vector<u64> bytes;
    PageFault fault;
    const bool expected = expect(at, size, Access::Write, who, bytes, fault);
    compare(board_.mmu.probe_write(LinAddr(at), size, who), expected, fault);
  }

  void fetch() {
    const u64 at = address();
    const Privilege who = privilege();
    Mmu::CodePage page;
    const u32 live = board_.mmu.tlb().live_entries();
    const auto quiet = reference_.translate(at, Access::Execute, who == kUser, false);
    EXPECT_EQ(board_.mmu.peek_code(LinAddr(at), who, page), quiet.ok);
    EXPECT_EQ(board_.mmu.tlb().live_entries(), live);
    const auto outcome = reference_.translate(at, Access::Execute, who == kUser, true);
    compare(board_.mmu.fetch_page(LinAddr(at), who, page), outcome.ok, {LinAddr(at), outcome.code});
    if (!outcome.ok) return;
    const u64 first = outcome.physical & ~u64{kPageSize - 1};
    EXPECT_EQ(page.backed, first < kRam);
    EXPECT_EQ(page.backed ? page.backing.raw : page.physical.raw, first);
  }

  MemoryBoard board_;
  Reference reference_;
  std::mt19937 random_;
  unsigned faults_ = 0, successes_ = 0;
};

class MmuRandom : public testing::TestWithParam<u32> {};

TEST_P(MmuRandom, AgreesWithTheReference) {
  const u32 seed = GetParam();
  RandomMmu(seed, seed % 3 == 0 ? 4 : seed % 3 == 1 ? 11 : kDefaultTlbCap).run(20000);
}
INSTANTIATE_TEST_SUITE_P(Seeds, MmuRandom, testing::Range(1u, 13u));

}  // namespace
}  // namespace relic86
