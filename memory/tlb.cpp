#include "memory/tlb.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace relic86 {

namespace {
constexpr u64 kPageMask = ~u64{kPageSize - 1};
constexpr unsigned kRegionShift = 10, kGiantShift = 18;  // pages in 4 MiB and in 1 GiB
}  // namespace

Tlb::Tlb(TlbTables& tables, PhysicalBus& bus, u32 cap)
    : tables_(tables), bus_(bus), ring_(tables.ring), high_(tables.high) {
  // Of all pages, the first alone has a tag that is 0 (memory/inline_tlb.h).
  for (unsigned privilege = 0; privilege < 2; ++privilege) forget_inline(0, privilege);
  set_cap(cap);
}

void Tlb::bring_inline(LinAddr address, Privilege privilege, u64 HighTlbSlot::*kind) {
  const u64 page = page_of(address);
  const Entries own = entries(page, index(privilege));
  if (!own) return;
  const u64 wanted = kind == &HighTlbSlot::read ? *own.read : kind == &HighTlbSlot::write ? *own.write : *own.code;
  if ((wanted & kTlbFast) == 0) return;
  const u64 linear = page << kPageShift, none = InlineTlbSlot::no_page(linear);
  const auto tag = [&](u64 entry) { return entry == wanted ? linear : none; };
  tables_.quick.slot(page, index(privilege)) = {tag(*own.read), tag(*own.write), tag(*own.code),
                                                wanted - kTlbFast + linear};
}

u64 Tlb::entry_away(LinAddr address, Privilege privilege, u64 HighTlbSlot::*kind) const {
  if (!wide_) {
    const Entries low = entries(low_page(address), index(privilege));
    return kind == &HighTlbSlot::read ? *low.read : kind == &HighTlbSlot::write ? *low.write : *low.code;
  }
  const HighTlbSlot* const slot = high_.find_away(HighTlb::tag(address.raw >> kPageShift, index(privilege)));
  return slot != nullptr ? slot->*kind : 0;
}

Tlb::Entries Tlb::entries(u64 page, unsigned privilege) const {
  if (page < kLinearPages)
    return {&tables_.read[privilege][page], &tables_.write[privilege][page], &tables_.code[privilege][page]};
  HighTlbSlot* const slot = high_.find(HighTlb::tag(page, privilege));
  if (slot == nullptr) return {nullptr, nullptr, nullptr};
  return {&slot->read, &slot->write, &slot->code};
}

Tlb::Listed Tlb::listed(u64 number) const {
  const u32 each = place(number);
  if ((each & TlbRing::kHigh) == 0) return {each & (kLinearPages - 1), (each & TlbRing::kUser) != 0 ? 1u : 0u};
  const u64 tag = tables_.high.pages[number & TlbRing::kMask];
  return {HighTlb::page_of_tag(tag), static_cast<unsigned>(tag & 1)};
}

void Tlb::fill(const TlbFill& fill) {
  const u64 page = page_of(fill.page);
  const unsigned privilege = index(fill.privilege);
  const bool high = page >= kLinearPages;
  Entries own = entries(page, privilege);
  if (!own || *own.read == 0) {
    make_room();
    list(page, privilege,
         (fill.global ? TlbRing::kGlobal : 0) | (high && fill.large ? TlbRing::kLarge : 0) |
             (high && fill.giant ? TlbRing::kGiant : 0));
    if (high) high_.insert(HighTlb::tag(page, privilege));
    own = entries(page, privilege);  // making room may have moved it
  }
  if (wide_) forget_inline(page, privilege);
  if (fill.large && high) tables_.high.large[HighTlb::large_index(page)] = 1;
  if (fill.large && !high) tables_.large[page >> kRegionShift] = 1;
  if (fill.giant && !high) tables_.giant[page >> kGiantShift] = 1;

  const u64 linear = page << kPageShift;
  const PhysPage& target = bus_.page(fill.physical);
  BackingStore& store = bus_.store();
  const u64 slow = (fill.physical.raw & kPageMask) | kTlbPresent | kTlbMmio;
  const auto addend = [&](BackingOffset backing) { return reinterpret_cast<u64>(store.host(backing)) - linear; };
  *own.read = target.read.kind == PageTarget::Kind::Backing ? addend(target.read.backing) | kTlbFast : slow;
  if (fill.fetched) *own.code = *own.read;
  if (!fill.writable) {
    *own.write = 0;
  } else if (target.write.kind != PageTarget::Kind::Backing) {
    *own.write = slow | (target.write.kind == PageTarget::Kind::Unmapped ? kTlbIgnored : 0);
  } else {
    const bool watched = store.watched(target.write.backing);
    *own.write = addend(target.write.backing) | (watched ? kTlbPresent | kTlbWatched : kTlbFast);
  }
  if (!debug_pages_.empty() && std::find(debug_pages_.begin(), debug_pages_.end(), page) != debug_pages_.end())
    slow_down(page, privilege);
}

