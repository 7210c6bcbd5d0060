// The options one by one, for who reads them from somewhere else than a command line.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace relic86 {

struct Options;

// Whether a word follows the option; nullopt: there is no such option. name: without its dash.
std::optional<bool> option_takes_argument(std::string_view name);
// Carries an option out. written: as the user wrote it, for messages. value: empty where nothing follows.
Result<> apply_option(Options& options, std::string_view name, std::string_view written, std::string_view value);
// "-m", "--timeout": as -help writes it.
std::string written_option(std::string_view name);
// Every option that -help lists.
std::vector<std::string_view> option_names();

}  // namespace relic86
