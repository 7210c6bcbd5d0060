// The keys as USB keyboards know them.
#pragma once

#include "devices/input/key_codes.h"

namespace relic86 {

// The usage of a key (HID Usage Tables 1.12, page 07h); 0: it has none there, as the keys for media and browsers.
u8 hid_usage(KeyCode key);

}  // namespace relic86
