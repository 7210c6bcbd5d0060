#include "batch/fresh_heap.h"

#ifdef RELIC86_MIMALLOC
#include <mimalloc.h>
#endif

namespace relic86::batch {

void begin_fresh_heap() {
#ifdef RELIC86_MIMALLOC
  // Without memory for a heap the old one goes on.
  if (mi_heap_t* const heap = mi_heap_new(); heap != nullptr) mi_heap_set_default(heap);
#endif
}

}  // namespace relic86::batch
