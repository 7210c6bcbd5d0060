// --machine-file FILE.toml: a machine's options as keys of a TOML file, so that a machine has a name and a place.
//
// A key is an option's name without its dash. What follows the option is a text, a number, a list of texts for an
// option that is given more than once, or a table for one with properties; an option without an argument takes true or
// false. `memory`, `vcpus` and `disk` are words for -m, -smp and -hda to -hdd. Paths count from the file's folder.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "options/options.h"
#include "options/toml_document.h"

namespace relic86 {

// Adds what the file says to the options. Errors say "FILE:LINE: KEY: cause; mend".
Result<> take_machine_file(Options& options, const std::string& file);
// The same of a file that is read already.
Result<> take_machine_tree(Options& options, const std::string& file, const TomlValue& tree);

// A message about the options, found when they were looked at together or when the machine was made, with the place
// in the machine file that it is about in front of it: known by the option and the value that the message names.
std::string blame_machine_file(const Options& options, const std::string& message);

}  // namespace relic86
