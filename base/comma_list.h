// Texts separated by commas, in which a doubled comma stands for one: QEMU's way to write lists in one argument.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relic86 {

// "a,b,,c" is "a" and "b,c". Nothing is one empty text.
std::vector<std::string> split_at_commas(std::string_view list);
// With its commas doubled, as one text of such a list.
std::string double_commas(std::string_view text);

}  // namespace relic86
