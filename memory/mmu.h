// Linear memory as the processor sees it: soft TLB in front, page walker and physical bus behind. Linear addresses are
// 32 bits wide and wrap at 4 GiB; in long mode they have 64 bits, and the caller has found them canonical. A false
// return means a page fault; fault() then holds address and error code, and nothing was written.
//
// Rules of TLB flush, each with its test (tests/memory/mmu_test.cpp; all together: MmuRandom,
// Tlb.LiveListMatchesAModel):
//   nothing else drops an entry                        MmuFlush.StaleEntryStandsUntilItIsFlushed
//   MOV CR3, task switch: flush_non_global             MmuFlush.LoadCr3KeepsGlobalPages
//     without CR4.PGE: everything                      MmuFlush.LoadCr3WithoutPgeDropsAll
//     refused PDPTEs: nothing                          MmuFlush.RefusedPointersChangeNothing
//   a PagingMode that differs: flush_all               MmuFlush.ModeChangeFlushes
//   EFLAGS.AC falls under SMAP: what it opened         MmuFlush.WhatSmapOverrideOpenedGoesWithIt
//     more pages than are kept: flush_all              MmuFlush.SmapOverrideThatOpenedMuch
//   INVLPG: the page, global or not                    MmuFlush.LoadCr3KeepsGlobalPages
//     every entry of a large page                      MmuFlush.InvlpgDropsLargePage, InvlpgDropsTwoMegabytePage
//   A20, PAM, SMRAM, BAR, VGA window: flush_all        MmuFlush.RemapFlushes
//   one more entry than the cap: the oldest goes       MmuFlush.CapReplacesTheOldest, CapWithinACrossingAccess
// Without dropping anything:
//   a page becomes watched: write entries downgraded   Mmu.WatchedPageIsReported, DisplayPagesAreReArmedEachFrame
//   a write finds it no longer watched: fast again     Mmu.UnwatchedPageGetsFastAgainWithTheNextWrite
#pragma once

#include <cstring>
#include <functional>
#include <optional>
#include <vector>

#include "memory/paging.h"
#include "memory/tlb.h"

namespace relic86 {

class Mmu {
 public:
  // tables: zero-filled. cap: see Tlb; at least 4. The bus has one topology callback, set where the machine is put
  // together: it must call flush_all().
  Mmu(TlbTables& tables, PhysicalBus& bus, u32 cap = kDefaultTlbCap);
  ~Mmu();
  Mmu(const Mmu&) = delete;
  Mmu& operator=(const Mmu&) = delete;

  // --- Mode ---
  void set_mode(const PagingMode& mode);  // flushes everything if it differs
  const PagingMode& mode() const { return mode_; }
  // MOV CR3: false if PAE is on and the PDPTEs are not loadable (#GP(0)); nothing changes then.
  bool load_cr3(u64 cr3);
  // Reloads the PDPTEs from the present CR3 (MOV CR0/CR4 that turns PAE paging on). False as load_cr3.
  bool reload_pdptes() { return load_pdptes(bus_, tables_.cr3, mode_.physical_bits, tables_.pdptes); }
  // In 64-bit mode an access goes on above 4 GiB; everywhere else one that starts below wraps there.
  void set_code64(bool on) { goes_on_ = on; }
  u64 cr3() const { return tables_.cr3; }
  std::array<u64, 4>& pdptes() { return tables_.pdptes; }
  void set_smap_override(bool on);  // EFLAGS.AC, whatever CR4.SMAP says (SDM 3A 4.6.1)
  // To be asked before descriptor tables and the TSS are accessed: EFLAGS.AC opens no user page to such accesses (SDM
  // 3A 4.6.1). False: fault() tells.
  bool allows_implicit(LinAddr address, u32 size, Access access) {
    return !(mode_.smap && smap_override()) || walk_implicit(address, size, access);
  }

  void flush_all() {
    opened_.clear();
    walk_.opened = 0;
    tlb_.flush_all();
    find_directory();
  }
  void flush_page(LinAddr address) { tlb_.flush_page(address); }

  // Of a processor with a host thread of its own: whether it is in translated code now, which uses the TLB, and makes
  // entries. What others change of the TLB meanwhile waits for catch_up().
  void put_off_while(std::function<bool()> busy) { busy_ = std::move(busy); }
  void catch_up() {
    if (!put_off_.empty()) [[unlikely]]
      carry_out_put_off();
  }

