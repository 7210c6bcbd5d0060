// What the guest's firmware is told, and where it comes from: -boot, -fw_cfg, -uuid, -L.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// -boot [order=]acdn,once=..,menu=on|off,strict=on|off
Result<> set_boot(Options& options, std::string_view value);
// -fw_cfg [name=]NAME,file=F|string=S
Result<> set_firmware_file(Options& options, std::string_view value);
Result<> set_uuid(Options& options, std::string_view value);
Result<> set_firmware_dir(Options& options, std::string_view value);

}  // namespace relic86
