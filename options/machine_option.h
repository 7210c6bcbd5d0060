// -machine and -accel.
#pragma once

#include <string_view>

#include "options/options.h"

namespace relic86 {

Result<> set_machine(Options& options, std::string_view value);
Result<> set_accel(Options& options, std::string_view value);

}  // namespace relic86
