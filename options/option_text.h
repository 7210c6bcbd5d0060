// Words of the command line: "a=b,c" properties, numbers, switches.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

using Properties = std::vector<std::pair<std::string, std::string>>;

std::vector<std::string> split_words(std::string_view text, char separator);

// "a=b,c" as pairs, a word without '=' with an empty value; a ",," stands for one comma (QEMU's escape).
Properties parse_properties(std::string_view text);

// Decimal, or hexadecimal with 0x.
Result<u64> parse_number(std::string_view text);

// "512", "64M", "1G", "640K": bytes. A bare number counts in unit bytes (-m: MiB).
Result<u64> parse_size(std::string_view text, u64 unit);

// on, yes, true or nothing; off, no, false.
Result<bool> parse_switch(std::string_view text);
// The same, with auto as on.
Result<bool> parse_switch_or_auto(std::string_view text);

// A text to print instead of running was asked for: "help" or "?".
inline bool asks_for_help(std::string_view word) { return word == "help" || word == "?"; }

}  // namespace relic86
