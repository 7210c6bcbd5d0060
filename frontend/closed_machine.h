// --on-close save: a machine that is closed is saved, and the next start goes on with it.
#pragma once

#include "machine/machine.h"

namespace relic86 {

// Goes on with what was saved at the last close, if anything was and it is wanted. What is saved is deleted once it is
// loaded: it belongs to the disks as they were then, and going back to it later would take the guest's writes back. A
// start that does not go on with it, and would write to those disks or be saved in its place, is an error. Before
// -loadvm, which changes the disks.
Result<> resume_closed(Machine& machine);
// After the run. A machine that the guest powered off has nothing to go on with.
Result<> save_closed(Machine& machine);

}  // namespace relic86
