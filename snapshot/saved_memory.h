// Guest memory in a saved machine: RAM, ROMs and video RAM, pages that hold zeros only left out.
//
//   section "MEM "  u64 bytes of memory, then chunks of up to 1 MiB that hold anything but zeros, ascending:
//     u64 offset, u64[4] pages that are there (bit n: page n of the chunk), u32 compressed size, those pages by zstd
#pragma once

#include "memory/backing_store.h"
#include "snapshot/state_file.h"

namespace relic86 {

void save_memory(StateFileWriter& file, const BackingStore& store);
// Everything that load_memory() will read is sound and fits this store.
Result<> check_memory(const StateFileReader& file, const BackingStore& store);
Result<> load_memory(const StateFileReader& file, BackingStore& store);

}  // namespace relic86
