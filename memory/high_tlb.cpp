#include "memory/high_tlb.h"

#include <utility>

#include "base/assert.h"

namespace relic86 {

namespace {
constexpr u32 kMask = HighTlbTable::kMask;
}

// Entries between a home and the place where its entry stands leave no gap, here and in erase(): that ends the search.
HighTlbSlot* HighTlb::find_away(u64 tag) const {
  const u32 home_of_tag = home(tag);
  for (u32 at = home_of_tag; table_.slots[at].tag != 0; at = (at + 1) & kMask) {
    if (table_.slots[at].tag != tag) continue;
    // The one that gives way was at or after its own home, and now stands further on, still without a gap.
    std::swap(table_.slots[at], table_.slots[home_of_tag]);
    return &table_.slots[home_of_tag];
  }
  return nullptr;
}

HighTlbSlot& HighTlb::insert(u64 tag) {
  u32 at = home(tag);
  for (; table_.slots[at].tag != 0; at = (at + 1) & kMask) RELIC86_ASSERT(table_.slots[at].tag != tag);
  table_.slots[at] = {tag, 0, 0, 0};
  return table_.slots[at];
}

void HighTlb::erase(u64 tag) {
  HighTlbSlot* const found = find(tag);
  if (found == nullptr) return;
  u32 gap = static_cast<u32>(found - table_.slots);
  for (u32 at = (gap + 1) & kMask; table_.slots[at].tag != 0; at = (at + 1) & kMask) {
    const u32 from_home = (at - home(table_.slots[at].tag)) & kMask, from_gap = (at - gap) & kMask;
    if (from_home < from_gap) continue;  // its home lies after the gap
    table_.slots[gap] = table_.slots[at];
    gap = at;
  }
  table_.slots[gap] = {};
}

}  // namespace relic86
