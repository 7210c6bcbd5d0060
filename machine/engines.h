// Which engine runs the guest.
#pragma once

#include <memory>

#include "base/result.h"
#include "cpu/cpu.h"
#include "cpu/executor.h"
#include "options/options.h"

namespace relic86 {

class ProcessorThread;

// The engine that -accel asks for; by default the best that this build has. thread: of the processor, if each has a host
// thread of its own.
Result<std::unique_ptr<Executor>> make_engine(const Options& options, Cpu& cpu, PhysicalBus& bus,
                                              ProcessorThread* thread);

// Whether the host sleeps while the guest waits for the vertical retrace (--jit-opt -retrace-sleep: it does not).
bool sleeps_until_retrace(const Options& options);

}  // namespace relic86
