// Reads a picture from a PNG file: what the guest's screen is compared with.
#pragma once

#include <string>

#include "base/result.h"
#include "devices/host_sinks.h"

namespace relic86 {

// The error says "FILE: cause; mend".
Result<Frame> read_picture(const std::string& path);

}  // namespace relic86
