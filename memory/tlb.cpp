#include "memory/tlb.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace relic86 {

namespace {
constexpr u64 kPositionBytes = kLinearPages * sizeof(u32);
constexpr u64 kPageMask = ~u64{kPageSize - 1};
}  // namespace

Tlb::Tlb(TlbTables& tables, PhysicalBus& bus, u32 cap) : tables_(tables), bus_(bus), cap_(cap) {
  RELIC86_ASSERT(cap >= 4);
  for (auto& positions : positions_) {
    void* memory =
        mmap(nullptr, kPositionBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    positions = static_cast<u32*>(memory);
  }
}

Tlb::~Tlb() {
  for (u32* positions : positions_) munmap(positions, kPositionBytes);
}

void Tlb::fill(const TlbFill& fill) {
  const u32 page = page_of(fill.page);
  const unsigned privilege = index(fill.privilege);
  if (const u32 position = positions_[privilege][page]; position == 0) {
    if (live_entries() >= cap_) make_room();
    list(page, privilege, fill.global, fill.fetched);
  } else if (((position & kGlobal) != 0) != fill.global) {
    const bool code = listed_at(position).code != 0;
    unlist(page, privilege);
    list(page, privilege, fill.global, code || fill.fetched);
  } else if (fill.fetched) {
    listed_at(position).code = 1;
  }
  if (fill.large) large_.set(page >> 10);

  const u64 linear = u64{page} << kPageShift;
  BackingStore& store = bus_.store();
  u64& read = tables_.read[privilege][page];
  u64& write = tables_.write[privilege][page];
  const auto addend = [&](BackingOffset backing) { return reinterpret_cast<u64>(store.host(backing)) - linear; };
  const auto written = [&](BackingOffset backing) {
    return addend(backing) | (store.watched(backing) ? kTlbPresent | kTlbWatched : kTlbFast);
  };
  if (BackingOffset backing{}; bus_.plain(fill.physical, backing)) {
    read = addend(backing) | kTlbFast;
    write = fill.writable ? written(backing) : 0;
  } else {
    const PhysPage& target = bus_.page(fill.physical);
    const u64 slow = (fill.physical.raw & kPageMask) | kTlbPresent | kTlbMmio;
    const auto backed = [](const PageTarget& each) { return each.kind == PageTarget::Kind::Backing; };
    read = backed(target.read) ? addend(target.read.backing) | kTlbFast : slow;
    write = !fill.writable ? 0 : backed(target.write) ? written(target.write.backing) : slow;
  }
  if (fill.fetched) tables_.code[privilege][page] = read;
  if (!debug_pages_.empty() && std::find(debug_pages_.begin(), debug_pages_.end(), page) != debug_pages_.end())
    slow_down(page, privilege);
}

void Tlb::set_cap(u32 cap) {
  RELIC86_ASSERT(cap >= 4);
  flush_all();
  cap_ = cap;
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

void Tlb::clear(const Live& live) {
  tables_.read[live.privilege][live.page] = 0;
  tables_.write[live.privilege][live.page] = 0;
  // Seldom there: the host need not commit what only says so.
  if (live.code != 0) tables_.code[live.privilege][live.page] = 0;
  positions_[live.privilege][live.page] = 0;
}

void Tlb::clear_all(List& listed) {
  for (std::size_t i = listed.first; i < listed.entries.size(); ++i) {
    const Live live = listed.entries[i];
    if (live.dropped == 0) clear(live);
  }
  listed.entries.clear();
  listed.first = listed.count = 0;
}

void Tlb::flush_all() {
  for (List& listed : live_) clear_all(listed);
  large_.reset();
  flushes_++;
}

void Tlb::flush_non_global() {
  clear_all(live_[0]);
  flushes_++;
}

void Tlb::list(u32 page, unsigned privilege, bool global, bool code) {
  const unsigned which = global ? 1 : 0;
  List& listed = live_[which];
  if (listed.entries.size() >= std::size_t{2} * cap_) close_up(which);
  listed.entries.push_back({page & (kLinearPages - 1), privilege & 1, 0, code ? 1u : 0u, fills_++});
  ++listed.count;
  positions_[privilege][page] = static_cast<u32>(listed.entries.size()) | (global ? kGlobal : 0);
}

// The dropped ones go.
void Tlb::close_up(unsigned which) {
  List& listed = live_[which];
  std::erase_if(listed.entries, [](const Live& live) { return live.dropped != 0; });
  listed.first = 0;
  for (std::size_t i = 0; i < listed.entries.size(); ++i) {
    const Live& live = listed.entries[i];
    positions_[live.privilege][live.page] = static_cast<u32>(i + 1) | (which == 1 ? kGlobal : 0);
  }
}

void Tlb::unlist(u32 page, unsigned privilege) {
  const u32 position = positions_[privilege][page];
  listed_at(position).dropped = 1;
  --live_[(position & kGlobal) != 0 ? 1 : 0].count;
}

bool Tlb::executing(u32 page) const {
  if (code_offset_ == nullptr) return false;
  const u32 here = page_of(LinAddr(static_cast<u32>(*code_base_ + *code_offset_)));
  return page == here || page == ((here + 1) & (kLinearPages - 1));
}

// What the next replacement is going to change.
void Tlb::look_ahead(const List& listed) const {
  constexpr std::size_t kDistance = 2;
  if (listed.first + kDistance >= listed.entries.size()) return;
  const Live next = listed.entries[listed.first + kDistance];
  __builtin_prefetch(&tables_.read[next.privilege][next.page], 1);
  __builtin_prefetch(&tables_.write[next.privilege][next.page], 1);
  __builtin_prefetch(&positions_[next.privilege][next.page], 1);
}

// The oldest entry goes, or the oldest that is not of the code being executed.
void Tlb::make_room() {
  constexpr unsigned kExecuting = 4;  // entries at most: two pages, two privileges
  for (unsigned passed = 0;; ++passed) {
    for (List& listed : live_) {
      while (listed.first < listed.entries.size() && listed.entries[listed.first].dropped != 0) ++listed.first;
    }
    const auto age = [&](const List& listed) {
      return listed.count != 0 ? fills_ - listed.entries[listed.first].fill : 0u;
    };
    const unsigned which = age(live_[0]) > age(live_[1]) ? 0 : 1;
    const Live oldest = live_[which].entries[live_[which].first];
    if (passed < kExecuting && executing(oldest.page)) {
      unlist(oldest.page, oldest.privilege);
      list(oldest.page, oldest.privilege, which == 1, oldest.code != 0);
      continue;
    }
    const u64 read = tables_.read[oldest.privilege][oldest.page];
    if ((read & kTlbFast) != 0 && replaced_.count++ < replaced_.pages.size())
      replaced_.pages[replaced_.count - 1] = (read & kPageMask) + (u64{oldest.page} << kPageShift);
    if (oldest.code != 0) flushes_++;
    drop(oldest.page, oldest.privilege);
    look_ahead(live_[which]);
    return;
  }
}

void Tlb::drop(u32 page, unsigned privilege) {
  const u32 position = positions_[privilege][page];
  if (position == 0) return;
  const Live live = listed_at(position);
  unlist(page, privilege);
  clear(live);
}

void Tlb::flush_page(LinAddr address) {
  const u32 page = page_of(address);
  const u32 region = page >> 10;
  flushes_++;
  if (!large_.test(region)) {
    for (unsigned privilege = 0; privilege < 2; privilege++) drop(page, privilege);
    return;
  }
  for (u32 each = region << 10; each < (region + 1) << 10; each++) {
    for (unsigned privilege = 0; privilege < 2; privilege++) drop(each, privilege);
  }
  large_.reset(region);
}

void Tlb::watch(BackingOffset first, u64 size) {
  const u64 low = reinterpret_cast<u64>(bus_.store().host(first)) & kPageMask;
  size += first.raw & (kPageSize - 1);
  for (const List& listed : live_) {
    for (const Live& live : listed.entries) {
      if (live.dropped != 0) continue;
      u64& entry = tables_.write[live.privilege][live.page];
      if ((entry & kTlbFast) == 0) continue;
      const u64 host = (entry & kPageMask) + (u64{live.page} << kPageShift);
      if (host - low < size) entry = (entry & kPageMask) | kTlbPresent | kTlbWatched;
    }
  }
}

void Tlb::unwatch(LinAddr address, Privilege privilege) {
  u64& entry = tables_.write[index(privilege)][page_of(address)];
  if ((entry & kTlbWatched) != 0) entry = (entry & kPageMask) | kTlbFast;
}

}  // namespace relic86
