// -sandbox: what of the host the process gives up once the machine is there.
#pragma once

#include <string_view>

#include "options/options.h"

namespace relic86 {

Result<> set_sandbox(Options& options, std::string_view value);

}  // namespace relic86
