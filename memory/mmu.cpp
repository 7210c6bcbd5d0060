#include "memory/mmu.h"

#include <algorithm>

#include "base/whole_copy.h"
#include "memory/long_walk.h"

namespace relic86 {

namespace {

constexpr u64 kPageMask = ~u64{kPageSize - 1};
constexpr std::size_t kMostOpened = 256;  // more pages are dropped together with everything else

// The naturally largest piece of a slow access at this address: 8, 4, 2 or 1 bytes.
u32 piece(u64 linear, u32 left) {
  // A device sees the access as the guest made it where that is possible; unaligned rests go by bytes.
  if (left == 8 || left == 4 || left == 2 || left == 1) return left;
  u32 size = 8;
  while (size > left || (linear & (size - 1)) != 0) size /= 2;
  return size;
}

}  // namespace

Mmu::Mmu(TlbTables& tables, PhysicalBus& bus, u32 cap) : bus_(bus), tlb_(tables, bus, cap), walk_(tables.walk) {
  walk_.memory = reinterpret_cast<u64>(bus.store().host(BackingOffset(0)));
  walk_.watch = bus.store().watch_bits();
  walk_.code = bus.store().code_bits();
  walk_.addends = bus.addends().data();
  watch_key_ = bus_.store().on_watch([this](BackingOffset first, u64 size) {
    if (busy_ && busy_()) return put_off_.push_back({first, size});
    tlb_.watch(first, size);
  });
}

Mmu::~Mmu() { bus_.store().forget_watch_listener(watch_key_); }

void Mmu::carry_out_put_off() {
  for (const Watched& each : put_off_) tlb_.watch(each.first, each.size);
  put_off_.clear();
}

void Mmu::set_mode(const PagingMode& mode) {
  if (mode == mode_) return;
  mode_ = mode;
  flush_all();
  tlb_.set_wide(mode.long_mode);
}

bool Mmu::load_cr3(u64 cr3) {
  if (mode_.enabled && mode_.pae && !mode_.long_mode && !load_pdptes(bus_, cr3, mode_.physical_bits, tables_.pdptes))
    return false;
  tables_.cr3 = cr3;
  if (mode_.global_pages)
    tlb_.flush_non_global();
  else
    tlb_.flush_all();
  find_directory();
  return true;
}

void Mmu::find_directory() {
  constexpr u32 kWritable = 1u << 1, kGlobal = 1u << 8;  // SDM 3A tables 4-4 and 4-6
  constexpr u32 kAboveFourGigabytes = 0x3FE000;          // bits 39:32 of a large page's address, and a reserved one
  constexpr u32 kDirectory = 0xFFFFF000;
  const u64 addend = bus_.addends()[(tables_.cr3 & kDirectory) >> PhysicalBus::kAddendShift];
  // Fixed code takes bit 63 of an entry for one that says something.
  const bool long_walk = mode_.long_mode && mode_.no_execute && tables_.cr3 >> 32 == 0;
  const bool plain = mode_.enabled && (long_walk || !mode_.pae) && bus_.a20() && !tlb_.has_debug_pages() && addend != 0;
  const u64 directory = plain ? addend + (tables_.cr3 & kDirectory) : 0;
  u64& user = walk_.directory[static_cast<unsigned>(Privilege::User)];
  u64& supervisor = walk_.directory[static_cast<unsigned>(Privilege::Supervisor)];
  user = supervisor = directory;
  if (plain && long_walk) {
    const u64 levels = kWalkLong | (mode_.five_levels ? kWalkFiveLevels : 0);
    user |= levels;
    supervisor |= levels | (mode_.smap ? kWalkNoUserPages : 0);
  } else if (mode_.smap) {
    supervisor = 0;
  }
  walk_.granted[static_cast<unsigned>(Privilege::Supervisor)] = mode_.write_protect ? 0 : kWritable;
  walk_.global = mode_.global_pages ? kGlobal : 0;
  walk_.large_reserved = mode_.page_size ? kAboveFourGigabytes : ~0u;
}

void Mmu::set_smap_override(bool on) {
  walk_.user_access = on ? 1 : 0;
  if (on || opened_.empty()) return;  // what faulted before has left nothing behind
  if (opened_.size() > kMostOpened) return flush_all();
  for (const u64 page : opened_) tlb_.drop(LinAddr(page), Privilege::Supervisor);
  opened_.clear();
  walk_.opened = 0;
}

bool Mmu::walk_implicit(LinAddr address, u32 size, Access access) {
  if (!mode_.enabled) return true;
  const u64 first = linear(address), second = after(first, size - 1) & kPageMask;
  const auto allows = [&](u64 each) {
    const WalkResult page = walk_pages(bus_, mode_, tables_, {LinAddr(each), access, false, false}, false);
    if (!page.ok) fault_ = {LinAddr(each), page.error_code};
    return page.ok;
  };
  return allows(first) && (second >> kPageShift == first >> kPageShift || allows(second));
}

bool Mmu::ensure(u64 linear, Access access, Privilege privilege) {
  const LinAddr address(linear);
  const u64 entry =
      access == Access::Write ? tlb_.write_entry(address, privilege) : tlb_.read_entry(address, privilege);
  if (entry != 0) return true;
  WalkResult page;
  if (!walk(address, access, privilege, page)) return false;
  fill(address, access, privilege, page);
  return true;
}

bool Mmu::walk(LinAddr address, Access access, Privilege privilege, WalkResult& page) {
  page = walk_pages(bus_, mode_, tables_, {address, access, privilege == Privilege::User, smap_override()}, true);
  if (!page.ok) fault_ = {address, page.error_code};
  return page.ok;
}

void Mmu::fill(LinAddr address, Access access, Privilege privilege, const WalkResult& page) {
  const bool user = privilege == Privilege::User;
  TlbFill fill;
  fill.page = address;
  fill.physical = page.physical;
  fill.privilege = privilege;
  fill.writable = access == Access::Write || (page.dirty && (page.writable || (!user && !mode_.write_protect)));
  fill.fetched = access == Access::Execute;
  fill.global = page.global;
  fill.large = page.large;
  fill.giant = page.giant;
  tlb_.fill(fill);
  if (!user && page.user && mode_.smap && smap_override() && opened_.size() <= kMostOpened) {
    opened_.push_back(address.raw);
    walk_.opened++;
  }
}

void Mmu::read_page(u64 linear, u8* into, u32 size, Privilege privilege) {
  const u64 entry = tlb_.read_entry(LinAddr(linear), privilege);
  if ((entry & kTlbFast) != 0) {
    copy_whole(into, reinterpret_cast<const u8*>(linear + entry - kTlbFast), size);
    return;
  }
  if (!watchpoints_.empty()) note_access(linear, size, false);
  if ((entry & kTlbDebug) != 0) {
    copy_whole(into, bus_.store().host(BackingOffset((entry & kPageMask) + (linear & (kPageSize - 1)))), size);
    return;
  }
  const PhysAddr physical((entry & kPageMask) + (linear & (kPageSize - 1)));
  for (u32 done = 0; done < size;) {
    const u32 width = piece(linear + done, size - done);
    const u64 value = bus_.read(physical + done, width);
    std::memcpy(into + done, &value, width);
    done += width;
  }
}

void Mmu::write_page(u64 linear, const u8* from, u32 size, Privilege privilege) {
  const u64 entry = tlb_.write_entry(LinAddr(linear), privilege);
  if ((entry & kTlbFast) != 0) {
    copy_whole(reinterpret_cast<u8*>(linear + entry - kTlbFast), from, size);
    return;
  }
  if (!watchpoints_.empty()) note_access(linear, size, true);
  if ((entry & kTlbDebug) != 0) {
    BackingStore& store = bus_.store();
    const BackingOffset at((entry & kPageMask) + (linear & (kPageSize - 1)));
    copy_whole(store.host(at), from, size);
    if (store.watched(at)) store.note_write(at, size);
    return;
  }
  if ((entry & kTlbWatched) != 0) {
    u8* host = reinterpret_cast<u8*>(linear + (entry & kPageMask));
    BackingStore& store = bus_.store();
    const BackingOffset at = store.offset_of(host);
    if (std::memcmp(host, from, size) == 0) {  // programs that make code write much of it over again
      store.note_rewrite(at, size);
    } else {
      copy_whole(host, from, size);
      store.note_write(at, size);
    }
    if (!store.watched(at)) tlb_.unwatch(LinAddr(linear), privilege);
    return;
  }
  const PhysAddr physical((entry & kPageMask) + (linear & (kPageSize - 1)));
  for (u32 done = 0; done < size;) {
    const u32 width = piece(linear + done, size - done);
    u64 value = 0;
    std::memcpy(&value, from + done, width);
    bus_.write(physical + done, width, value);
    done += width;
  }
}

bool Mmu::probe_write(LinAddr address, u32 size, Privilege privilege) {
  const u64 first = linear(address), last = after(first, size - 1);
  if (!ensure(first, Access::Write, privilege)) return false;
  if ((first ^ last) < kPageSize) return true;
  // Filling the second page may have replaced the first (cap): both must stand when the access is made.
  if (!ensure(last & kPageMask, Access::Write, privilege)) return false;
  return ensure(first, Access::Write, privilege);
}

bool Mmu::probe_read(LinAddr address, u32 size, Privilege privilege) {
  const u64 first = linear(address), last = after(first, size - 1);
  if (!ensure(first, Access::Read, privilege)) return false;
  if ((first ^ last) < kPageSize) return true;
  if (!ensure(last & kPageMask, Access::Read, privilege)) return false;
  return ensure(first, Access::Read, privilege);
}

bool Mmu::read_bytes(LinAddr address, void* into, u32 size, Privilege privilege) {
  if (!probe_read(address, size, privilege)) return false;
  const u64 first = linear(address);
  const u32 in_first = std::min(size, kPageSize - static_cast<u32>(first & (kPageSize - 1)));
  read_page(first, static_cast<u8*>(into), in_first, privilege);
  if (in_first == size) return true;
  // Reading the first part may have remapped memory (a register with a side effect): the second entry may be gone.
  const u64 second = after(first, in_first);
  if (!ensure(second, Access::Read, privilege)) return false;
  read_page(second, static_cast<u8*>(into) + in_first, size - in_first, privilege);
  return true;
}

bool Mmu::write_bytes(LinAddr address, const void* from, u32 size, Privilege privilege) {
  if (!probe_write(address, size, privilege)) return false;
  const u64 first = linear(address);
  const u32 in_first = std::min(size, kPageSize - static_cast<u32>(first & (kPageSize - 1)));
  write_page(first, static_cast<const u8*>(from), in_first, privilege);
  if (in_first == size) return true;
  // The first part may remap memory (a BAR, A20 through MMIO): make sure of the second page's entry again.
  const u64 second = after(first, in_first);
  if (ensure(second, Access::Write, privilege))
    write_page(second, static_cast<const u8*>(from) + in_first, size - in_first, privilege);
  return true;
}

Mmu::CodePage Mmu::code_page(PhysAddr physical) const {
  CodePage page;
  page.physical = physical;
  const PageTarget& target = bus_.page(physical).read;
  if (target.kind == PageTarget::Kind::Backing) {
    page.backed = true;
    page.backing = target.backing;
    page.host = bus_.store().host(target.backing);
  }
  return page;
}

Mmu::CodePage Mmu::code_of_entry(LinAddr address, Privilege privilege) const {
  const u64 entry = tlb_.code_entry(address, privilege);
  if ((entry & kTlbFast) == 0) return code_page(PhysAddr(entry & kPageMask));
  CodePage page;
  page.host = reinterpret_cast<const u8*>((linear(address) & kPageMask) + entry - kTlbFast);
  page.backed = true;
  page.backing = bus_.store().offset_of(page.host);
  return page;
}

bool Mmu::fetch_page(LinAddr address, Privilege privilege, CodePage& page) {
  const LinAddr at(linear(address));
  if (has_code_entry(at, privilege)) {
    page = code_of_entry(at, privilege);
    return true;
  }
  WalkResult found;
  if (!walk(at, Access::Execute, privilege, found)) return false;
  // SMAP forbids data accesses to user pages, not fetches (SDM 3A 4.6.1): an entry would open the page to both.
  if (mode_.enabled && mode_.smap && !smap_override() && privilege == Privilege::Supervisor && found.user) {
    page = code_page(found.physical);
    return true;
  }
  fill(at, Access::Execute, privilege, found);
  page = code_of_entry(at, privilege);
  return true;
}

bool Mmu::peek_code(LinAddr address, Privilege privilege, CodePage& page) {
  const LinAddr at(linear(address));
  if (has_code_entry(at, privilege)) {
    page = code_of_entry(at, privilege);
    return true;
  }
  const WalkResult found =
      walk_pages(bus_, mode_, tables_, {at, Access::Execute, privilege == Privilege::User, smap_override()}, false);
  if (!found.ok) return false;
  page = code_page(found.physical);
  return true;
}

void Mmu::set_watchpoints(std::vector<Watchpoint> watchpoints, WatchListener listener) {
  watchpoints_ = std::move(watchpoints);
  watch_listener_ = std::move(listener);
  walk_.watchpoints = watchpoints_.empty() ? 0 : 1;
  slow_pages_changed();
}

void Mmu::set_breakpoint_pages(std::vector<u64> pages) {
  if (pages == breakpoint_pages_) return;
  breakpoint_pages_ = std::move(pages);
  slow_pages_changed();
}

void Mmu::slow_pages_changed() {
  std::vector<u64> pages = breakpoint_pages_;
  for (const Watchpoint& point : watchpoints_) {
    const u64 last = after(point.first, point.size - 1) >> kPageShift;
    for (u64 page = point.first >> kPageShift;; page = after(page << kPageShift, kPageSize) >> kPageShift) {
      pages.push_back(page);
      if (page == last) break;
    }
  }
  tlb_.set_debug_pages(std::move(pages));
  find_directory();
}

void Mmu::note_access(u64 linear, u32 size, bool write) {
  const auto reaches = [this](u64 from, u32 bytes, u64 to) {
    const u64 distance = to - from;
    return ((goes_on_ && tlb_.wide()) || (from | to) >> 32 != 0 ? distance : static_cast<u32>(distance)) < bytes;
  };
  for (const Watchpoint& point : watchpoints_) {
    if (write ? !point.writes : !point.reads) continue;
    if (reaches(point.first, point.size, linear) || reaches(linear, size, point.first)) watch_listener_(point);
  }
}

std::optional<PhysAddr> Mmu::debug_translate(LinAddr address) {
  const WalkResult found =
      walk_pages(bus_, mode_, tables_, {LinAddr(linear(address)), Access::Read, false, true}, false);
  if (!found.ok) return std::nullopt;
  return found.physical + (address.raw & (kPageSize - 1));
}

std::optional<Mmu::Rights> Mmu::debug_rights(LinAddr address) {
  const WalkResult found =
      walk_pages(bus_, mode_, tables_, {LinAddr(linear(address)), Access::Read, false, true}, false);
  if (!found.ok) return std::nullopt;
  return Rights{found.user, found.writable};
}

}  // namespace relic86
