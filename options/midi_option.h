// -midi: what plays the notes of the guest's MPU-401.
#pragma once

#include <string_view>

#include "base/result.h"

namespace relic86 {

struct Options;

// -midi [driver=]synth|none[,soundfont=FILE][,gain=G], or -midi chardev=ID.
Result<> set_midi(Options& options, std::string_view value);

}  // namespace relic86
