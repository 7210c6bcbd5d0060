// -sandbox on: once the machine is there, the process gives up what it needs no more (docs/sandbox.md). System calls
// are filtered by seccomp, with QEMU's groups; files are those of the machine's folders, by Landlock.
#pragma once

#include "base/result.h"
#include "options/options.h"

namespace relic86 {

// Before threads are made. Nothing to do unless options.sandbox.on.
Result<> enter_sandbox(const Options& options);
// The system calls alone.
Result<> filter_system_calls(const SandboxOption& sandbox);

}  // namespace relic86
