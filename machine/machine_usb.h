// What hangs on a machine's USB, for people.
#pragma once

#include <string>

namespace relic86 {

class Machine;

// As `info usb` lists it; an error in QEMU's words without a controller.
std::string describe_usb(Machine& machine);

}  // namespace relic86
