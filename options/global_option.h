// -global.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// DRIVER.PROPERTY=VALUE, or driver=DRIVER,property=PROPERTY,value=VALUE. What tunes devices that do not exist, or that
// a guest cannot see, is taken without an effect.
Result<> set_global(Options& options, std::string_view value);

}  // namespace relic86
