// Where translated code finds the target of an indirect branch: a direct-mapped table for one mode, keyed by the host
// address of the guest's code, so that it holds under any page mapping.
#pragma once

#include <algorithm>
#include <vector>

#include "base/types.h"

namespace relic86::jit {

class LookupTable {
 public:
  static constexpr u32 kSlots = 1u << 13;
  struct Slot {
    u64 key = 0;  // host address + 1, as the TLB's addition gives it
    const u8* entry = nullptr;
  };

  LookupTable() : slots_(kSlots) {}
  const Slot* data() const { return slots_.data(); }
  // key as in Slot; null: not here.
  const u8* find(u64 key) const {
    const Slot& slot = slots_[key & (kSlots - 1)];
    return slot.key == key ? slot.entry : nullptr;
  }
  void insert(u64 host_address, const u8* entry) { slots_[index(host_address)] = {host_address + 1, entry}; }
  void remove(u64 host_address) {
    Slot& slot = slots_[index(host_address)];
    if (slot.key == host_address + 1) slot = {};
  }
  void clear() { std::fill(slots_.begin(), slots_.end(), Slot{}); }

 private:
  static u64 index(u64 host_address) { return (host_address + 1) & (kSlots - 1); }
  std::vector<Slot> slots_;
};
static_assert(sizeof(LookupTable::Slot) == 16);

}  // namespace relic86::jit
