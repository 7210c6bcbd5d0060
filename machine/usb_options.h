// -device piix3-usb-uhci, usb-tablet: what the user gave, as the board takes it.
#pragma once

#include <string_view>

#include "base/result.h"
#include "devices/board/board_config.h"
#include "options/options.h"

namespace relic86 {

Result<> add_usb_controller(const DeviceOption& device, BoardConfig& config);
Result<> add_usb_tablet(const DeviceOption& device, BoardConfig& config);

// The properties of such a device, separated by blanks; empty: it is none.
std::string_view usb_device_properties(std::string_view name);

}  // namespace relic86
