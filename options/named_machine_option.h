// Machines with a name on the command line: --new, --machine-file and the words without a dash.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// --new KIND NAME: the name is the next word without a dash.
Result<> set_new_machine(Options& options, std::string_view value);
Result<> name_machine_file(Options& options, std::string_view value);
// What stands without a dash: the name for --new, a machine's name, or a disk image.
Result<> take_plain_word(Options& options, std::string_view word);
// At the end of the command line: --new has its name and nothing beside it, which would have no effect.
Result<> check_new_machine(const Options& options);

}  // namespace relic86
