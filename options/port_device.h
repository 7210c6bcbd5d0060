// The -device words for ports of the board: isa-serial, isa-parallel, isa-debugcon, VGA.
#pragma once

#include <string_view>

#include "options/options.h"

namespace relic86 {

// Carries out a -device that asks for such a port. False: it does not.
Result<bool> attach_port_device(Options& options, const DeviceOption& device);

// The properties of such a device, separated by blanks, for '-device NAME,help'; empty: no such device.
std::string_view port_device_properties(std::string_view name);

}  // namespace relic86
