#include "memory/backing_store.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace relic86 {

namespace {
constexpr u64 round_up(u64 size) { return (size + kPageSize - 1) & ~u64{kPageSize - 1}; }
constexpr u64 kHugePage = u64{2} << 20;

// Pages before and after that nothing may touch: an access that runs out of the guest's memory ends the program, and
// does not reach what the host keeps beside it.
constexpr u64 kGuard = kHugePage;

// Zeroed memory between guards, aligned for the host's huge pages: guests touch their memory all over, and the host's
// own TLB is small.
void* map_memory(u64 size) {
  const u64 wanted = size + kHugePage + 2 * kGuard;
  void* const raw = mmap(nullptr, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) return raw;
  u8* const first = static_cast<u8*>(raw);
  const u64 head = (kHugePage - reinterpret_cast<u64>(raw) % kHugePage) % kHugePage;
  const u64 tail = kHugePage - head;
  u8* const base = first + head + kGuard;
  if (head != 0) munmap(first, head);
  if (tail != 0) munmap(base + size + kGuard, tail);
  if (mprotect(base, size, PROT_READ | PROT_WRITE) != 0) {
    munmap(base - kGuard, size + 2 * kGuard);
    return MAP_FAILED;
  }
  (void)madvise(base, size, MADV_HUGEPAGE);
  return base;
}
}  // namespace

Result<BackingStore> BackingStore::create(u64 ram_size, u64 extra_size) {
  RELIC86_ASSERT(ram_size % kPageSize == 0);
  BackingStore store;
  store.reserved_ = ram_size + round_up(extra_size);
  void* base = map_memory(store.reserved_);
  if (base == MAP_FAILED) {
    return Error{fmt::format("-m: the host has no room for {} MiB of guest memory: {}; give the guest less",
                             store.reserved_ >> 20, std::strerror(errno))};
  }
  store.base_ = static_cast<u8*>(base);
  store.ram_size_ = store.used_ = ram_size;
  const std::size_t pages = store.reserved_ >> kPageShift;
  store.watch_.resize(pages);
  store.code_.resize(pages);
  store.dirty_.resize(pages);
  return store;
}

BackingStore::BackingStore(BackingStore&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      ram_size_(other.ram_size_),
      used_(other.used_),
      reserved_(other.reserved_),
      watch_(std::move(other.watch_)),
      code_(std::move(other.code_)),
      dirty_(std::move(other.dirty_)),
      code_watches_(std::move(other.code_watches_)),
      watch_listeners_(std::move(other.watch_listeners_)),
      next_key_(other.next_key_) {}

BackingStore::~BackingStore() {
  if (base_ != nullptr) munmap(base_ - kGuard, reserved_ + 2 * kGuard);
}

BackingOffset BackingStore::allocate(u64 size, std::string_view) {
  const BackingOffset offset(used_);
  used_ += round_up(size);
  RELIC86_ASSERT(used_ <= reserved_);
  return offset;
}

u32 BackingStore::on_watch(WatchListener listener) {
  watch_listeners_.push_back({next_key_, std::move(listener)});
  return next_key_++;
}

void BackingStore::forget_watch_listener(u32 key) {
  std::erase_if(watch_listeners_, [key](const KeyedListener& each) { return each.key == key; });
}

void BackingStore::tell_watched(BackingOffset first, u64 size) {
  for (const KeyedListener& each : watch_listeners_) each.listener(first, size);
}

void BackingStore::add_code(BackingOffset page, u64 granules) {
  const u64 index = page.raw >> kPageShift;
  code_[index] |= granules;
  if (code_[index] == 0) return;
  const bool newly = watch_[index] == 0;
  watch_[index] |= kWatchCode;
  if (newly) tell_watched(BackingOffset(index << kPageShift), kPageSize);
}

void BackingStore::keep_code(BackingOffset page, u64 granules) {
  const u64 index = page.raw >> kPageShift;
  u64 gone = code_[index] & ~granules;
  if (code_watches_.size() > 1) {
    for (const CodeWatch* watch : code_watches_) gone &= ~watch->code_held(BackingOffset(index << kPageShift), gone);
  }
  code_[index] &= ~gone;
  if (code_[index] == 0) watch_[index] &= static_cast<u8>(~kWatchCode);
}

void BackingStore::arm_dirty(BackingOffset first, u64 size) {
  bool newly = false;
  for (u64 index = first.raw >> kPageShift; index << kPageShift < first.raw + size; index++) {
    newly = newly || watch_[index] == 0;
    dirty_[index] = 0;
    watch_[index] |= kWatchDirty;
  }
  if (newly) tell_watched(first, size);
}

void BackingStore::mark_dirty(u64 page) {
  if ((watch_[page] & kWatchDirty) == 0) return;
  dirty_[page] = 1;
  watch_[page] &= static_cast<u8>(~kWatchDirty);
}

void BackingStore::note_rewrite(BackingOffset first, u64 length) {
  for (u64 page = first.raw >> kPageShift; page <= (first.raw + length - 1) >> kPageShift; ++page) mark_dirty(page);
}

void BackingStore::note_write(BackingOffset first, u64 length) {
  while (length > 0) {
    const u64 index = first.raw >> kPageShift;
    const u64 in_page = first.raw & (kPageSize - 1);
    const u64 chunk = std::min<u64>(length, kPageSize - in_page);
    mark_dirty(index);
    if ((watch_[index] & kWatchCode) != 0) {
      const unsigned low = static_cast<unsigned>(in_page / 64),
                     high = static_cast<unsigned>((in_page + chunk - 1) / 64);
      const u64 touched = (~u64{0} >> (63 - (high - low))) << low;
      if ((code_[index] & touched) != 0) {
        for (CodeWatch* watch : code_watches_) watch->code_written(first, chunk);
      }
    }
    first = first + chunk;
    length -= chunk;
  }
}

}  // namespace relic86
