// The commands as the machine protocol has them: those of control/commands, and the few that are about the protocol
// itself.
#pragma once

#include <string>

#include "control/commands/command.h"

namespace relic86 {

// Whether there is such a command.
bool qmp_knows(const std::string& command);
// arguments: an object. Any input gives a reply.
CommandReply execute_qmp(Machine& machine, const std::string& command, const Json& arguments);

}  // namespace relic86
