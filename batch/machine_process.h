// The process of a machine: builds it, carries out a test, tells the runner what came of it. If the test ends in a
// point that others start from, the process stays as it is, and forks one for each of them.
#pragma once

#include <sys/types.h>

#include <string>

#include "batch/channel.h"
#include "batch/suite.h"

namespace relic86::batch {

// In a process that has just been forked off the runner and has nothing of it but this end of a channel. folder: for
// what the test leaves; it is there.
[[noreturn]] void be_machine_process(const Suite& suite, std::size_t test, const std::string& folder, Channel runner,
                                     pid_t parent);

}  // namespace relic86::batch
