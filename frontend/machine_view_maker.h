// The menu's side of a machine: its view, and its commands carried out by the table that QMP and the monitor use.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "display/machine_view.h"
#include "machine/machine.h"

namespace relic86 {

// Pictures of saved machines, read once for each time that a machine is saved under a tag.
using SavedPictures = std::map<std::string, std::pair<i64, std::shared_ptr<const Frame>>>;

// Both on the machine's thread.
MachineView make_machine_view(Machine& machine, SavedPictures& pictures);
// What to tell the user about it: an error, what was done, or nothing.
std::string carry_out(Machine& machine, const MenuCommand& command);

}  // namespace relic86
