#include "memory/release_pages.h"

#include <sys/mman.h>

#include <cstring>

namespace relic86 {

void release_pages(BackingStore& store, BackingOffset first, u64 size) {
  // The store is an anonymous mapping: dropped pages come back as zeros. A host with larger pages than the guest's
  // refuses, and they are zeroed instead.
  if (madvise(store.host(first), size, MADV_DONTNEED) != 0) std::memset(store.host(first), 0, size);
  store.note_write(first, size);
}

void take_small_pages(BackingStore& store) {
  // A host that knows no huge pages refuses, and has nothing to change.
  (void)madvise(store.host(BackingOffset(0)), store.size(), MADV_NOHUGEPAGE);
}

}  // namespace relic86
