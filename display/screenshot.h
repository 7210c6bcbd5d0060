// Writes a picture of the guest's screen to a file: the monitor's screendump.
#pragma once

#include <string>

#include "base/result.h"
#include "devices/host_sinks.h"

namespace relic86 {

enum class PictureFormat : u8 { Ppm, Png };

// Replaces the file. Errors: an empty picture, a path that cannot be written, a full disk; the message names the path.
Result<> write_screenshot(const Frame& frame, const std::string& path, PictureFormat format);

}  // namespace relic86
