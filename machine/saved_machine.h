// savevm, loadvm, delvm: a whole machine in one file, DIR/TAG.relic86 (docs/saved-machines.md). Call these on the
// machine's thread, between two instructions.
#pragma once

#include <string>

#include "base/result.h"

namespace relic86 {

class Machine;

// The running machine goes on; what was saved under this tag before is replaced.
Result<> save_machine(Machine& machine, const std::string& tag);
// Checks everything first: after most errors the machine is as it was and goes on. After an error that the message says
// came too late for that, the machine is paused.
Result<> load_machine(Machine& machine, const std::string& tag);
Result<> delete_saved_machine(Machine& machine, const std::string& tag);
// The table of info snapshots.
std::string describe_saved_machines(Machine& machine);
// Writable images whose saved machines are in the state folder go on keeping what they overwrite. Called when media
// have been put into drives.
void attach_journals(Machine& machine);

}  // namespace relic86
