// -device, -set and -usbdevice.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// -device NAME,PROP=VALUE.., or JSON, appended to options.devices.
Result<> add_device(Options& options, std::string_view value);
// -usbdevice NAME: a device of the USB controller's, in QEMU's oldest form.
Result<> add_usb_device(Options& options, std::string_view value);
// -set GROUP.ID.PROPERTY=VALUE: one more word for a -device or -drive that stands before it.
Result<> set_property(Options& options, std::string_view value);
// At the end of the command line, because -device words may stand before the drives and character devices that they
// name: carries out those that concern such a one, and leaves the others in options.devices.
Result<> resolve_devices(Options& options);

}  // namespace relic86
