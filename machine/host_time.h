// The host's clocks. The only file that reads them: everything else sees guest time.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include "base/types.h"

namespace relic86 {

i64 host_monotonic_ns();  // nanoseconds from some start, never backwards
// The host's time stamp counter, as RDTSC reads it.
u64 host_ticks();
// Whether that counter goes at one rate whatever the processor does (invariant TSC: SDM 3B 17.17.1).
bool host_ticks_are_steady();
i64 host_unix_seconds();  // UTC
i64 host_unix_microseconds();
// Nanoseconds that a thread of this process, though ready, has waited for a processor since it began; 0 where the host
// does not say (Linux: CONFIG_SCHED_INFO). host_thread(): the calling one.
pid_t host_thread();
i64 host_thread_wait_ns(pid_t thread = host_thread());
// Nanoseconds for which the host's processors have run this thread; 0 where the host does not say.
i64 host_thread_work_ns(pthread_t thread);
// Seconds east of UTC of the host's time zone at that moment (-rtc base=localtime).
i64 host_utc_offset_seconds(i64 unix_seconds);

}  // namespace relic86
