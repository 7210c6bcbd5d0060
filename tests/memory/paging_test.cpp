#include "memory/paging.h"

#include <gtest/gtest.h>

#include "tests/memory/memory_board.h"

namespace relic86 {
namespace {

constexpr u32 kLinear = 0x00401234, kWideLinear = 0x00201234;  // entries 1 and 1 of 32-bit, of PAE tables

enum Mode : unsigned { kWp = 1, kPse = 2, kPge = 4, kNxe = 8, kSmep = 16, kSmap = 32, kAc = 64 };

struct Case {
  const char* name;
  unsigned mode;
  u64 directory, leaf;
  Access access;
  bool user;
  int code;  // -1: allowed
};

PagingMode mode_of(unsigned bits, bool pae) {
  PagingMode mode;
  mode.enabled = true;
  mode.pae = pae;
  mode.write_protect = (bits & kWp) != 0;
  mode.page_size = (bits & kPse) != 0;
  mode.global_pages = (bits & kPge) != 0;
  mode.no_execute = (bits & kNxe) != 0;
  mode.smep = (bits & kSmep) != 0;
  mode.smap = (bits & kSmap) != 0;
  return mode;
}

class Walker {
 public:
  explicit Walker(bool pae) : pae_(pae) {
    for (u32 i = 0; pae && i < 4; i++) tables.pdptes[i] = (MemoryBoard::kPaeDirectory + i * 0x1000) | kP;
    tables.cr3 = pae ? MemoryBoard::kPointers : MemoryBoard::kDirectory;
  }
  u32 directory_at() const { return pae_ ? MemoryBoard::kPaeDirectory + 8 : MemoryBoard::kDirectory + 4; }
  u32 leaf_at() const { return pae_ ? MemoryBoard::pae_table_entry(kWideLinear) : MemoryBoard::table_entry(kLinear); }
  u64 table() const { return pae_ ? MemoryBoard::kPaeTable : MemoryBoard::kTable; }
  unsigned width() const { return pae_ ? 8 : 4; }
  u64 directory() { return board.entry(directory_at(), width()); }
  u64 leaf() { return board.entry(leaf_at(), width()); }
  void set(u64 directory_value, u64 leaf_value) {
    board.set_entry(directory_at(), directory_value, width());
    board.set_entry(leaf_at(), leaf_value, width());
  }
  WalkResult walk(unsigned mode, Access access, bool user, bool set_bits = true) {
    const WalkRequest request{LinAddr(pae_ ? kWideLinear : kLinear), access, user, (mode & kAc) != 0};
    return walk_pages(board.bus, mode_of(mode, pae_), tables, request, set_bits);
  }

  MemoryBoard board;
  PageTables tables;

