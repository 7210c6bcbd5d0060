// Code page 437, the character set in the PC's ROM fonts.
#pragma once

#include <string_view>

#include "base/types.h"

namespace relic86 {

// The character as UTF-8; the blank ones (0, 20h, FFh) are a space.
std::string_view code_page_437(u8 code);

}  // namespace relic86
