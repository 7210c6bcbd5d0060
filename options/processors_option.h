// -smp among the options: its words (options/smp_option.h), and what they and -accel thread= amount to.
#pragma once

#include <string_view>

#include "base/result.h"
#include "options/options.h"

namespace relic86 {

// -smp [cpus=]N,maxcpus=..,sockets=..: several add up.
Result<> set_smp(Options& options, std::string_view value);
// Once all options are known: Options::processors, or why there can be no such processors.
Result<> resolve_processors(Options& options);

}  // namespace relic86