void Tlb::set_cap(u32 cap) {
  RELIC86_ASSERT(cap >= 4 && cap <= TlbRing::kSize);
  flush_all();
  std::memset(ring_.places, 0, sizeof ring_.places);
  ring_.cap = cap;
}

void Tlb::set_debug_pages(std::vector<u64> pages) {
  for (unsigned privilege = 0; privilege < 2; privilege++) {
    for (const u64 page : debug_pages_) speed_up(page, privilege);
    for (const u64 page : pages) slow_down(page, privilege);
  }
  debug_pages_ = std::move(pages);
}

void Tlb::slow_down(u64 page, unsigned privilege) {
  const BackingStore& store = bus_.store();
  const Entries own = entries(page, privilege);
  if (!own) return;
  forget_inline(page, privilege);
  for (u64* entry : {own.read, own.write}) {
    if ((*entry & (kTlbFast | kTlbWatched)) == 0) continue;
    const u8* const host = reinterpret_cast<const u8*>((*entry & kPageMask) + (page << kPageShift));
    *entry = store.offset_of(host).raw | kTlbPresent | kTlbDebug;
  }
}

void Tlb::speed_up(u64 page, unsigned privilege) {
  const BackingStore& store = bus_.store();
  const Entries own = entries(page, privilege);
  if (!own) return;
  forget_inline(page, privilege);
  for (u64* entry : {own.read, own.write}) {
    if ((*entry & kTlbDebug) == 0) continue;
    const BackingOffset backing(*entry & kPageMask);
    const u64 addend = reinterpret_cast<u64>(store.host(backing)) - (page << kPageShift);
    const bool watched = entry == own.write && store.watched(backing);
    *entry = addend | (watched ? kTlbPresent | kTlbWatched : kTlbFast);
  }
}

void Tlb::clear(u64 page, unsigned privilege) {
  const Entries own = entries(page, privilege);
  if (!own || *own.read == 0) return;
  --ring_.live;
  if (wide_) forget_inline(page, privilege);
  if (page >= kLinearPages) return high_.erase(HighTlb::tag(page, privilege));
  *own.read = 0;
  *own.write = 0;
  // Seldom there: the host need not commit what only says so.
  if (*own.code != 0) *own.code = 0;
}

void Tlb::flush_all() {
  for (u64 number = since(flushed_all_); number < ring_.fills; ++number) {
    if (place(number) == 0) continue;
    const Listed each = listed(number);
    clear(each.page, each.privilege);
    place(number) = 0;
  }
  flushed_all_ = flushed_non_global_ = ring_.fills;
  std::memset(tables_.large, 0, sizeof tables_.large);
  std::memset(tables_.giant, 0, sizeof tables_.giant);
  if (wide_) std::memset(tables_.high.large, 0, sizeof tables_.high.large);
  forget_code();
}

void Tlb::flush_non_global() {
  for (u64 number = since(flushed_non_global_); number < ring_.fills; ++number) {
    if (place(number) == 0 || (place(number) & TlbRing::kGlobal) != 0) continue;
    const Listed each = listed(number);
    clear(each.page, each.privilege);
    place(number) = 0;
  }
  flushed_non_global_ = ring_.fills;
  forget_code();
}

void Tlb::list(u64 page, unsigned privilege, u32 flags) {
  const u64 number = ring_.fills++;
  if (page < kLinearPages) {
    place(number) = TlbRing::kListed | flags | privilege * TlbRing::kUser | static_cast<u32>(page);
  } else {
    place(number) = TlbRing::kListed | TlbRing::kHigh | flags;
    tables_.high.pages[number & TlbRing::kMask] = HighTlb::tag(page, privilege);
  }
  ++ring_.live;
}

bool Tlb::executing(u64 page) const {
  if (code_offset_ == nullptr) return false;
  const LinAddr code(*code_base_ + *code_offset_);
  return page == page_of(code) || page == page_of(code + kPageSize);
}

