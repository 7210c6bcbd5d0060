// Where translated code finds the target of an indirect branch: one table for all modes, two slots for every key. The
// key is the host address of the guest's code, so that it holds under any page mapping, with the mode's number in its
// upper bits. The table stands in VcpuMemory: translated code reaches it from its base register.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/types.h"
#include "cpu/state.h"

namespace relic86::jit {

class LookupTable {
 public:
  struct Slot {
    u64 key = 0;  // host address + 1, as the TLB's addition gives it, + tag of the mode; 0: empty
    const u8* entry = nullptr;
  };
  static constexpr u32 kSlots = VcpuMemory::kLookupBytes / sizeof(Slot);

  explicit LookupTable(VcpuMemory& memory) : slots_(reinterpret_cast<Slot*>(memory.lookup)) {}

  // What a mode adds to keys. Without a TLB entry the addition gives the linear address alone, of 32 bits: never the
  // host address of code. The middle bits make the same code of two modes choose different slots.
  static constexpr u32 mode_of_tag(u64 tag) { return static_cast<u32>(tag >> 48); }
  static constexpr u64 tag_of(u32 mode) { return u64{mode} << 48 | u64{mode * kSpread & (kSlots - 1)} << kPageShift; }

  // key as in Slot; null: not here.
  const u8* find(u64 key) const {
    const std::size_t at = index_of_key(key);
    if (slots_[at].key == key) return slots_[at].entry;
    return slots_[at ^ 1].key == key ? slots_[at ^ 1].entry : nullptr;
  }
  // The older of two that want one slot moves next door.
  void insert(u64 key, const u8* entry) {
    const std::size_t at = index_of_key(key);
    if (slots_[at].key != key && slots_[at].key != 0) slots_[at ^ 1] = slots_[at];
    slots_[at] = {key, entry};
  }
  void remove(u64 key) {
    const std::size_t at = index_of_key(key);
    for (const std::size_t each : {at, at ^ 1}) {
      if (slots_[each].key == key) slots_[each] = {};
    }
  }
  void clear() { std::fill(slots_, slots_ + kSlots, Slot{}); }

 private:
  static constexpr u32 kSpread = 0x9E5;
  // Entry points prefer some places of their pages: the page takes part.
  static std::size_t index_of_key(u64 key) { return (key ^ key >> kPageShift) & (kSlots - 1); }
  Slot* slots_;
};
static_assert(sizeof(LookupTable::Slot) == 16);

}  // namespace relic86::jit
