// The soft TLB: one u64 entry per linear 4 KiB page of a 4 GiB address space, three tables (read, write, code) for each
// privilege. The interpreter and translated code look entries up inline: entry = table[linear >> 12].
//
//   bit 0 (kTlbFast)     the bytes are at host address linear + entry - 1:
//                          test entry, 1; jz slow; mov eax, [linear + entry - 1]
//   bit 1 (kTlbPresent)  without bit 0: mapped, but the access takes the slow path:
//   bit 2 (kTlbMmio)       bits 63:12 are the physical page; go through the bus (registers, unmapped memory, writes to
//                          ROM)
//   bit 3 (kTlbWatched)    entry & ~FFFh is the addend; store, then BackingStore::note_write
//   bit 4 (kTlbDebug)      a debugger or the guest's data breakpoints watch bytes of the page: bits 63:12 are the page
//                          in the backing store. Data
//   only 0                    not looked up since the last flush: walk the page tables.
//
// A code entry is made by fetching: what the read entry says, of a page that may be executed.
// Which pages have entries depends only on which were touched since the last flush, and in which order, for every
// engine alike: with as many entries as the cap allows, a new one replaces the oldest.
#pragma once

#include <array>
#include <bitset>
#include <vector>

#include "base/types.h"
#include "memory/backing_store.h"
#include "memory/physical_bus.h"

namespace relic86 {

enum class Privilege : u8 { Supervisor, User };

inline constexpr u64 kTlbFast = 1, kTlbPresent = 2, kTlbMmio = 4, kTlbWatched = 8, kTlbDebug = 16;
inline constexpr u32 kLinearPages = 1u << 20;
inline constexpr u32 kDefaultTlbCap = 4096;

// 48 MiB of address space: supervisor and user reads, writes, code; translated code knows the order.
// Zero-filled memory is an empty TLB, and the host commits only what is used.
struct TlbTables {
  u64 read[2][kLinearPages];  // by Privilege
  u64 write[2][kLinearPages];
  u64 code[2][kLinearPages];
};
static_assert(sizeof(TlbTables) == 6 * sizeof(u64) * kLinearPages);

// What a page walk found, as the TLB needs it.
struct TlbFill {
  LinAddr page{};
  PhysAddr physical{};  // of the page's first byte
  Privilege privilege = Privilege::Supervisor;
  bool writable = false;  // a write was walked, or D is set and writing is allowed: fill the write entry too
  bool fetched = false;   // and may be executed: fill the code entry too
  bool global = false;
  bool large = false;  // made from a 2 MiB or 4 MiB page
};

class Tlb {
 public:
  // tables: zero-filled, outlives the Tlb. cap: number of live entries, a property of the machine: no entry outlives
  // that many fills (Windows 9x relies on stale entries going away). At least 4: the two pages of an access and the two
  // of the instruction that makes it.
  Tlb(TlbTables& tables, PhysicalBus& bus, u32 cap = kDefaultTlbCap);
  ~Tlb();
  Tlb(const Tlb&) = delete;
  Tlb& operator=(const Tlb&) = delete;

  u64 read_entry(LinAddr address, Privilege privilege) const {
    return tables_.read[index(privilege)][page_of(address)];
  }
  u64 write_entry(LinAddr address, Privilege privilege) const {
    return tables_.write[index(privilege)][page_of(address)];
  }
  u64 code_entry(LinAddr address, Privilege privilege) const {
    return tables_.code[index(privilege)][page_of(address)];
  }

  void fill(const TlbFill& fill);
  void set_cap(u32 cap);  // and flushes
  void flush_all();
  void flush_non_global();
  void flush_page(LinAddr address);  // every entry made from the page that maps address, of any size

  // Fast write entries into these bytes become watched ones.
  void watch(BackingOffset first, u64 size);
  // A store found its watched page no longer watched: back to fast.
  void unwatch(LinAddr address, Privilege privilege);

  // Backed pages (linear address >> 12) whose accesses all take the slow path. Entries change their kind in place:
  // none comes or goes.
  void set_debug_pages(std::vector<u32> pages);

  // Where CS:EIP is: offset and base. The page of the instruction being executed, and the one after it, are not
  // replaced, so that no engine has to look up in the middle of a block whether its code still has an entry.
  void execute_at(const u64* offset, const u64* base) {
    code_offset_ = offset;
    code_base_ = base;
  }

  u32 live_entries() const { return live_[0].count + live_[1].count; }
  // Host addresses of the pages whose entries were replaced since forget_replaced(); count may be more than are kept.
  struct Replaced {
    std::array<u64, 4> pages{};
    u32 count = 0;
  };
  const Replaced& replaced() const { return replaced_; }
  void forget_replaced() { replaced_.count = 0; }
  // Grows whenever entries of code may have been dropped: who keeps what an entry said (the page being executed) asks
  // again.
  u64 flushes() const { return flushes_; }

 private:
  struct Live {
    u32 page : 20;
    u32 privilege : 1;
    u32 dropped : 1;
    u32 code : 1;  // has a code entry
    u32 fill;      // its number, modulo 2^32
  };
  struct List {
    std::vector<Live> entries{};  // by age, with dropped ones among them
    std::size_t first = 0;        // all before it are dropped
    u32 count = 0;                // of those that are not
  };
  // Of positions_: 0 if not live, else 1 + the place in its list, and this bit for the list of global ones.
  static constexpr u32 kGlobal = 1u << 31;
  static constexpr unsigned index(Privilege privilege) { return static_cast<unsigned>(privilege); }
  static constexpr u32 page_of(LinAddr address) { return static_cast<u32>(address.raw) >> kPageShift; }
  void list(u32 page, unsigned privilege, bool global, bool code);
  Live& listed_at(u32 position) { return live_[(position & kGlobal) != 0 ? 1 : 0].entries[(position & ~kGlobal) - 1]; }
  void clear_all(List& listed);
  void close_up(unsigned which);
  void make_room();
  void look_ahead(const List& listed) const;
  bool executing(u32 page) const;
  void unlist(u32 page, unsigned privilege);
  void drop(u32 page, unsigned privilege);
  void clear(const Live& live);
  void slow_down(u32 page, unsigned privilege);  // for the debugger
  void speed_up(u32 page, unsigned privilege);

  TlbTables& tables_;
  PhysicalBus& bus_;
  u32 cap_;
  List live_[2];  // entries that are not global, and global ones: a process switch looks at the first
  u32 fills_ = 0;
  const u64* code_offset_ = nullptr;
  const u64* code_base_ = nullptr;
  Replaced replaced_;
  u32* positions_[2];        // per page; lazily committed
  std::bitset<1024> large_;  // per 4 MiB: holds entries made from a large page
  u64 flushes_ = 0;
  std::vector<u32> debug_pages_;
};

}  // namespace relic86
