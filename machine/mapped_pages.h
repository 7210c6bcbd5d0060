// What the page tables in memory map, whatever the TLB holds (SDM 3A 4.3 to 4.5).
#pragma once

#include <functional>

#include "cpu/state.h"
#include "memory/physical_bus.h"

namespace relic86 {

// Bits of a page table's entry.
enum PageBits : u64 {
  kPagePresent = 1u << 0,
  kPageWritable = 1u << 1,
  kPageUser = 1u << 2,
  kPageWriteThrough = 1u << 3,
  kPageCacheDisable = 1u << 4,
  kPageAccessed = 1u << 5,
  kPageDirty = 1u << 6,
  kPageLarge = 1u << 7,
  kPageGlobal = 1u << 8,
  kPageNoExecute = u64{1} << 63,
};
inline constexpr u64 kPageRights = kPagePresent | kPageWritable | kPageUser;

struct Mapping {
  u64 linear = 0;
  u64 size = 0;      // bytes
  u64 physical = 0;  // of the first byte
  u64 entry = 0;     // the last level's
  u64 rights = 0;    // of all levels together: kPageRights
};

bool paging(const CpuState& state);
// Every page that a processor in this state has mapped, by rising linear addresses; none while paging is off.
void for_each_mapping(PhysicalBus& bus, const CpuState& state, const std::function<void(const Mapping&)>& visit);

}  // namespace relic86
