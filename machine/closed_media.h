// A machine that was closed goes on with the floppies and CDs that were in its drives.
#pragma once

#include <string>

#include "base/result.h"

namespace relic86 {

class Machine;

// load_machine(), for a machine whose removable drives may hold something else than when it was saved: first they get
// what they held, and once it goes on what this start has put into them, as if the user had changed the medium.
Result<> load_with_its_media(Machine& machine, const std::string& tag);

}  // namespace relic86
