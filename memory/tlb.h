// The soft TLB: one u64 entry per linear 4 KiB page of the first 4 GiB, three tables (read, write, code) for each
// privilege. The interpreter and translated code look entries up inline: entry = table[linear >> 12]. Entries of pages
// above, which only long mode has, are of the same kinds and stand in a table with tags (memory/high_tlb.h).
//
//   bit 0 (kTlbFast)     the bytes are at host address linear + entry - 1:
//                          test entry, 1; jz slow; mov eax, [linear + entry - 1]
//   bit 1 (kTlbPresent)  without bit 0: mapped, but the access takes the slow path:
//   bit 2 (kTlbMmio)       bits 63:12 are the physical page; go through the bus (registers, unmapped memory, writes to
//                          ROM)
//   bit 3 (kTlbWatched)    entry & ~FFFh is the addend; store, then BackingStore::note_write
//   bit 4 (kTlbDebug)      a debugger or the guest's data breakpoints watch bytes of the page: bits 63:12 are the page
//                          in the backing store. Data
//   bit 5 (kTlbIgnored)    with kTlbMmio, of writes: nobody takes them
//   only 0                    not looked up since the last flush: walk the page tables.
//
// A code entry is made by fetching: what the read entry says, of a page that may be executed.
// Which pages have entries depends only on which were touched since the last flush, and in which order, for every
// engine alike: an entry is replaced when as many pages have come after it as the cap says. A page that comes again
// after INVLPG may go at the end of its first time already.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "base/types.h"
#include "memory/backing_store.h"
#include "memory/high_tlb.h"
#include "memory/inline_tlb.h"
#include "memory/jump_cache.h"
#include "memory/physical_bus.h"

namespace relic86 {

enum class Privilege : u8 { Supervisor, User };

inline constexpr u64 kTlbFast = 1, kTlbPresent = 2, kTlbMmio = 4, kTlbWatched = 8, kTlbDebug = 16, kTlbIgnored = 32;
inline constexpr u32 kLinearPages = 1u << 20;
inline constexpr u32 kDefaultTlbCap = 4096;

// The pages in the order in which they came, each in the place of its number modulo the ring's size.
struct TlbRing {
  static constexpr u32 kSize = kDefaultTlbCap;
  static constexpr u32 kMask = kSize - 1;
  static_assert((kSize & kMask) == 0);
  // A place: 0, or kListed, the page (linear address >> 12), kUser for a user's entry, kGlobal. Of a page above 4 GiB:
  // kListed, kHigh, kGlobal, kLarge and kGiant as TlbFill has them; which page it is stands in HighTlbTable::pages.
  static constexpr u32 kUser = kLinearPages, kGlobal = 1u << 22, kListed = 1u << 31;
  static constexpr u32 kHigh = 1u << 23, kLarge = 1u << 24, kGiant = 1u << 25;
  static constexpr u32 kIndex = kUser | (kLinearPages - 1);  // of both tables of a kind, one after the other

