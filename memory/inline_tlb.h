// What translated 64-bit code asks first: for each privilege a direct-mapped table of pages anywhere in linear memory,
// in front of the entries of memory/tlb.h. A slot says nothing that its page's entries do not say, so that which slots
// are filled changes nothing for the guest: whoever changes an entry forgets the slot. Inline code compares the address
// of the access's last byte, cut to its page, with the slot of the first byte's page, which finds accesses over two
// pages as well:
//
//   mov slot, address; shr slot, kSlotShift; and slot, kSlotMask
//   lea last, [address + size - 1]; and last, ~FFFh; cmp last, [slots + slot]; jne slow
//   mov addend, [slots + slot + addend]; mov eax, [address + addend]
#pragma once

#include <bit>

#include "base/types.h"

namespace relic86 {

struct InlineTlbSlot {
  static constexpr u64 kNone = 1;  // no page's address

  // Linear address of the page whose fast entry of this kind has the addend; kNone, or 0 but in the first slot: none.
  u64 read;
  u64 write;
  u64 code;
  u64 addend;  // host address less linear address

  void forget() { read = write = code = kNone; }
};

// Zero-filled memory is empty but for the slots of page 0.
struct InlineTlbTable {
  static constexpr u32 kSlots = 1u << 12;
  static constexpr unsigned kSlotShift = kPageShift - std::countr_zero(sizeof(InlineTlbSlot));
  static constexpr u32 kSlotMask = (kSlots - 1) * sizeof(InlineTlbSlot);

  InlineTlbSlot slots[2][kSlots];  // by privilege

  // page: linear address >> 12.
  InlineTlbSlot& slot(u64 page, unsigned privilege) { return slots[privilege][page & (kSlots - 1)]; }
};

}  // namespace relic86
