// QEMU's short words for drives: -fda, -hda, -cdrom and -hdachs.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// index: the drive, 0 for -fda. The file is not looked at yet.
Result<> add_floppy(Options& options, unsigned index, std::string_view value);
// index: the place on the IDE channels, 0 to 3.
Result<> add_hard_disk(Options& options, unsigned index, std::string_view value);
Result<> add_cdrom(Options& options, std::string_view value);
// -hdachs CYLS,HEADS,SECS[,TRANS]: the geometry of the first disk, in QEMU's oldest form.
Result<> set_first_geometry(Options& options, std::string_view value);

}  // namespace relic86
