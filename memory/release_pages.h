// Giving memory that a guest does not use back to the host.
#pragma once

#include "memory/backing_store.h"

namespace relic86 {

// The pages read as zeros from now on and take no memory of the host until they are written. first and size: multiples
// of 4 KiB within the store.
void release_pages(BackingStore& store, BackingOffset first, u64 size);

}  // namespace relic86
