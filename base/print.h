// Text for the user. Unlike fmt::print, a closed pipe or a full disk behind the stream is no reason to end the machine.
#pragma once

#include <cstdio>
#include <string_view>

namespace relic86 {

inline void print_text(std::FILE* stream, std::string_view text) { std::fwrite(text.data(), 1, text.size(), stream); }

}  // namespace relic86
