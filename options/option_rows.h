// The options one by one, for who reads them from somewhere else than a command line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace relic86 {

struct Options;

// Whether a word follows the option; nullopt: there is no such option. name: without its dash.
std::optional<bool> option_takes_argument(std::string_view name);
// Carries an option out. written: as the user wrote it, for messages. value: empty where nothing follows.
Result<> apply_option(Options& options, std::string_view name, std::string_view written, std::string_view value);
// Whether what follows is the path of a file or a folder on the host.
bool option_names_file(std::string_view name);
// What follows, as -help writes it: "SIZE".
std::string_view option_argument(std::string_view name);
// "-m", "--timeout": as -help writes it.
std::string written_option(std::string_view name);
// Every option that -help lists.
std::vector<std::string_view> option_names();

// The -help text; its first line contains "QEMU" (harnesses look for it).
std::string help_text();

}  // namespace relic86
