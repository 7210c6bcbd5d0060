// How long the host has kept a thread waiting for a processor.
#pragma once

#include "base/types.h"

namespace relic86 {

// Of the calling thread, in nanoseconds since its start; it was neither asleep nor running. 0 where the host does not
// say (Linux: Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat), which a sandbox keeps it from.
i64 host_run_delay_ns();

}  // namespace relic86