  // --- Data accesses: integers, and 10- and 16-byte structures ---
  // The value's address goes to the slow path by a copy only, so that a caller's variable can stay in a register.
  // Descriptor tables and TSS are accessed with Privilege::Supervisor whatever the CPL (SDM 3A 4.6.1).
  // Inlined whatever the compiler thinks of the way for high addresses: 32-bit code has none, and this is its hot path.
  template <class T>
  [[gnu::always_inline]] bool read(LinAddr address, T& value, Privilege privilege) {
    if (address.raw >> 32 != 0) [[unlikely]]
      return read_high(address, value, privilege);
    const u32 linear = static_cast<u32>(address.raw);
    const u64 entry = tlb_.read_entry(address, privilege);
    if ((linear & (kPageSize - 1)) <= kPageSize - sizeof(T) && (entry & kTlbFast) != 0) [[likely]] {
      std::memcpy(&value, reinterpret_cast<const u8*>(linear + entry - kTlbFast), sizeof(T));
      return true;
    }
    T copy;
    if (!read_bytes(LinAddr(linear), &copy, sizeof(T), privilege)) return false;
    value = copy;
    return true;
  }
  template <class T>
  [[gnu::always_inline]] bool write(LinAddr address, T value, Privilege privilege) {
    if (address.raw >> 32 != 0) [[unlikely]]
      return write_high(address, value, privilege);
    const u32 linear = static_cast<u32>(address.raw);
    const u64 entry = tlb_.write_entry(address, privilege);
    if ((linear & (kPageSize - 1)) <= kPageSize - sizeof(T) && (entry & kTlbFast) != 0) [[likely]] {
      std::memcpy(reinterpret_cast<u8*>(linear + entry - kTlbFast), &value, sizeof(T));
      return true;
    }
    return write_slow(LinAddr(linear), value, privilege);
  }
  // Reads for a read-modify-write: faults as the write will, so that the write cannot fault any more.
  template <class T>
  bool read_for_write(LinAddr address, T& value, Privilege privilege) {
    const u32 in_page = static_cast<u32>(address.raw) & (kPageSize - 1);
    if (in_page <= kPageSize - sizeof(T) && (tlb_.write_entry(address, privilege) & kTlbFast) != 0) [[likely]]
      return read(address, value, privilege);
    return probe_write(address, sizeof(T), privilege) && read(address, value, privilege);
  }

  // Any size up to a page; pages are all checked before anything is written.
  [[gnu::cold]] bool read_bytes(LinAddr address, void* into, u32 size, Privilege privilege);
  [[gnu::cold]] bool write_bytes(LinAddr address, const void* from, u32 size, Privilege privilege);
  // Faults as a write would, sets A and D as it would, writes nothing.
  bool probe_write(LinAddr address, u32 size, Privilege privilege);
  bool probe_read(LinAddr address, u32 size, Privilege privilege);

  // The host bytes behind a page that needs no slow path: from address to the page's end; null otherwise. Never fills.
  const u8* readable_run(LinAddr address, Privilege privilege) const {
    const u64 entry = tlb_.read_entry(address, privilege);
    return (entry & kTlbFast) != 0 ? reinterpret_cast<const u8*>(linear(address) + entry - kTlbFast) : nullptr;
  }
  u8* writable_run(LinAddr address, Privilege privilege) const {
    const u64 entry = tlb_.write_entry(address, privilege);
    return (entry & kTlbFast) != 0 ? reinterpret_cast<u8*>(linear(address) + entry - kTlbFast) : nullptr;
  }

  // Runs of bytes within a page of registers, as RegionHandler::read_run and the others take them. The host's side is
  // system RAM or a buffer. False: nothing was done; single accesses do it. Never fill.
  bool takes_run(LinAddr address, Access access, Privilege privilege) const;  // read_run or write_run may say true
  bool read_run(LinAddr address, std::span<u8> into, Privilege privilege);
  bool write_run(LinAddr address, std::span<const u8> from, Privilege privilege);
  bool copy_run(LinAddr from, LinAddr to, unsigned width, u32 count, Privilege privilege);

  const PageFault& fault() const { return fault_; }

  // --- Code ---
  struct CodePage {
    bool backed = false;      // in the backing store: may be cached; else fetched byte by byte over the bus
    BackingOffset backing{};  // of the page's first byte
    const u8* host = nullptr;
    PhysAddr physical{};  // of the page's first byte; only if not backed
  };
  // The page that instructions at address come from; touches the TLB as a fetch does (A bit, entry).
  bool fetch_page(LinAddr address, Privilege privilege, CodePage& page);
  // The same for a translator: nothing is set or filled. Like a fetch it prefers a TLB entry, stale or not, to the
  // page tables. False: the fetch would fault; fault() is left alone.
  bool peek_code(LinAddr address, Privilege privilege, CodePage& page);