// The page goes whose turn it is; one of the code being executed takes its turn again as if it had just come.
void Tlb::make_room() {
  constexpr unsigned kExecuting = 4;  // entries at most: two pages, two privileges
  for (unsigned passed = 0; ring_.fills >= ring_.cap; ++passed) {
    const u64 number = ring_.fills - ring_.cap;
    const u32 oldest = place(number);
    if (oldest == 0) return;
    const Listed each = listed(number);
    place(number) = 0;
    const Entries own = entries(each.page, each.privilege);
    const u64 read = own ? *own.read : 0;
    if (read == 0) return;
    const bool code = *own.code != 0;
    if (code && passed < kExecuting && executing(each.page)) {
      tables_.high.pages[ring_.fills & TlbRing::kMask] = tables_.high.pages[number & TlbRing::kMask];
      place(ring_.fills++) = oldest;
      continue;
    }
    if ((read & kTlbFast) != 0 && replaced_.count++ < replaced_.pages.size())
      replaced_.pages[replaced_.count - 1] = (read & kPageMask) + (each.page << kPageShift);
    if (code) forget_code();
    clear(each.page, each.privilege);
    return;
  }
}

Tlb::InTurn Tlb::in_turn() const {
  InTurn found;
  for (u64 i = 0; i < found.pages.size(); ++i) {
    if (ring_.fills + i < ring_.cap) continue;
    const u64 number = ring_.fills + i - ring_.cap;
    if (place(number) == 0) continue;
    const Listed each = listed(number);
    const Entries own = entries(each.page, each.privilege);
    const u64 read = own ? *own.read : 0;
    if (read == 0) continue;
    if ((read & kTlbFast) != 0) found.pages[i] = (read & kPageMask) + (each.page << kPageShift);
    if (*own.code != 0) found.code = true;
  }
  return found;
}

void Tlb::flush_page(LinAddr address) {
  const u64 page = page_of(address);
  forget_code();
  for (unsigned privilege = 0; privilege < 2; privilege++) clear(page, privilege);
  flush_large(page);
}

void Tlb::drop(LinAddr address, Privilege privilege) {
  clear(page_of(address), index(privilege));
  forget_code();
}

void Tlb::flush_large(u64 page) {
  if (page >= kLinearPages) return flush_large_above(page);
  constexpr unsigned kRegions = 1u << (kGiantShift - kRegionShift);
  u8& giant = tables_.giant[page >> kGiantShift];
  if (giant == 0) return flush_region(page >> kRegionShift);
  for (u64 i = 0; i < kRegions; ++i) flush_region((page >> kGiantShift) * kRegions + i);
  giant = 0;
}

void Tlb::flush_region(u64 region) {
  if (tables_.large[region] == 0) return;
  for (unsigned privilege = 0; privilege < 2; privilege++) {
    const u64* const read = tables_.read[privilege];
    for (u64 each = region << kRegionShift; each < (region + 1) << kRegionShift; each++) {
      if (read[each] != 0) clear(each, privilege);
    }
  }
  tables_.large[region] = 0;
}

void Tlb::flush_large_above(u64 page) {
  if (tables_.high.large[HighTlb::large_index(page)] == 0) return;
  u64 oldest_left = ring_.fills;
  for (u64 number = std::max(since(flushed_all_), oldest_large_); number < ring_.fills; ++number) {
    const u32 flags = place(number);
    if ((flags & TlbRing::kHigh) == 0 || (flags & TlbRing::kLarge) == 0) continue;
    constexpr unsigned kLargeShift = 9;  // pages in 2 MiB
    const unsigned shift = (flags & TlbRing::kGiant) != 0 ? kGiantShift : kLargeShift;
    const Listed each = listed(number);
    if (each.page >> shift == page >> shift) {
      clear(each.page, each.privilege);
      place(number) = 0;
    } else {
      oldest_left = std::min(oldest_left, number);
    }
  }
  oldest_large_ = oldest_left;
}

void Tlb::watch(BackingOffset first, u64 size) {
  const u64 low = reinterpret_cast<u64>(bus_.store().host(first)) & kPageMask;
  size += first.raw & (kPageSize - 1);
  for (u64 number = since(flushed_all_); number < ring_.fills; ++number) {
    if (place(number) == 0) continue;
    const Listed each = listed(number);
    const Entries own = entries(each.page, each.privilege);
    if (!own || (*own.write & kTlbFast) == 0) continue;
    const u64 host = (*own.write & kPageMask) + (each.page << kPageShift);
    if (host - low >= size) continue;
    *own.write = (*own.write & kPageMask) | kTlbPresent | kTlbWatched;
    forget_inline(each.page, each.privilege);
  }
}

void Tlb::unwatch(LinAddr address, Privilege privilege) {
  const Entries own = entries(page_of(address), index(privilege));
  if (own && (*own.write & kTlbWatched) != 0) *own.write = (*own.write & kPageMask) | kTlbFast;
}

}  // namespace relic86
