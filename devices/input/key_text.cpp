#include "devices/input/key_text.h"

#include <array>

#include "base/code_page_437.h"

namespace relic86 {

namespace {

KeyChord tap(KeyCode code) {
  KeyChord chord;
  chord.keys.push_back(code);
  return chord;
}

char32_t plain_relative(char32_t character) {
  switch (character) {
    case 0x2018:
    case 0x2019:
    case 0x201A:
    case 0x2032: return '\'';
    case 0x201C:
    case 0x201D:
    case 0x201E:
    case 0x2033: return '"';
    case 0x2010:
    case 0x2011:
    case 0x2012:
    case 0x2013:
    case 0x2014:
    case 0x2212: return '-';
    case 0x00A0:
    case 0x2002:
    case 0x2003:
    case 0x2009:
    case 0x202F: return ' ';
    case 0x2028:
    case 0x2029:
    case 0x0085: return '\n';
    default: return character;
  }
}

std::optional<KeyChord> control_chord(char32_t character, const KeyLayout& layout) {
  switch (character) {
    case '\n':
    case '\r': return tap(KeyCode::Enter);
    case '\t': return tap(KeyCode::Tab);
    case '\b':
    case 0x7F: return tap(KeyCode::Backspace);
    case 0x1B: return tap(KeyCode::Escape);
    default: break;
  }
  if (character == 0 || character >= 0x20) return std::nullopt;
  auto chord = chord_for(character <= 26 ? character - 1 + U'a' : character + 0x40, layout);  // Ctrl-A, Ctrl-\ ...
  if (chord) chord->control = true;
  return chord;
}

// Takes one character off the front of text; U+FFFD for malformed bytes (RFC 3629).
char32_t take_character(std::string_view& text) {
  const auto first = static_cast<u8>(text.front());
  text.remove_prefix(1);
  if (first < 0x80) return first;
  const unsigned following = first >= 0xF0 && first < 0xF8 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first >= 0xF5) return 0xFFFD;
  char32_t character = first & (0x3Fu >> following);
  for (unsigned i = 0; i < following; i++) {
    if (text.empty() || (static_cast<u8>(text.front()) & 0xC0) != 0x80) return 0xFFFD;
    character = character << 6 | (static_cast<u8>(text.front()) & 0x3F);
    text.remove_prefix(1);
  }
  return character;
}

std::optional<KeyChord> keypad_chord(char32_t character) {
  static constexpr std::array<KeyCode, 10> kDigits = {
      KeyCode::Keypad0, KeyCode::Keypad1, KeyCode::Keypad2, KeyCode::Keypad3, KeyCode::Keypad4,
      KeyCode::Keypad5, KeyCode::Keypad6, KeyCode::Keypad7, KeyCode::Keypad8, KeyCode::Keypad9};
  unsigned number = 32;
  for (; number < 256; number++) {
    std::string_view symbol = code_page_437(static_cast<u8>(number));
    if (take_character(symbol) == character) break;
  }
  if (number == 256) return std::nullopt;
  KeyChord chord;
  chord.alt = true;
  for (const unsigned digit : {number / 100, number / 10 % 10, number % 10}) chord.keys.push_back(kDigits[digit]);
  return chord;
}

}  // namespace

std::optional<KeyChord> chord_for(char32_t character, const KeyLayout& layout) {
  // Typographic signs that the layout has are typed as they are.
  for (const char32_t wanted : {character, plain_relative(character)}) {
    if (wanted < 0x20 || wanted == 0x7F) return control_chord(wanted, layout);
    for (const PrintingKey& key : layout.keys) {
      if (wanted != key.plain && wanted != key.shifted && wanted != key.right_alt) continue;
      KeyChord chord = tap(key.code);
      chord.shift = wanted != key.plain && wanted == key.shifted;
      chord.right_alt = wanted != key.plain && wanted != key.shifted;
      return chord;
    }
  }
  return keypad_chord(plain_relative(character));
}

std::vector<KeyChord> chords_for_text(std::string_view utf8, unsigned* left_out, const KeyLayout& layout) {
  std::vector<KeyChord> chords;
  char32_t before = 0;
  while (!utf8.empty()) {
    const char32_t character = take_character(utf8);
    const bool second_of_pair = before == '\r' && character == '\n';
    before = character;
    if (second_of_pair) continue;
    if (auto chord = chord_for(character, layout))
      chords.push_back(std::move(*chord));
    else if (left_out != nullptr)
      ++*left_out;
  }
  return chords;
}

}  // namespace relic86