 private:
  bool pae_;
};

// Every case is walked by probe (nothing may change) and for real: A and D are set exactly if the access is allowed.
void check(bool pae, const Case& c) {
  SCOPED_TRACE(c.name);
  Walker walker(pae);
  const bool large = (c.directory & kPs) != 0 && (pae || (c.mode & kPse) != 0);
  const u64 directory = large ? c.directory : c.directory | walker.table();
  walker.set(directory, c.leaf);
  for (const bool set_bits : {false, true}) {
    const WalkResult result = walker.walk(c.mode, c.access, c.user, set_bits);
    EXPECT_EQ(result.ok, c.code < 0);
    if (c.code >= 0) {
      EXPECT_EQ(result.error_code, static_cast<u32>(c.code));
    }
    const bool marks = set_bits && c.code < 0;
    const u64 leaf_marks = !marks ? 0 : c.access == Access::Write ? kA | kD : kA;
    EXPECT_EQ(walker.directory(), directory | (large ? leaf_marks : marks ? kA : 0));
    EXPECT_EQ(walker.leaf(), large ? c.leaf : c.leaf | leaf_marks);
  }
}

constexpr u64 kAll = kP | kW | kU, kPage = 0x800000;
constexpr Access R = Access::Read, W = Access::Write, X = Access::Execute;

TEST(Paging, Walk32BitErrorCodes) {
  const Case cases[] = {
      {"directory absent, supervisor read", 0, 0, kPage | kAll, R, false, 0},
      {"directory absent, user write", 0, kW | kU, kPage | kAll, W, true, 6},
      {"leaf absent, user read", 0, kAll, kPage | kW | kU, R, true, 4},
      {"leaf absent, supervisor write", 0, kAll, kPage, W, false, 2},
      {"all allowed", kWp, kAll, kPage | kAll, W, true, -1},
      {"user reads a supervisor page", 0, kAll, kPage | kP | kW, R, true, 5},
      {"user reads under a supervisor directory", 0, kP | kW, kPage | kAll, R, true, 5},
      {"user writes a supervisor page", 0, kAll, kPage | kP | kW, W, true, 7},
      {"user writes a read-only page", 0, kAll, kPage | kP | kU, W, true, 7},
      {"user writes under a read-only directory", 0, kP | kU, kPage | kAll, W, true, 7},
      {"user reads a read-only page", kWp, kP | kU, kPage | kP | kU, R, true, -1},
      {"supervisor writes a read-only page without WP", 0, kAll, kPage | kP | kU, W, false, -1},
      {"supervisor writes under a read-only directory without WP", 0, kP, kPage | kAll, W, false, -1},
      {"supervisor writes a read-only page with WP", kWp, kAll, kPage | kP | kU, W, false, 3},
      {"supervisor writes under a read-only directory with WP", kWp, kP | kU, kPage | kAll, W, false, 3},
      {"supervisor reads a user page", kWp, kAll, kPage | kAll, R, false, -1},
      {"a fetch has no I/D bit without NX or SMEP", 0, kAll, kPage | kU, X, true, 4},
      {"NXE without PAE gives no I/D bit", kNxe, kAll, kPage | kU, X, true, 4},
      {"SMEP gives the I/D bit", kSmep, kAll, kPage | kU, X, true, 0x14},
      {"SMEP: supervisor fetch from a user page", kSmep, kAll, kPage | kAll, X, false, 0x11},
      {"SMEP: supervisor fetch, user bit in one level only", kSmep, kP | kW, kPage | kAll, X, false, -1},
      {"SMEP: user fetch", kSmep, kAll, kPage | kAll, X, true, -1},
      {"SMAP: supervisor reads a user page", kSmap, kAll, kPage | kAll, R, false, 1},
      {"SMAP: supervisor writes a user page", kSmap, kAll, kPage | kAll, W, false, 3},
      {"SMAP: EFLAGS.AC allows it", kSmap | kAc, kAll, kPage | kAll, W, false, -1},
      {"SMAP: AC does not lift WP", kSmap | kAc | kWp, kAll, kPage | kP | kU, W, false, 3},
      {"SMAP: user access", kSmap, kAll, kPage | kAll, R, true, -1},
      {"PS is ignored without PSE", 0, kAll | kPs, kPage | kAll, R, true, -1},
      {"4 MiB page", kPse | kWp, 0xC00000 | kPs | kAll, 0, W, true, -1},
      {"4 MiB page, user write to a read-only one", kPse, 0xC00000 | kPs | kP | kU, 0, W, true, 7},
      {"4 MiB page, supervisor only", kPse, 0xC00000 | kPs | kP | kW, 0, R, true, 5},
      {"4 MiB page, absent: reserved bits do not matter", kPse, 0xE00000 | kPs | kU, 0, R, true, 4},
      {"4 MiB page, bit 17 reserved", kPse, 0xC20000 | kPs | kAll, 0, R, false, 9},
      {"4 MiB page, bit 21 reserved, user write", kPse, 0xE00000 | kPs | kAll, 0, W, true, 15},
      {"reserved comes before rights", kPse, 0xE00000 | kPs | kP, 0, W, true, 15},
      {"4 MiB page, PAT bit and bits 16:13 are not reserved", kPse, 0xC1F000 | kPs | kAll, 0, R, true, -1},
  };
  for (const Case& c : cases) check(false, c);
}

TEST(Paging, WalkPaeErrorCodes) {
  const Case cases[] = {
      {"directory absent, fetch without NXE", 0, 0, kPage | kAll, X, true, 4},
      {"directory absent, fetch with NXE", kNxe, 0, kPage | kAll, X, true, 0x14},
      {"leaf absent, user write", 0, kAll, kPage, W, true, 6},
      {"all allowed", kWp | kNxe, kAll, kPage | kAll, W, true, -1},
      {"user write under a read-only directory", 0, kP | kU, kPage | kAll, W, true, 7},
      {"WP", kWp, kAll, kPage | kP, W, false, 3},
      {"NX leaf, user fetch", kNxe, kAll, kPage | kAll | kNx, X, true, 0x15},
      {"NX leaf, supervisor fetch", kNxe, kAll, kPage | kAll | kNx, X, false, 0x11},
      {"NX directory", kNxe, kAll | kNx, kPage | kAll, X, false, 0x11},
      {"NX leaf, read", kNxe, kAll, kPage | kAll | kNx, R, true, -1},
      {"NX leaf, write", kNxe, kAll | kNx, kPage | kAll, W, true, -1},
      {"bit 63 is reserved without NXE, leaf", 0, kAll, kPage | kAll | kNx, R, false, 9},
      {"bit 63 is reserved without NXE, directory", 0, kAll | kNx, kPage | kAll, W, true, 15},
      {"bit 36 is reserved, leaf", kNxe, kAll, kPage | kAll | u64{1} << 36, X, true, 0x1D},
      {"bit 62 is reserved, directory", 0, kAll | u64{1} << 62, kPage | kAll, R, false, 9},
      {"a reserved bit of the directory comes before an absent leaf", 0, kAll | u64{1} << 40, 0, R, false, 9},
      {"reserved bits of an absent leaf do not matter", 0, kAll, kNx, R, false, 0},
      {"2 MiB page", kNxe, 0xC00000 | kPs | kAll, 0, W, true, -1},
      {"2 MiB page, no execute", kNxe, 0xC00000 | kPs | kAll | kNx, 0, X, true, 0x15},
      {"2 MiB page, bit 13 is reserved", 0, 0xC02000 | kPs | kAll, 0, R, true, 13},
      {"2 MiB page, bit 20 is reserved", 0, 0xD00000 | kPs | kAll, 0, R, false, 9},
      {"2 MiB page, PAT bit is not", 0, 0xC01000 | kPs | kAll, 0, R, true, -1},
      {"SMEP", kSmep, kAll, kPage | kAll, X, false, 0x11},
      {"SMAP", kSmap, kAll, kPage | kAll, R, false, 1},
  };
  for (const Case& c : cases) check(true, c);
}

TEST(Paging, AbsentPointerFaults) {
  Walker walker(true);
  walker.tables.pdptes[0] = 0;
  const WalkResult result = walker.walk(kNxe, Access::Write, true);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.error_code, 6u);
}

TEST(Paging, AddressesAndAttributes) {
  Walker small(false);
  small.set(small.table() | kAll, 0x00ABC000 | kP | kW | kG);
  WalkResult page = small.walk(kPge, Access::Read, false);
  EXPECT_EQ(page.physical.raw, 0xABC000u);
  EXPECT_TRUE(page.global && page.writable && !page.user && !page.dirty && !page.large);
  EXPECT_FALSE(small.walk(0, Access::Read, false).global) << "G without CR4.PGE";
  small.set(0x00C00000 | 0xAu << 13 | kPs | kAll | kG, 0);  // PSE-36: bits 35:32
  page = small.walk(kPse | kPge, Access::Write, true);
  EXPECT_EQ(page.physical.raw, 0xA00C01000u);
  EXPECT_TRUE(page.large && page.global && page.dirty && page.user);

  Walker wide(true);
  wide.set(wide.table() | kAll, u64{0xF} << 32 | 0x87654000 | kP | kU | kD);
  page = wide.walk(kNxe, Access::Read, true);
  EXPECT_EQ(page.physical.raw, 0xF87654000u);
  EXPECT_TRUE(page.dirty && !page.writable && page.user && !page.no_execute);
  wide.set(u64{3} << 32 | 0x00600000 | kPs | kP | kNx, 0);
  page = wide.walk(kNxe, Access::Read, false);
  EXPECT_EQ(page.physical.raw, 0x300601000u);
  EXPECT_TRUE(page.large && page.no_execute);
}

// A directory that maps itself: one word is directory entry and leaf; both marks must survive.
TEST(Paging, RecursiveDirectoryGetsBothMarks) {
  MemoryBoard board;
  board.set_entry(MemoryBoard::kDirectory + 0xFFC, MemoryBoard::kDirectory | kP | kW);
  PageTables tables;
  tables.cr3 = MemoryBoard::kDirectory;
  const WalkResult page =
      walk_pages(board.bus, mode_of(kWp, false), tables, {LinAddr(0xFFFFFFFC), Access::Write, false, false}, true);
  EXPECT_EQ(page.physical.raw, MemoryBoard::kDirectory);
  EXPECT_EQ(board.entry(MemoryBoard::kDirectory + 0xFFC), MemoryBoard::kDirectory | kP | kW | kA | kD);
}

TEST(Paging, MarksGoThroughTheCodeWatchAndOnlyWhenNew) {
  Walker walker(false);
  walker.set(walker.table() | kAll, kPage | kAll);
  RecordingCodeWatch watch;
  walker.board.store.add_code_watch(watch);
  walker.board.store.add_code(BackingOffset(MemoryBoard::kTable), ~u64{0});
  EXPECT_TRUE(walker.walk(0, Access::Read, false, false).ok);
  EXPECT_TRUE(watch.hits.empty());
  EXPECT_TRUE(walker.walk(0, Access::Read, false).ok);
  EXPECT_TRUE(walker.walk(0, Access::Read, false).ok);
  EXPECT_EQ(watch.hits, (std::vector<RecordingCodeWatch::Hit>{{walker.leaf_at(), 4}}));
  EXPECT_TRUE(walker.walk(0, Access::Write, false).ok);
  EXPECT_EQ(watch.hits.size(), 2u);
}

TEST(Paging, TablesOutsideMemoryFaultAsReserved) {
  Walker walker(true);
  walker.tables.pdptes[0] = u64{8} << 32 | kP;  // reads all ones
  EXPECT_EQ(walker.walk(kNxe, Access::Read, false).error_code, 9u);
}

TEST(Paging, PagingOffIsIdentity) {
  Walker walker(false);
  const WalkResult page = walk_pages(walker.board.bus, PagingMode{}, walker.tables,
                                     {LinAddr(0xFFFFF123), Access::Write, true, false}, true);
  EXPECT_TRUE(page.ok && page.writable && page.user && !page.no_execute && !page.global);
  EXPECT_EQ(page.physical.raw, 0xFFFFF000u);
}

TEST(Paging, PointersAreLoadedAndChecked) {
  MemoryBoard board;
  std::array<u64, 4> pointers{1, 2, 3, 4};
  const auto kept = pointers;
  for (const unsigned bit : {1u, 2u, 5u, 6u, 7u, 8u, 36u, 63u}) {
    for (u32 i = 0; i < 4; i++) board.set_entry(0x4020 + i * 8, 0x5000 | kP, 8);
    board.set_entry(0x4038, 0x5000 | kP | u64{1} << bit, 8);
    EXPECT_FALSE(load_pdptes(board.bus, 0x4020, kPhysicalBits, pointers)) << bit;
    EXPECT_EQ(pointers, kept);
    board.set_entry(0x4038, u64{1} << bit, 8);  // absent: anything goes
    EXPECT_TRUE(load_pdptes(board.bus, 0x4020, kPhysicalBits, pointers)) << bit;
    pointers = kept;
  }
  board.set_entry(0x4020, 0xF00006E19, 8);  // PWT, PCD, ignored bits 11:9
  EXPECT_TRUE(load_pdptes(board.bus, 0x403F, kPhysicalBits, pointers)) << "bits 4:0 of CR3 are not part of the address";
  EXPECT_EQ(pointers[0], 0xF00006E19u);
}

}  // namespace
}  // namespace relic86
