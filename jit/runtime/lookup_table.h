// Where translated code finds the target of an indirect branch: a table for one mode, two slots for every key, keyed by
// the host address of the guest's code, so that it holds under any page mapping.
#pragma once

#include <algorithm>
#include <vector>

#include "base/types.h"

namespace relic86::jit {

class LookupTable {
 public:
  static constexpr u32 kSlots = 1u << 14;
  // Of an empty slot. Without a TLB entry the addition gives the linear address alone: any number of 32 bits, 0 too.
  static constexpr u64 kNoKey = ~u64{0};
  struct Slot {
    u64 key = kNoKey;  // host address + 1, as the TLB's addition gives it
    const u8* entry = nullptr;
  };
  // Translated code finds a slot's neighbour by the address.
  struct alignas(2 * sizeof(Slot)) Pair {
    Slot slots[2];
  };

  LookupTable() : pairs_(kSlots / 2) {}
  const Slot* data() const { return pairs_[0].slots; }
  // key as in Slot; null: not here.
  const u8* find(u64 key) const {
    const std::size_t at = index_of_key(key);
    if (slot(at).key == key) return slot(at).entry;
    return slot(at ^ 1).key == key ? slot(at ^ 1).entry : nullptr;
  }
  // The older of two that want one slot moves next door.
  void insert(u64 host_address, const u8* entry) {
    const std::size_t at = index_of_key(host_address + 1);
    if (slot(at).key != host_address + 1 && slot(at).key != kNoKey) slot(at ^ 1) = slot(at);
    slot(at) = {host_address + 1, entry};
  }
  void remove(u64 host_address) {
    const std::size_t at = index_of_key(host_address + 1);
    for (const std::size_t each : {at, at ^ 1}) {
      if (slot(each).key == host_address + 1) slot(each) = {};
    }
  }
  void clear() { std::fill(pairs_.begin(), pairs_.end(), Pair{}); }

 private:
  // Entry points prefer some places of their pages: the page takes part.
  static std::size_t index_of_key(u64 key) { return (key ^ key >> kPageShift) & (kSlots - 1); }
  Slot& slot(std::size_t at) { return pairs_[at / 2].slots[at % 2]; }
  const Slot& slot(std::size_t at) const { return pairs_[at / 2].slots[at % 2]; }
  std::vector<Pair> pairs_;
};
static_assert(sizeof(LookupTable::Slot) == 16);

}  // namespace relic86::jit
