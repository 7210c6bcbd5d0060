// The user's machines: each has a folder of its name with machine.toml, its disk and what was saved of it
// (XDG Base Directory Specification: $XDG_DATA_HOME/relic86/machines, by default ~/.local/share/relic86/machines).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace relic86 {

// The folder of all machines, which need not be there yet. Fails where the user has no home.
Result<std::string> machines_folder();
// The folder of one machine, which need not be there.
Result<std::string> machine_folder(std::string_view name);
// Letters, digits, '.', '_', '-', '+'; no '.' or '-' first, at most 64.
Result<> check_machine_name(std::string_view name);
// The file of a machine that is there.
std::optional<std::string> find_machine(std::string_view name);
// The names of those that are there, sorted.
std::vector<std::string> machine_names();

}  // namespace relic86
