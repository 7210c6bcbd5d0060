// Devices of QEMU's that relic86 does not have: why, and what does their work.
#pragma once

#include <string_view>

namespace relic86 {

// Empty: no device of QEMU's that is known here.
std::string_view foreign_device_reason(std::string_view name);

}  // namespace relic86
