// Who commands the machine: -monitor, -qmp, -mon, -echr.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// A character device, in -serial's words.
Result<> add_text_monitor(Options& options, std::string_view value);
Result<> add_qmp(Options& options, std::string_view value);
Result<> add_pretty_qmp(Options& options, std::string_view value);
// -mon [chardev=]ID,mode=readline|control,pretty=on|off
Result<> add_monitor(Options& options, std::string_view value);
// -echr: a control character's number, or itself.
Result<> set_escape(Options& options, std::string_view value);

}  // namespace relic86
