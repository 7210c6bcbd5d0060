// Texts by which systems say that they have failed for good, known by system. What guests print is data from outside: a
// row names the words that the system's own sources print, and nothing that programs are likely to print in passing.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace relic86::batch {

struct PanicText {
  std::string_view group;  // "linux", "bsd" .. as `panics` in a suite names them
  std::string_view name;   // for reports: "Linux kernel panic"
  std::string_view text;   // somewhere in a line, or at its beginning
  bool at_line_start = false;
};
std::span<const PanicText> panic_texts();
// "linux", "bsd" ..
std::vector<std::string_view> panic_groups();

// The first panic of these groups in a line; null: none. A kernel's time stamp, "[    1.234567] ", counts as nothing.
const PanicText* find_panic(std::string_view line, std::span<const std::string> groups);

}  // namespace relic86::batch
