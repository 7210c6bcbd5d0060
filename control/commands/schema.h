// query-qmp-schema: the tables of commands, events and types as clients read them.
#pragma once

#include "control/commands/command.h"

namespace relic86 {

// The SchemaInfo list (QMP reference manual, "Introspection") of these commands, all events, and the types that they
// use.
Json describe_schema(std::span<const Command> commands);

}  // namespace relic86
