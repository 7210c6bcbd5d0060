// What the window's title bar says.
#pragma once

#include <string>

#include "display/window_host.h"

namespace relic86 {

// "relic86 - dos (running, 8.5 MIPS, at 62 % speed, Caps) - Ctrl+Alt+G frees the mouse"
std::string window_title(const MachineSummary& summary, bool grabbed);

}  // namespace relic86
