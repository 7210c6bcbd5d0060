// How samples are stored where they leave the program (-audiodev out.format=).
#pragma once

#include "base/types.h"

namespace relic86 {

enum class SampleFormat : u8 { U8, S16, S32, F32 };

}  // namespace relic86
