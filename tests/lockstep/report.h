// What is printed of a first difference: everything needed to repair it.
#pragma once

#include <string>

#include "tests/lockstep/machine_pair.h"

namespace relic86 {

// The pair is equal now and differs after `last` instructions, not before. Runs both there: call it in a copy of the
// process.
std::string report_difference(MachinePair& pair, u64 last);

}  // namespace relic86
