// -machine, -accel and -m.
#pragma once

#include <string_view>

#include "options/options.h"

namespace relic86 {

// -m [size=]SIZE.
Result<> set_ram(Options& options, std::string_view value);
Result<> set_machine(Options& options, std::string_view value);
// -usb and -machine usb=: as -device piix3-usb-uhci before all other devices.
void set_usb(Options& options, bool on);
// Several -accel, or the words of -machine accel=a:b, are a list of preferences: the first engine that exists is used.
Result<> set_accel(Options& options, std::string_view value);
// Every property of -machine, for clients that ask.
std::vector<std::string> machine_property_names();
// At the end of the command line: an error when accelerators were named and none of them exists.
Result<> resolve_accel(const Options& options);

}  // namespace relic86
