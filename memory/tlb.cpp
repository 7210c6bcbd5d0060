#include "memory/tlb.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace relic86 {

namespace {
constexpr u64 kPageMask = ~u64{kPageSize - 1};
}  // namespace

Tlb::Tlb(TlbTables& tables, PhysicalBus& bus, u32 cap) : tables_(tables), bus_(bus), ring_(tables.ring) {
  set_cap(cap);
}

void Tlb::fill(const TlbFill& fill) {
  const u32 page = page_of(fill.page);
  const unsigned privilege = index(fill.privilege);
  if (tables_.read[privilege][page] == 0) {
    make_room();
    list(TlbRing::kListed | (fill.global ? TlbRing::kGlobal : 0) | privilege * TlbRing::kUser | page);
  }
  if (fill.large) tables_.large[page >> 10] = 1;

  const u64 linear = u64{page} << kPageShift;
  const PhysPage& target = bus_.page(fill.physical);
  BackingStore& store = bus_.store();
  const u64 slow = (fill.physical.raw & kPageMask) | kTlbPresent | kTlbMmio;
  const auto addend = [&](BackingOffset backing) { return reinterpret_cast<u64>(store.host(backing)) - linear; };
  tables_.read[privilege][page] =
      target.read.kind == PageTarget::Kind::Backing ? addend(target.read.backing) | kTlbFast : slow;
  if (fill.fetched) tables_.code[privilege][page] = tables_.read[privilege][page];
  if (!fill.writable) {
    tables_.write[privilege][page] = 0;
  } else if (target.write.kind != PageTarget::Kind::Backing) {
    tables_.write[privilege][page] = slow | (target.write.kind == PageTarget::Kind::Unmapped ? kTlbIgnored : 0);
  } else {
    const bool watched = store.watched(target.write.backing);
    tables_.write[privilege][page] = addend(target.write.backing) | (watched ? kTlbPresent | kTlbWatched : kTlbFast);
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

void Tlb::set_debug_pages(std::vector<u32> pages) {
  for (unsigned privilege = 0; privilege < 2; privilege++) {
    for (const u32 page : debug_pages_) speed_up(page, privilege);
    for (const u32 page : pages) slow_down(page, privilege);
  }
  debug_pages_ = std::move(pages);
}

void Tlb::slow_down(u32 page, unsigned privilege) {
  const BackingStore& store = bus_.store();
  for (u64* entry : {&tables_.read[privilege][page], &tables_.write[privilege][page]}) {
    if ((*entry & (kTlbFast | kTlbWatched)) == 0) continue;
    const u8* const host = reinterpret_cast<const u8*>((*entry & kPageMask) + (u64{page} << kPageShift));
    *entry = store.offset_of(host).raw | kTlbPresent | kTlbDebug;
  }
}

void Tlb::speed_up(u32 page, unsigned privilege) {
  const BackingStore& store = bus_.store();
  u64& read = tables_.read[privilege][page];
  u64& write = tables_.write[privilege][page];
  for (u64* entry : {&read, &write}) {
    if ((*entry & kTlbDebug) == 0) continue;
    const BackingOffset backing(*entry & kPageMask);
    const u64 addend = reinterpret_cast<u64>(store.host(backing)) - (u64{page} << kPageShift);
    const bool watched = entry == &write && store.watched(backing);
    *entry = addend | (watched ? kTlbPresent | kTlbWatched : kTlbFast);
  }
}

void Tlb::clear(u32 page, unsigned privilege) {
  if (tables_.read[privilege][page] == 0) return;
  --ring_.live;
  tables_.read[privilege][page] = 0;
  tables_.write[privilege][page] = 0;
  // Seldom there: the host need not commit what only says so.
  if (tables_.code[privilege][page] != 0) tables_.code[privilege][page] = 0;
}

void Tlb::flush_all() {
  for (u64 number = since(flushed_all_); number < ring_.fills; ++number) {
    u32& each = place(number);
    if (each != 0) clear(each & (kLinearPages - 1), (each & TlbRing::kUser) != 0 ? 1 : 0);
    each = 0;
  }
  flushed_all_ = flushed_non_global_ = ring_.fills;
  std::memset(tables_.large, 0, sizeof tables_.large);
  flushes_++;
}

void Tlb::flush_non_global() {
  for (u64 number = since(flushed_non_global_); number < ring_.fills; ++number) {
    u32& each = place(number);
    if (each == 0 || (each & TlbRing::kGlobal) != 0) continue;
    clear(each & (kLinearPages - 1), (each & TlbRing::kUser) != 0 ? 1 : 0);
    each = 0;
  }
  flushed_non_global_ = ring_.fills;
  flushes_++;
}

void Tlb::list(u32 place_value) {
  place(ring_.fills++) = place_value;
  ++ring_.live;
}

bool Tlb::executing(u32 page) const {
  if (code_offset_ == nullptr) return false;
  const u32 here = page_of(LinAddr(static_cast<u32>(*code_base_ + *code_offset_)));
  return page == here || page == ((here + 1) & (kLinearPages - 1));
}

// The page goes whose turn it is; one of the code being executed takes its turn again as if it had just come.
void Tlb::make_room() {
  constexpr unsigned kExecuting = 4;  // entries at most: two pages, two privileges
  for (unsigned passed = 0; ring_.fills >= ring_.cap; ++passed) {
    const u32 oldest = std::exchange(place(ring_.fills - ring_.cap), 0);
    const u32 page = oldest & (kLinearPages - 1);
    const unsigned privilege = (oldest & TlbRing::kUser) != 0 ? 1 : 0;
    const u64 read = oldest != 0 ? tables_.read[privilege][page] : 0;
    if (read == 0) return;
    const bool code = tables_.code[privilege][page] != 0;
    if (code && passed < kExecuting && executing(page)) {
      place(ring_.fills++) = oldest;
      continue;
    }
    if ((read & kTlbFast) != 0 && replaced_.count++ < replaced_.pages.size())
      replaced_.pages[replaced_.count - 1] = (read & kPageMask) + (u64{page} << kPageShift);
    if (code) flushes_++;
    clear(page, privilege);
    return;
  }
}

Tlb::InTurn Tlb::in_turn() const {
  InTurn found;
  for (u64 i = 0; i < found.pages.size(); ++i) {
    if (ring_.fills + i < ring_.cap) continue;
    const u32 each = place(ring_.fills + i - ring_.cap);
    const u32 page = each & (kLinearPages - 1);
    const unsigned privilege = (each & TlbRing::kUser) != 0 ? 1 : 0;
    const u64 read = each != 0 ? tables_.read[privilege][page] : 0;
    if (read == 0) continue;
    if ((read & kTlbFast) != 0) found.pages[i] = (read & kPageMask) + (u64{page} << kPageShift);
    if (tables_.code[privilege][page] != 0) found.code = true;
  }
  return found;
}

void Tlb::flush_page(LinAddr address) {
  const u32 page = page_of(address);
  const u32 region = page >> 10;
  flushes_++;
  if (tables_.large[region] == 0) {
    for (unsigned privilege = 0; privilege < 2; privilege++) clear(page, privilege);
    return;
  }
  for (u32 each = region << 10; each < (region + 1) << 10; each++) {
    for (unsigned privilege = 0; privilege < 2; privilege++) clear(each, privilege);
  }
  tables_.large[region] = 0;
}

void Tlb::watch(BackingOffset first, u64 size) {
  const u64 low = reinterpret_cast<u64>(bus_.store().host(first)) & kPageMask;
  size += first.raw & (kPageSize - 1);
  for (u64 number = since(flushed_all_); number < ring_.fills; ++number) {
    const u32 each = place(number);
    const u32 page = each & (kLinearPages - 1);
    u64& entry = tables_.write[(each & TlbRing::kUser) != 0 ? 1 : 0][page];
    if (each == 0 || (entry & kTlbFast) == 0) continue;
    const u64 host = (entry & kPageMask) + (u64{page} << kPageShift);
    if (host - low < size) entry = (entry & kPageMask) | kTlbPresent | kTlbWatched;
  }
}

void Tlb::unwatch(LinAddr address, Privilege privilege) {
  u64& entry = tables_.write[index(privilege)][page_of(address)];
  if ((entry & kTlbWatched) != 0) entry = (entry & kPageMask) | kTlbFast;
}

}  // namespace relic86
