// The library that holds everything of SDL (relic86-sdl.so): loaded when a window or the host's sound is wanted.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace relic86 {

// Where it may lie: next to the program (as built), or where an installation puts it.
std::vector<std::string> sdl_libraries();
// One of the library's entry points. Errors say the cause and how to mend it; the caller names what is wanted.
Result<void*> sdl_entry_point(const char* name);

}  // namespace relic86