  u64 fills;  // the number of the page that comes next
  u32 cap;    // a page goes after so many others: 4 to kSize
  u32 live;   // pages that have an entry
  u32 places[kSize];
};

// How translated code walks the page tables of 32-bit, 4-level and 5-level paging without C++, where they and the page
// are RAM, and stores to watched pages.
struct TlbWalk {
  u64 directory[2];    // by Privilege: host address of the topmost table, and marks (long_walk.h); 0: C++ walks
  u32 granted[2];      // the W bit where writing needs no right
  u32 global;          // the G bit if it is honoured
  u32 large_reserved;  // bits of a directory entry with PS set that need C++
  u64 memory;          // host address of the backing store's first byte
  const u8* watch;     // BackingStore::watch_bits
  const u64* code;     // BackingStore::code_bits
  const u64* addends;  // PhysicalBus::addends
  u32 watchpoints;     // 1: a debugger has some, and is told of what it watches by C++ alone
  u32 user_access;     // 1: EFLAGS.AC is set, so that SMAP keeps the supervisor's accesses from no page
  u32 opened;          // supervisor's entries of user pages that were made so
};

// 48 MiB of address space: supervisor and user reads, writes, code; translated code knows the order.
// Zero-filled memory is an empty TLB, and the host commits only what is used.
struct TlbTables {
  u64 read[2][kLinearPages];  // by Privilege
  u64 write[2][kLinearPages];
  u64 code[2][kLinearPages];
  u8 large[kLinearPages >> 10];  // by 4 MiB: 1 if there may be entries made from a large page
  TlbRing ring;
  TlbWalk walk;
  u8 giant[kLinearPages >> 18];  // by GiB: 1 if there may be entries made from a 1 GiB page
  HighTlbTable high;
  InlineTlbTable quick;
  JumpCache jumps;
};
static_assert(HighTlbTable::kSlots >= 4 * TlbRing::kSize &&
              sizeof(HighTlbTable::pages) == TlbRing::kSize * sizeof(u64));

// What a page walk found, as the TLB needs it.
struct TlbFill {
  LinAddr page{};
  PhysAddr physical{};  // of the page's first byte
  Privilege privilege = Privilege::Supervisor;
  bool writable = false;  // a write was walked, or D is set and writing is allowed: fill the write entry too
  bool fetched = false;   // and may be executed: fill the code entry too
  bool global = false;
  bool large = false;  // made from a 2 MiB, 4 MiB or 1 GiB page
  bool giant = false;  // made from a 1 GiB page; large is set as well
};

class Tlb {
 public:
  // tables: zero-filled, outlives the Tlb. cap: number of live entries, a property of the machine: no entry outlives
  // that many fills (Windows 9x relies on stale entries going away). At least 4: the two pages of an access and the two
  // of the instruction that makes it. At most TlbRing::kSize.
  Tlb(TlbTables& tables, PhysicalBus& bus, u32 cap = kDefaultTlbCap);
  Tlb(const Tlb&) = delete;
  Tlb& operator=(const Tlb&) = delete;

  u64 read_entry(LinAddr address, Privilege privilege) const {
    if (is_high(address)) [[unlikely]]
      return high_entry<&HighTlbSlot::read>(address, privilege);
    return tables_.read[index(privilege)][low_page(address)];
  }
  u64 write_entry(LinAddr address, Privilege privilege) const {
    if (is_high(address)) [[unlikely]]
      return high_entry<&HighTlbSlot::write>(address, privilege);
    return tables_.write[index(privilege)][low_page(address)];
  }
  u64 code_entry(LinAddr address, Privilege privilege) const {
    if (is_high(address)) [[unlikely]]
      return high_entry<&HighTlbSlot::code>(address, privilege);
    return tables_.code[index(privilege)][low_page(address)];
  }

  // Whether linear addresses have 64 bits (long mode), else they wrap at 4 GiB. To be changed while nothing is in the
  // TLB.
  void set_wide(bool wide) { wide_ = wide; }
  bool wide() const { return wide_; }

  void fill(const TlbFill& fill);
  void set_cap(u32 cap);  // and flushes
  void flush_all();
  void flush_non_global();
  void flush_page(LinAddr address);                 // every entry made from the page that maps address, of any size
  void drop(LinAddr address, Privilege privilege);  // the 4 KiB page's entries of one privilege alone

  // The inline table says what the page's entries say, if the wanted one is a fast one; else nothing happens.
  void bring_inline(LinAddr address, Privilege privilege, u64 HighTlbSlot::*kind);

  // Fast write entries into these bytes become watched ones.
  void watch(BackingOffset first, u64 size);
  // A store found its watched page no longer watched: back to fast.
  void unwatch(LinAddr address, Privilege privilege);

  // Backed pages (linear address >> 12) whose accesses all take the slow path. Entries change their kind in place:
  // none comes or goes.
  void set_debug_pages(std::vector<u64> pages);
  bool has_debug_pages() const { return !debug_pages_.empty(); }

  // Where CS:EIP is: offset and base. The page of the instruction being executed, and the one after it, are not
  // replaced, so that no engine has to look up in the middle of a block whether its code still has an entry.
  void execute_at(const u64* offset, const u64* base) {
    code_offset_ = offset;
    code_base_ = base;
  }

