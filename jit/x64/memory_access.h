// The guest's memory: operands' addresses, segments' limits, the TLB, and pages that several accesses share one check
// of (memory_sharing.cpp).
#pragma once

#include "jit/x64/addresses.h"
#include "jit/x64/exits.h"
#include "jit/x64/host_units.h"
#include "jit/x64/region_exits.h"
#include "jit/x64/shared_pages.h"

namespace relic86::jit::x64 {

// A page without an entry: C++ sees to the access, or the page tables are walked here, which the guest may notice (A
// and D, and which entries are replaced): only by an access that nothing can prevent any more.
// Store: as Walk, of an access that only writes.
enum class Missing : u8 { Slow, Walk, Store };

class MemoryAccess : BlockPart {
 public:
  MemoryAccess(BlockCode& block, RegisterAllocator& registers, Addresses& addresses, SharedPages& pages,
               FlagChain& flags, HostUnits& units, Exits& exits, RegionExits& region, DeferredCode& deferred)
      : BlockPart(block),
        registers_(registers),
        addresses_(addresses),
        pages_(pages),
        flags_(flags),
        units_(units),
        exits_(exits),
        region_(region),
        deferred_(deferred) {}

  // --- Operands ---
  // kAddress := the offset of the operand that an Address or BitAddress names. The host's flags go.
  AddressForm operand_address(u16 address);
  // The segment of the operand that an access names.
  unsigned segment_of(const Node& access) const {
    const Node& address = at(access.a);
    return address.op == Op::BitAddress ? at(address.a).segment : address.segment;
  }
  void stack_address(i32 displacement);
  ExitPoint* access_exit(AddressForm form, unsigned bytes, unsigned segment);

  // --- Host addresses ---
  // Of an access whose offset is in kAddress: [kAddress + returned temporary - 1]. Jumps to slow, or to split with a
  // linear address in kAddress if 2 or 4 bytes lie over two pages, or to missed, with one too, if there is no fast
  // entry. aligned: what is no multiple of bytes is seen to elsewhere, at odd or, without it, at slow.
  Mem translate(unsigned bytes, bool write, unsigned segment, const Label& slow, u8& temporary, bool aligned = false,
                const Label* split = nullptr, Missing missing = Missing::Slow, const Label* missed = nullptr,
                const Label* odd = nullptr);
  Mem translate_aligned16(unsigned segment, const Label& slow, u8& temporary);
  // entry := the TLB's entry, as tlb_entry() and find_page() say.
  void tlb_entry(const Gp& entry, const Gp& linear, bool write, const Label& miss);
  void find_page(const Gp& entry, bool write, bool writable, const Label& slow, u64 aside = 0);
  void compare_with_page_end(const Gp& scratch, u32 bytes);
  // The segment's limit and base, for an access whose offset is in kAddress.
  bool check_limit(unsigned segment, unsigned bytes, bool write, bool words, const Gp& scratch, const Label& slow);
  void add_long_base(unsigned segment, const Gp& scratch, const Label& slow);

  // --- 64-bit code ---
  // Whether a page without an entry gets one, and by what access (as enum Missing says).
  enum class Walk : u8 { No, Read, Write };
  static constexpr Walk walk_of(bool write) { return write ? Walk::Write : Walk::Read; }
  void find_long_page(const Gp& host, bool writable, unsigned bytes, Walk walk, const Label& slow, const Label& over);
  void take_inline_slot(const Gp& slot, QuickKind kind, unsigned bytes, const Label& miss);

  // --- Shared checks ---
  // Gives the place of an access whose group is checked, or worth checking. displacement: from the stack pointer, for
  // the stack's forms.
  bool shared_place(const Node& n, bool write, AddressForm form, i32 displacement, unsigned segment, Mem& place);
  void hoist();

  i32 code_table() const;  // of the TLB, by privilege

 private:
  void add_bit_unit(const Node& n);
  void check_top(unsigned segment, unsigned bytes, const Gp& scratch, const Label& slow);
  void check_unaligned(unsigned segment, unsigned bytes, bool narrow, const Gp& scratch, const Label& slow);
  Mem translate_long(unsigned bytes, bool write, unsigned segment, const Label& slow, u8& temporary, bool aligned,
                     Walk walk, const Label& odd);
  i32 table(bool write) const;
  // A field of the inline table's slot at this offset.
  Mem inline_slot(const Gp& slot, std::size_t field) const;
  void check_offsets(unsigned segment, u32 span, bool write, const Gp& scratch, const Label& over);
  void check_alignment(const PageGroup& group, const Gp& scratch, const Label& other);
  void hoist_group(u16 group);
  SharedPage& share(const Node& n, bool write, AddressForm form, i32 displacement, unsigned segment);

  RegisterAllocator& registers_;
  Addresses& addresses_;
  SharedPages& pages_;
  FlagChain& flags_;
  HostUnits& units_;
  Exits& exits_;
  RegionExits& region_;
  DeferredCode& deferred_;
};

}  // namespace relic86::jit::x64
