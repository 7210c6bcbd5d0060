#include "devices/video/picture_pages.h"

#include <algorithm>

namespace relic86 {

bool PicturePages::take(BackingStore& store, BackingOffset memory, u32 start, u32 end, bool all) {
  start_ = start & ~(kPageSize - 1);
  const u32 pages = (end - start_ + kPageSize - 1) / kPageSize;
  pages_.assign(pages, 0);
  u32 first = pages;
  u32 last = 0;
  for (u32 page = 0; page < pages; page++) {
    const BackingOffset at = memory + (start_ + page * kPageSize);
    // A page that nobody watches was never armed: nothing is known about it.
    if (!all && !store.dirty(at) && store.watched(at)) continue;
    pages_[page] = 1;
    first = std::min(first, page);
    last = page + 1;
  }
  if (first >= last) return false;
  store.arm_dirty(memory + (start_ + first * kPageSize), u64{last - first} * kPageSize);
  return true;
}

bool PicturePages::any(u32 start, u32 end) const {
  const auto from = pages_.begin() + std::min<std::size_t>((start - start_) / kPageSize, pages_.size());
  const auto to = pages_.begin() + std::min<std::size_t>((end - 1 - start_) / kPageSize + 1, pages_.size());
  return from < to && std::find(from, to, 1) != to;
}

}  // namespace relic86
