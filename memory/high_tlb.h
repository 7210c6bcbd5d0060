// The soft TLB's entries of linear pages above 4 GiB, which a flat table cannot hold: a table with tags. An entry has a
// slot of its own, its home, as a rule; one whose home is taken stands in the next free slot after it, so that whether
// a page has an entry never depends on which others have one. Inline code compares the tag of the home alone, and asks
// find_away() when it differs, which brings the entry home.
#pragma once

#include "base/types.h"

namespace relic86 {

struct HighTlbSlot {
  u64 tag;  // 0: free; else HighTlb::tag()
  u64 read;
  u64 write;
  u64 code;
};

// Zero-filled memory is an empty table.
struct HighTlbTable {
  static constexpr u32 kSlots = 1u << 14;  // at most a quarter is used: TlbRing::kSize
  static constexpr u32 kMask = kSlots - 1;
  HighTlbSlot slots[kSlots];
  u64 pages[kSlots / 4];  // beside TlbRing::places: the tags of those that are pages above 4 GiB
  u8 large[256];          // by HighTlb::large_index(): 1 if there may be entries made from a large page
};

class HighTlb {
 public:
  explicit HighTlb(HighTlbTable& table) : table_(table) {}

  // page: linear address >> 12, not 0. privilege: 0 or 1.
  static constexpr u64 tag(u64 page, unsigned privilege) { return page << 1 | privilege; }
  static constexpr u64 page_of_tag(u64 tag) { return tag >> 1; }
  static constexpr u32 home(u64 tag) { return static_cast<u32>(tag ^ tag >> 15 ^ tag >> 23) & HighTlbTable::kMask; }
  // Pages of one GiB share an index, and some other GiB have it too.
  static constexpr u32 large_index(u64 page) { return static_cast<u32>(page >> 18 ^ page >> 26) & 0xFF; }

  HighTlbSlot* find(u64 tag) const {
    HighTlbSlot& slot = table_.slots[home(tag)];
    return slot.tag == tag ? &slot : find_away(tag);
  }
  // Of an entry that does not stand at home: changes places with the one that does. Null: there is none. Pointers to
  // slots hold until the next call of a function of this class.
  [[gnu::cold]] HighTlbSlot* find_away(u64 tag) const;
  HighTlbSlot& insert(u64 tag);  // all entries 0; asserts that there is none yet
  void erase(u64 tag);

 private:
  HighTlbTable& table_;
};

}  // namespace relic86
