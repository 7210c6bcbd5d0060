// What translated 64-bit code asks first: for each privilege a direct-mapped table of pages anywhere in linear memory,
// in front of the entries of memory/tlb.h. A slot says nothing that its page's entries do not say, so that which slots
// are filled changes nothing for the guest: whoever changes an entry forgets the slot. The difference between an
// address and the slot's page, bit by bit, is the offset in the page if it is that page, so that one comparison finds
// accesses to other pages and those that lie over two:
//
//   mov slot, address; shr slot, kSlotShift; and slot, kSlotMask
//   xor address, [slots + slot]; cmp address, 4096 - size; ja slow
//   mov host, [slots + slot + host]; mov eax, [host + address]
#pragma once

#include <bit>

#include "base/types.h"

namespace relic86 {

struct InlineTlbSlot {
  // Linear address of the page that has a fast entry of this kind; no_page() of a page of the slot, or 0 but in the
  // first slot: none.
  u64 read;
  u64 write;
  u64 code;
  u64 host;  // host address of the page

  // What no address that belongs to the slot of the page at this linear address differs from in its offset alone.
  static constexpr u64 no_page(u64 page) { return page ^ kPageSize; }
  void forget(u64 page) { read = write = code = no_page(page); }
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
