// The guest's time and the run's: -icount, -rtc, --timeout.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// -icount [shift=]N,sleep=on|off,rr=record|replay,rrfile=FILE
Result<> set_icount(Options& options, std::string_view value);
// -rtc base=..,clock=..,driftfix=..
Result<> set_rtc(Options& options, std::string_view value);
// A number of seconds above 0.
Result<> set_timeout(Options& options, std::string_view value);

}  // namespace relic86
