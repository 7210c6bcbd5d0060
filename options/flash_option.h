// Flash memory: -pflash, -machine pflash0= and pflash1=. -drive if=pflash is a drive like others.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// -pflash FILE: the next chip.
Result<> add_flash(Options& options, std::string_view value);
// At the end of the command line: the chips that -machine names get their images, and all fit together.
Result<> resolve_flash(Options& options);

}  // namespace relic86
