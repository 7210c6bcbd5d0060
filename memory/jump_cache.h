// Where translated code looks for the target of an indirect branch first: by linear address, which the TLB and the
// lookup table (jit/runtime/lookup_table.h) need not be asked about then. What an entry says holds as long as no entry of
// code leaves the TLB and no translation dies; each of these renews the stamps, and so forgets all entries at once.
//
// A key is the address with a stamp in its upper sixteen bits, which tells modes and times apart: each stamp is of one
// mode, and given once until the table is emptied. Of flat code whose addresses have no more than 48 bits.
#pragma once

#include <cstring>

#include "base/types.h"

namespace relic86 {

struct JumpCache {
  static constexpr u32 kSlots = 1u << 12;
  static constexpr u32 kModes = 64;  // by their numbers (jit/runtime/mode_numbers.h), from 0 on
  static constexpr u32 kRegions = 1u << 12;
  static constexpr unsigned kAddressBits = 48;
  static constexpr u32 kSpread = 0x9E3779B1;  // 2^32 over the golden ratio; the upper bits of the product are the slot
  static constexpr unsigned kSlotShift = 32 - 12;

  u64 stamps[kModes];
  u64 keys[kSlots];        // 0: empty
  const u8* code[kSlots];  // entries of translations
  // Of regions over several pages (jit/region/): the key of their head's page when their pages were looked at last.
  u64 regions[kRegions];
  u32 modes;  // that have a stamp: numbers below this one
  u32 given;  // stamps, since the table was empty

  // From now on code of the mode may use the table.
  void admit(u32 mode) {
    if (mode < modes) return;
    modes = mode + 1;
    forget();
  }
  void forget() {
    constexpr u32 kLast = 0xFFFF;
    if (given + modes > kLast) {
      std::memset(keys, 0, sizeof keys);
      std::memset(regions, 0, sizeof regions);
      given = 0;
    }
    for (u32 mode = 0; mode < modes; ++mode) stamps[mode] = u64{++given} << kAddressBits;
  }
};

}  // namespace relic86