  u32 live_entries() const { return ring_.live; }
  u64 fills() const { return ring_.fills; }  // pages that have come so far
  // Host addresses of the pages whose entries were replaced since forget_replaced(); count may be more than are kept.
  struct Replaced {
    std::array<u64, 4> pages{};
    u32 count = 0;
  };
  // Host addresses of the pages that an access which fills entries may replace, and perhaps some more; 0: none.
  struct InTurn {
    std::array<u64, 6> pages{};  // two pages of the access, up to four of running code that are passed over
    bool code = false;           // one of them has a code entry
  };
  InTurn in_turn() const;
  const Replaced& replaced() const { return replaced_; }
  void forget_replaced() { replaced_.count = 0; }
  // Grows whenever entries of code may have been dropped: who keeps what an entry said (the page being executed) asks
  // again.
  u64 flushes() const { return flushes_; }

 private:
  // The three entries of a page; null if it is one above 4 GiB that has none.
  struct Entries {
    u64* read;
    u64* write;
    u64* code;
    explicit operator bool() const { return read != nullptr; }
  };
  // What stands in a place of the ring.
  struct Listed {
    u64 page;
    unsigned privilege;
  };

  static constexpr unsigned index(Privilege privilege) { return static_cast<unsigned>(privilege); }
  static constexpr bool is_high(LinAddr address) { return address.raw >> 32 != 0; }
  static constexpr u32 low_page(LinAddr address) { return static_cast<u32>(address.raw) >> kPageShift; }
  u64 page_of(LinAddr address) const { return wide_ ? address.raw >> kPageShift : low_page(address); }
  template <u64 HighTlbSlot::*kKind>
  u64 high_entry(LinAddr address, Privilege privilege) const {
    const u64 tag = HighTlb::tag(address.raw >> kPageShift, index(privilege));
    const HighTlbSlot& slot = tables_.high.slots[HighTlb::home(tag)];
    return slot.tag == tag ? slot.*kKind : entry_away(address, privilege, kKind);
  }
  [[gnu::cold]] u64 entry_away(LinAddr address, Privilege privilege, u64 HighTlbSlot::*kind) const;
  Entries entries(u64 page, unsigned privilege) const;
  u32 place(u64 number) const { return ring_.places[number & TlbRing::kMask]; }
  u32& place(u64 number) { return ring_.places[number & TlbRing::kMask]; }
  Listed listed(u64 number) const;
  // Entries of code may be gone.
  void forget_code() {
    ++flushes_;
    tables_.jumps.forget();
  }
  // Before an entry of the page changes.
  void forget_inline(u64 page, unsigned privilege) { tables_.quick.slot(page, privilege).forget(page << kPageShift); }
  // The first number that may still have a place since a flush.
  u64 since(u64 flush) const { return std::max(flush, ring_.fills < ring_.cap ? 0 : ring_.fills - ring_.cap); }
  void list(u64 page, unsigned privilege, u32 flags);
  void make_room();
  bool executing(u64 page) const;
  void clear(u64 page, unsigned privilege);
  void flush_large(u64 page);                    // what is made from a large page that maps it
  void flush_region(u64 region);                 // of 4 MiB, if there may be such
  void flush_large_above(u64 page);              // 4 GiB
  void slow_down(u64 page, unsigned privilege);  // for the debugger
  void speed_up(u64 page, unsigned privilege);

  TlbTables& tables_;
  PhysicalBus& bus_;
  TlbRing& ring_;
  HighTlb high_;
  bool wide_ = false;
  u64 flushed_all_ = 0, flushed_non_global_ = 0;  // the numbers that came next then
  u64 oldest_large_ = 0;  // no page before this number is above 4 GiB, made from a large page and still listed
  const u64* code_offset_ = nullptr;
  const u64* code_base_ = nullptr;
  Replaced replaced_;
  u64 flushes_ = 0;
  std::vector<u64> debug_pages_;
};

}  // namespace relic86
