// Which keys type a character on a keyboard of a layout: for typing and pasting text into the guest.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "devices/input/key_codes.h"
#include "devices/input/key_layouts.h"

namespace relic86 {

// Hold the modifiers, press and release the keys in their order, release the modifiers.
struct KeyChord {
  bool shift = false;
  bool control = false;
  bool alt = false;
  bool right_alt = false;  // AltGr
  std::vector<KeyCode> keys;
};

// What the layout has is typed by its key (newline: Enter); typographic quotes, dashes and blanks as their plain
// relatives; other characters of code page 437 as Alt with their number on the keypad, which DOS understands. nullopt:
// not to be typed.
std::optional<KeyChord> chord_for(char32_t character, const KeyLayout& layout = key_layouts().front());

// The chords of a UTF-8 text, in order; a CR LF pair is one Enter. Characters that cannot be typed, and malformed
// bytes, are left out, and counted in left_out if it is given.
std::vector<KeyChord> chords_for_text(std::string_view utf8, unsigned* left_out = nullptr,
                                      const KeyLayout& layout = key_layouts().front());

}  // namespace relic86
