#include "jit/x64/memory_access.h"

#include <bit>

#include "jit/runtime/engine_area.h"
#include "jit/x64/canonical_check.h"
#include "jit/x64/quick_thunks.h"

namespace relic86::jit::x64 {

namespace {

constexpr i32 kTlb = static_cast<i32>(offsetof(VcpuMemory, tlb));

i32 tlb_table(bool write, bool user) {
  const i32 table = static_cast<i32>(sizeof(u64) * kLinearPages);
  return kTlb + (write ? 2 * table : 0) + (user ? table : 0);
}

}  // namespace

i32 MemoryAccess::table(bool write) const { return tlb_table(write, mode_.user); }

i32 MemoryAccess::code_table() const {
  return kTlb + static_cast<i32>(offsetof(TlbTables, code) + (mode_.user ? sizeof(u64) * kLinearPages : 0));
}

x86::Mem MemoryAccess::inline_slot(const Gp& slot, std::size_t field) const {
  return quick_slot(slot, mode_.user, field);
}

// kAddress := the offset of the operand that an Address or BitAddress names. The host's flags go.
AddressForm MemoryAccess::operand_address(u16 address) {
  addresses_.load(kAddress, address);
  const Node& n = at(address);
  if (n.op == Op::Address) return AddressForm::Operand;
  add_bit_unit(n);
  return AddressForm::BitString;
}

// kAddress: the bit string's offset, which becomes that of the unit that holds the bit.
void MemoryAccess::add_bit_unit(const Node& n) {
  const u8 host = registers_.take();
  const Gp unit = sized(host, mode_.pointer_bytes());
  flags_.host_lost();
  const Gp index = registers_.in_register(n.b, n.size);
  if (index.size() == unit.size()) {
    a_.mov(unit, index);
  } else {
    a_.emit(n.size == 4 ? x86::Inst::kIdMovsxd : x86::Inst::kIdMovsx, unit, index);
  }
  a_.sar(unit, std::countr_zero(8u * n.size));
  a_.lea(sized(kAddress.id(), whole(at(n.a).address_size)),
         x86::ptr(kAddress, unit.r64(), static_cast<u32>(std::countr_zero(u32{n.size}))));
  if (addresses_.narrow()) {
    a_.movzx(kAddress.r32(), kAddress.r16());
  } else {
    addresses_.set_offset(Offset::Full);
  }
  registers_.give(host);
}

// kAddress := ESP + displacement under the stack size.
void MemoryAccess::stack_address(i32 displacement) {
  if (mode_.code64) {
    addresses_.set_offset(Offset::Full);
    a_.lea(kAddress, x86::ptr(registers_.guest(kEsp, 8), displacement));
    return;
  }
  addresses_.set_stack();
  if (addresses_.narrow() && displacement == 0) {
    a_.movzx(kAddress.r32(), registers_.guest(kEsp, 2));
    return;
  }
  if (displacement == 0) {
    a_.mov(kAddress.r32(), registers_.guest(kEsp, 4));
  } else {
    a_.lea(kAddress.r32(), x86::ptr(registers_.guest(kEsp, 8), displacement));
  }
  if (!mode_.stack32) a_.movzx(kAddress.r32(), kAddress.r16());
}

ExitPoint* MemoryAccess::access_exit(AddressForm form, unsigned bytes, unsigned segment) {
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  exit->address = form;
  exit->size = static_cast<u8>(bytes);
  exit->segment = static_cast<u8>(segment);
  return exit;
}

x86::Mem MemoryAccess::translate(unsigned bytes, bool write, unsigned segment, const Label& slow, u8& temporary,
                                 bool aligned, const Label* split, Missing missing, const Label* missed,
                                 const Label* odd) {
  if (mode_.code64) {
    const Walk walk = missing == Missing::Slow ? Walk::No : walk_of(write);
    return translate_long(bytes, write, segment, slow, temporary, aligned, walk, odd != nullptr ? *odd : slow);
  }
  temporary = registers_.take();
  const Gp entry = sized(temporary, 8);
  const Gp address32 = kAddress.r32();
  flags_.host_lost();
  const bool words = bytes <= 4 && !aligned;
  if (addresses_.narrow() && bytes == 10) {
    // An 80-bit number is two accesses: the second one's offset wraps, whatever the limit.
    a_.cmp(address32, 0x10000 - bytes);
    a_.ja(slow);
  }
  const bool later = check_limit(segment, bytes, write, words, entry, slow);
  const u32 multiple = aligned ? bytes : mode_.aligned ? Mode::alignment_of(bytes) : 1;
  if (multiple > 1) {
    a_.test(kAddress.r8(), static_cast<i32>(multiple - 1));
    a_.jnz(odd != nullptr ? *odd : slow);
  }
  if ((bytes & (bytes - 1)) != 0) {
    compare_with_page_end(entry, bytes);
    a_.ja(slow);
  } else if (bytes > multiple) {
    // Only an unaligned access can cross a page.
    const Label unaligned = a_.newLabel(), within = a_.newLabel();
    a_.test(kAddress.r8(), static_cast<i32>(bytes - 1));
    a_.jnz(unaligned);
    a_.bind(within);
    deferred_.add([=, this, narrow = addresses_.narrow(), over = split != nullptr && bytes <= 4 ? *split : slow] {
      a_.bind(unaligned);
      if (later) check_unaligned(segment, bytes, narrow, entry, slow);
      compare_with_page_end(entry, bytes);
      a_.jbe(within);
      a_.jmp(over);
    });
  }
  if (missing != Missing::Slow) {
    const unsigned user = mode_.user ? 1 : 0;
    find_page(entry, write, write, missed != nullptr ? *missed : slow,
              missing == Missing::Store ? thunks_.page_store[user] : thunks_.page[write ? 1 : 0][user]);
  } else {
    tlb_entry(entry, kAddress, write, slow);
  }
  return x86::Mem(kAddress, entry, 0, -static_cast<i32>(kTlbFast), bytes);
}

x86::Mem MemoryAccess::translate_long(unsigned bytes, bool write, unsigned segment, const Label& slow, u8& temporary,
                                      bool aligned, Walk walk, const Label& odd) {
  temporary = registers_.take();
  const Gp host = sized(temporary, 8);
  flags_.host_lost();
  add_long_base(segment, host, slow);
  if (const u32 multiple = aligned ? bytes : mode_.aligned ? Mode::alignment_of(bytes) : 1; multiple > 1) {
    a_.test(kAddress.r8(), static_cast<i32>(multiple - 1));
    a_.jnz(odd);
  }
  find_long_page(host, write, bytes, walk, slow, slow);
  return x86::Mem(kAddress, host, 0, 0, bytes);
}

// Sixteen bytes at an offset in kAddress that are to be aligned, before anything else is asked of them: where they are
// not, the interpreter raises the exception.
x86::Mem MemoryAccess::translate_aligned16(unsigned segment, const Label& slow, u8& temporary) {
  constexpr unsigned kBytes = 16;
  temporary = registers_.take();
  const Gp host = sized(temporary, 8);
  ExitPoint* const exit = exits_.add(ExitKind::Before, undone_before());
  const Label unaligned = a_.newLabel();
  flags_.host_lost();
  add_long_base(segment, host, slow);
  a_.test(kAddress.r8(), static_cast<i32>(kBytes - 1));
  a_.jnz(unaligned);
  find_long_page(host, true, kBytes, Walk::Write, slow, slow);
  deferred_.add([=, this] {
    a_.bind(unaligned);
    exits_.leave(exit);
  });
  return x86::Mem(kAddress, host, 0, 0, kBytes);
}

// The segment's limit for an access whose offset is in kAddress, which becomes the linear address. True: it still has
// to be looked at if the address is no multiple of the access's size (words: up to 4).
bool MemoryAccess::check_limit(unsigned segment, unsigned bytes, bool write, bool words, const Gp& scratch,
                               const Label& slow) {
  if (mode_.flat(segment)) return false;  // nothing to add, nothing to check
  if (!(write ? mode_.writes(segment) : mode_.reads(segment))) {
    a_.jmp(slow);
    return false;
  }
  const Mem end = segment_field(segment, offsetof(Segment, end), 8);
  bool later = words && mode_.roomy(segment, addresses_.narrow());
  if (mode_.expands_down(segment)) {
    a_.cmp(kAddress, end);
    a_.jb(slow);
    const bool below_top = addresses_.narrow() || mode_.top_is_4g(segment);
    later = words && below_top;
    if (!later) check_top(segment, bytes, scratch, slow);
  } else if (!later && bytes == 1) {
    a_.cmp(kAddress, end);
    a_.jae(slow);
  } else if (!later) {
    a_.lea(scratch, x86::ptr(kAddress, static_cast<i32>(bytes)));
    a_.cmp(scratch, end);
    a_.ja(slow);
  }
  a_.add(kAddress.r32(), segment_field(segment, offsetof(Segment, base), 4));
  return later;
}

// So many bytes from the offset in kAddress on, in a segment that expands down: below its top. Uses scratch.
void MemoryAccess::check_top(unsigned segment, unsigned bytes, const Gp& scratch, const Label& slow) {
  if (mode_.top_is_4g(segment)) {
    if (addresses_.narrow()) return;
    a_.mov(scratch.r32(), kAddress.r32());
    a_.add(scratch.r32(), bytes - 1);
    a_.jc(slow);
    return;
  }
  a_.lea(scratch, x86::ptr(kAddress, static_cast<i32>(bytes)));
  a_.cmp(scratch, 0x10000);
  a_.ja(slow);
}

// What check_limit() left for an unaligned access; kAddress is linear. In big real mode the limit lies beyond FFFFh,
// and what the probe allows must pass here.
void MemoryAccess::check_unaligned(unsigned segment, unsigned bytes, bool narrow, const Gp& scratch,
                                   const Label& slow) {
  a_.mov(scratch.r32(), kAddress.r32());
  a_.sub(scratch.r32(), segment_field(segment, offsetof(Segment, base), 4));
  if (!mode_.expands_down(segment)) {
    a_.add(scratch, bytes);
    a_.cmp(scratch, segment_field(segment, offsetof(Segment, end), 8));
    a_.ja(slow);
  } else if (!mode_.top_is_4g(segment)) {
    a_.add(scratch, bytes);
    a_.cmp(scratch, 0x10000);
    a_.ja(slow);
  } else if (!narrow) {
    a_.add(scratch.r32(), bytes - 1);
    a_.jc(slow);
  }
}

// Above: so many bytes from kAddress on lie over two pages.
void MemoryAccess::compare_with_page_end(const Gp& scratch, u32 bytes) {
  a_.mov(scratch.r32(), kAddress.r32());
  a_.and_(scratch.r32(), kPageSize - 1);
  a_.cmp(scratch.r32(), kPageSize - bytes);
}

// entry := the TLB's entry of a linear address. Jumps to miss where the page may not be accessed directly.
void MemoryAccess::tlb_entry(const Gp& entry, const Gp& linear, bool write, const Label& miss) {
  a_.mov(entry.r32(), linear.r32());
  a_.shr(entry.r32(), kPageShift);
  a_.mov(entry, Mem(kState, entry, 3, table(write), 8));
  a_.test(entry.r8(), static_cast<i32>(kTlbFast));
  a_.jz(miss);
}

// entry := the TLB's entry, of the write table or the read table, for an access at the linear address in kAddress.
// Walks the page tables if there is none. Jumps to slow where C++ has to see to the access. page: the thunk that an
// access of up to 16 bytes may ask about a page without a fast entry; 0: none.
void MemoryAccess::find_page(const Gp& entry, bool write, bool writable, const Label& slow, u64 page) {
  if (!options_.fill) return tlb_entry(entry, kAddress, writable, slow);
  const bool asks = page != 0 && options_.aside;
  const Label look = a_.newLabel(), miss = a_.newLabel(), found = a_.newLabel();
  a_.bind(look);
  tlb_entry(entry, kAddress, writable, miss);
  a_.bind(found);
  deferred_.add([=, this] {
    a_.bind(miss);
    if (asks) {
      a_.call(page);
      a_.jnz(slow);
      a_.mov(entry, area(offsetof(EngineArea, aside), 8));
      a_.jmp(found);
    } else {
      a_.test(entry.r8(), static_cast<i32>(kTlbPresent));
      a_.jnz(slow);
      a_.call(thunks_.fill[write ? 1 : 0][mode_.user ? 1 : 0]);
      a_.jz(look);
      a_.jmp(slow);
    }
  });
}

// For so many bytes from the linear address in kAddress on: slot := the host address of their page, kAddress := the
// offset there. Jumps to miss if they do not lie in one page that the slot is of; the slot and the difference are there
// then.
void MemoryAccess::take_inline_slot(const Gp& slot, QuickKind kind, unsigned bytes, const Label& miss) {
  a_.mov(slot, kAddress);
  a_.shr(slot, InlineTlbTable::kSlotShift);
  a_.and_(slot.r32(), InlineTlbTable::kSlotMask);
  a_.xor_(kAddress, inline_slot(slot, kQuickFields[kind]));
  a_.cmp(kAddress, kPageSize - bytes);
  a_.ja(miss);
  a_.mov(slot, inline_slot(slot, offsetof(InlineTlbSlot, host)));
}

// The same, by way of the entries where the slot is another page's, which an access that walks makes if need be. Jumps
// to over if the access lies over two pages.
void MemoryAccess::find_long_page(const Gp& host, bool writable, unsigned bytes, Walk walk, const Label& slow,
                                  const Label& over) {
  const QuickKind kind = writable ? kQuickWrite : kQuickRead;
  const Label look = a_.newLabel(), miss = a_.newLabel();
  a_.bind(look);
  take_inline_slot(host, kind, bytes, miss);
  deferred_.add([=, this] {
    a_.bind(miss);
    a_.xor_(kAddress, inline_slot(host, kQuickFields[kind]));
    if (bytes > 1) {
      compare_with_page_end(host, bytes);
      a_.ja(over);
    }
    if (options_.quick) {
      const unsigned user = mode_.user ? 1 : 0;
      const bool walks = walk != Walk::No && options_.fill;
      a_.call(walks ? thunks_.walk[walk == Walk::Write ? 1 : 0][kind][user] : thunks_.quick[kind][user]);
      a_.jz(look);
    }
    a_.jmp(slow);
  });
}

// kAddress: an offset in the segment, which becomes the linear address. A linear address that is not canonical has no
// page; of FS and GS the offset is to be canonical as well.
void MemoryAccess::add_long_base(unsigned segment, const Gp& scratch, const Label& slow) {
  if (mode_.flat(segment)) return;
  if (addresses_.offset() != Offset::Constant) {
    a_.mov(scratch, kAddress);
    check_canonical(a_, mode_.linear_bits(), scratch, slow);
  }
  a_.add(kAddress, segment_field(segment, offsetof(Segment, base), 8));
}

}  // namespace relic86::jit::x64
