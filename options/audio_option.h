// Host sound: -audiodev, -audio, -audio-help. There is no sound card, so a back end has nothing to play.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// -audiodev [driver=]DRIVER,id=ID[,PROP=V...]: taken down by its id; drivers other than none get a warning.
Result<> add_audio_device(Options& options, std::string_view value);
// -audio [driver=]DRIVER,model=CARD: a back end and a card in one. Only none without a card exists.
Result<> set_audio(Options& options, std::string_view value);

// -machine pcspk-audiodev=ID names an -audiodev, wherever on the command line that stands.
Result<> check_audio_names(Options& options);

}  // namespace relic86
