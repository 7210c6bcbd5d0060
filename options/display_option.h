// What shows the guest's screen: -display and its old forms, -vga, -k.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// -display TYPE[,PROP=V...]. Displays of QEMU that do not exist here are refused with what does their work.
Result<> set_display(Options& options, std::string_view value);
// -vga ADAPTER
Result<> set_vga(Options& options, std::string_view value);
// -k LAYOUT
Result<> set_keyboard(Options& options, std::string_view value);

}  // namespace relic86
