// SDL's keys to the guest's.
#pragma once

#include <SDL.h>

#include <optional>

#include "devices/input/key_codes.h"

namespace relic86 {

// By position on the keyboard, whatever the host's layout: the guest has a layout of its own.
std::optional<KeyCode> key_of_scancode(SDL_Scancode scancode);

// The letter of a shortcut such as Ctrl+Alt+G, upper case: as the host's layout labels the key, or by position if the
// layout has no Latin letters. 0: no letter.
char shortcut_letter(const SDL_Keysym& key);

}  // namespace relic86
