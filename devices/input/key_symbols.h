// X11's keysyms (X Window System Protocol, appendix A; keysymdef.h), which the RFB protocol names keys by.
#pragma once

#include <optional>

#include "devices/input/key_codes.h"

namespace relic86 {

// Of a key that types nothing: Return, F1, Shift_L. On the keypad: of its digits, too.
std::optional<KeyCode> key_of_symbol(u32 keysym);
// What a keysym types; 0: nothing.
char32_t character_of_symbol(u32 keysym);

}  // namespace relic86
