// Host sound: -audiodev, -audio, and the names by which cards and the speaker refer to them.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// -audiodev [driver=]DRIVER,id=ID[,PROP=V...]. A driver of QEMU's that does not exist here is played by another one,
// with a warning.
Result<> add_audio_device(Options& options, std::string_view value);
// -audio [driver=]DRIVER[,model=CARD]: a back end and a card in one; without a card it is the speaker's.
Result<> set_audio(Options& options, std::string_view value);

// -machine pcspk-audiodev=ID and -device ..,audiodev=ID name an -audiodev, wherever on the command line that stands.
Result<> check_audio_names(const Options& options);

}  // namespace relic86
