// The commands of QMP: what each returns for its arguments.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "machine/machine.h"

namespace relic86 {

using Json = nlohmann::ordered_json;

// What a command returns. An error is a GenericError's text; an unknown command is null.
using QmpResult = Result<Json>;

// Whether there is such a command.
bool qmp_knows(const std::string& command);
// arguments: an object. Any input gives a reply.
QmpResult execute_qmp(Machine& machine, const std::string& command, const Json& arguments);

// The version as QMP's greeting and query-version say it.
Json qmp_version();

}  // namespace relic86