  // --- For debuggers: no side effects ---
  struct Rights {
    bool user = false;
    bool writable = false;
  };
  // Bytes of linear memory that a debugger watches: it is told of every access that the processor makes to them, with
  // the first watched byte, after a read and before a write. Pages without watched bytes run as ever.
  struct Watchpoint {
    u64 first = 0;
    u32 size = 1;
    bool reads = false;
    bool writes = false;
  };
  using WatchListener = std::function<void(const Watchpoint&)>;
  void set_watchpoints(std::vector<Watchpoint> watchpoints, WatchListener listener);
  bool has_watchpoints() const { return !watchpoints_.empty(); }
  // Pages (linear address >> 12) that the guest's own data breakpoints watch: accesses take the slow path as well.
  void set_breakpoint_pages(std::vector<u64> pages);

  std::optional<PhysAddr> debug_translate(LinAddr address);
  std::optional<Rights> debug_rights(LinAddr address);

  Tlb& tlb() { return tlb_; }
  PhysicalBus& bus() { return bus_; }

 private:
  [[gnu::cold]] void carry_out_put_off();
  template <class T>
  [[gnu::noinline, gnu::cold]] bool write_slow(LinAddr address, T value, Privilege privilege) {
    return write_bytes(address, &value, sizeof(T), privilege);
  }
  // Above 4 GiB; without long mode, back below it.
  template <class T>
  [[gnu::noinline]] bool read_high(LinAddr address, T& value, Privilege privilege) {
    if (!tlb_.wide()) return read(LinAddr(linear(address)), value, privilege);
    const u64 entry = tlb_.read_entry(address, privilege);
    if ((address.raw & (kPageSize - 1)) <= kPageSize - sizeof(T) && (entry & kTlbFast) != 0) [[likely]] {
      std::memcpy(&value, reinterpret_cast<const u8*>(address.raw + entry - kTlbFast), sizeof(T));
      return true;
    }
    return read_bytes(address, &value, sizeof(T), privilege);
  }
  template <class T>
  [[gnu::noinline]] bool write_high(LinAddr address, T value, Privilege privilege) {
    if (!tlb_.wide()) return write(LinAddr(linear(address)), value, privilege);
    const u64 entry = tlb_.write_entry(address, privilege);
    if ((address.raw & (kPageSize - 1)) <= kPageSize - sizeof(T) && (entry & kTlbFast) != 0) [[likely]] {
      std::memcpy(reinterpret_cast<u8*>(address.raw + entry - kTlbFast), &value, sizeof(T));
      return true;
    }
    return write_slow(address, value, privilege);
  }
  bool smap_override() const { return walk_.user_access != 0; }
  // The address as wide as linear addresses are now.
  u64 linear(LinAddr address) const { return tlb_.wide() ? address.raw : static_cast<u32>(address.raw); }
  // What follows so many bytes after an address.
  u64 after(u64 linear, u32 bytes) const {
    const u64 next = linear + bytes;
    return (goes_on_ && tlb_.wide()) || linear >> 32 != 0 ? next : static_cast<u32>(next);
  }
  CodePage code_of_entry(LinAddr address, Privilege privilege) const;
  bool has_code_entry(LinAddr address, Privilege privilege) const { return tlb_.code_entry(address, privilege) != 0; }
  bool walk(LinAddr address, Access access, Privilege privilege, WalkResult& page);  // false: fault_
  bool walk_implicit(LinAddr address, u32 size, Access access);
  void fill(LinAddr address, Access access, Privilege privilege, const WalkResult& page);
  // Makes sure that the page has an entry for a read or a write; false: fault_.
  bool ensure(u64 linear, Access access, Privilege privilege);
  void note_access(u64 linear, u32 size, bool write);
  void find_directory();  // for translated code (TlbWalk); after every change of what a walk depends on
  void slow_pages_changed();
  void read_page(u64 linear, u8* into, u32 size, Privilege privilege);
  void write_page(u64 linear, const u8* from, u32 size, Privilege privilege);
  CodePage code_page(PhysAddr physical) const;
  const PageTarget* run_target(LinAddr address, Access access, Privilege privilege) const;
  bool outside_devices(const u8* host, std::size_t size) const;

  PhysicalBus& bus_;
  Tlb tlb_;
  TlbWalk& walk_;
  PagingMode mode_;
  PageTables tables_;
  std::vector<u64> opened_;  // linear addresses of the supervisor's entries of user pages that EFLAGS.AC let be made
  bool goes_on_ = false;
  PageFault fault_;
  std::vector<Watchpoint> watchpoints_;
  WatchListener watch_listener_;
  std::vector<u64> breakpoint_pages_;
  u32 watch_key_ = 0;  // of the listener at the backing store
  struct Watched {
    BackingOffset first;
    u64 size = 0;
  };
  std::function<bool()> busy_;  // none: nobody else is at work meanwhile
  std::vector<Watched> put_off_;
};

}  // namespace relic86
