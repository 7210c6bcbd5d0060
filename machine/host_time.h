// The host's clocks. The only file that reads them: everything else sees guest time.
#pragma once

#include "base/types.h"

namespace relic86 {

i64 host_monotonic_ns();  // nanoseconds from some start, never backwards
// The host's time stamp counter, as RDTSC reads it.
u64 host_ticks();
// Whether that counter goes at one rate whatever the processor does (invariant TSC: SDM 3B 17.17.1).
bool host_ticks_are_steady();
i64 host_unix_seconds();  // UTC
i64 host_unix_microseconds();
// Nanoseconds that the calling thread, though ready, has waited for a processor since it began; 0 where the host does
// not say (Linux: CONFIG_SCHED_INFO).
i64 host_thread_wait_ns();
// Seconds east of UTC of the host's time zone at that moment (-rtc base=localtime).
i64 host_utc_offset_seconds(i64 unix_seconds);

}  // namespace relic86
