// How much of the host's memory a guest takes.
#pragma once

#include "memory/backing_store.h"

namespace relic86 {

// The pages read as zeros from now on and take no memory of the host until they are written. first and size: multiples
// of 4 KiB within the store.
void release_pages(BackingStore& store, BackingOffset first, u64 size);

// From now on the host gives memory that is touched for the first time in pages of its smallest size, not in huge ones:
// for a copy of a machine that lives too short to touch much.
void take_small_pages(BackingStore& store);

}  // namespace relic86
