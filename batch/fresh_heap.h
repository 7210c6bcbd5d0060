// The heap of a process that has just been forked.
#pragma once

namespace relic86::batch {

// From now on what is allocated lies in pages of this process alone. The heap that it was forked with has free places
// all over; each that is used again costs a copy of the page around it.
void begin_fresh_heap();

}  // namespace relic86::batch
