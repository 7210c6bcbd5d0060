// Images of blank floppies with a FAT12 file system, for people who want to put files on one.
#pragma once

#include <string>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

// kilobytes: 360, 720, 1200, 1440 or 2880. A file that is there already stays as it is. Errors name the file, the cause
// and the mend.
Result<> create_floppy_image(const std::string& path, u64 kilobytes);

}  // namespace relic86
