// -device piix3-usb-uhci, ich9-usb-ehci1, qemu-xhci, usb-tablet and the like: what the user gave, as the board takes it.
#pragma once

#include <string_view>

#include "base/result.h"
#include "block/drive_medium.h"
#include "devices/board/board_config.h"
#include "options/options.h"
#include "snapshot/saved_drives.h"

namespace relic86 {

Result<> add_usb_controller(const DeviceOption& device, BoardConfig& config);
// When all are there.
Result<> check_usb_controllers(const BoardConfig& config);

// A device on USB; its disk, if it is one, is among the media. Nullopt: it is none.
Result<std::optional<UsbDeviceConfig>> usb_device_config(const Options& options, const DeviceOption& device,
                                                         const DriveMedia& media);
// Adds it to the board. False: it is no device on USB.
Result<bool> add_usb_device(const Options& options, const DeviceOption& device, const DriveMedia& media,
                            BoardConfig& config);

// The properties of such a device, separated by blanks; empty: it is none.
std::string_view usb_device_properties(std::string_view name);

}  // namespace relic86
