#include "devices/input/symbol_keyboard.h"

#include <algorithm>

#include "devices/input/key_symbols.h"

namespace relic86 {

namespace {

// A letter and its capital, which Caps Lock exchanges: ASCII and the letters of ISO 8859-1.
bool letters(const PrintingKey& key) {
  constexpr char32_t kToCapital = 0x20;
  const bool small = (key.plain >= U'a' && key.plain <= U'z') || (key.plain >= 0xE0 && key.plain <= 0xFE);
  return small && key.shifted == key.plain - kToCapital;
}

bool has_right_alt(const KeyLayout& layout) {
  return std::any_of(layout.keys.begin(), layout.keys.end(), [](const PrintingKey& key) { return key.right_alt != 0; });
}

}  // namespace

std::optional<SymbolKeyboard::Place> SymbolKeyboard::place_of(u32 keysym, bool caps_lock) const {
  if (const auto code = key_of_symbol(keysym)) return Place{.code = *code};
  const char32_t character = character_of_symbol(keysym);
  if (character == 0) return std::nullopt;
  for (const PrintingKey& key : layout_.keys) {
    if (character != key.plain && character != key.shifted && character != key.right_alt) continue;
    Place place{.code = key.code, .types = true};
    place.shift = character != key.plain && character == key.shifted;
    place.right_alt = character != key.plain && character != key.shifted;
    if (caps_lock && letters(key) && !place.right_alt) place.shift = !place.shift;
    return place;
  }
  return std::nullopt;
}

// The changes of modifiers that a character needs; the same the other way round undo them.
SymbolKeyboard::Events SymbolKeyboard::around(const Place& place) const {
  Events events;
  if (!place.types) return events;
  constexpr KeyCode kShifts[] = {KeyCode::ShiftLeft, KeyCode::ShiftRight};
  const bool shifted = held(kShifts[0]) || held(kShifts[1]);
  const bool space = place.code == KeyCode::Space;  // the same with and without
  if (place.shift && !shifted) events.push_back({KeyCode::ShiftLeft, true});
  if (!place.shift && shifted && !space) {
    for (const KeyCode shift : kShifts) {
      if (held(shift)) events.push_back({shift, false});
    }
  }
  if (!has_right_alt(layout_)) return events;
  if (place.right_alt != held(KeyCode::AltRight)) events.push_back({KeyCode::AltRight, place.right_alt});
  return events;
}

SymbolKeyboard::Events SymbolKeyboard::symbol(u32 keysym, bool down, bool caps_lock) {
  if (!down) {
    const auto pressed = pressed_by_.find(keysym);
    if (pressed != pressed_by_.end()) return position(pressed->second, false);
    // The same key with another modifier by now.
    const auto place = place_of(keysym, caps_lock);
    return place ? position(place->code, false) : Events();
  }
  const auto place = place_of(keysym, caps_lock);
  if (!place || held(place->code)) return {};
  Events events = around(*place);
  Events undone(events.rbegin(), events.rend());
  events.push_back({place->code, true});
  for (const Event& event : undone) events.push_back({event.code, !event.down});
  down_.insert(place->code);
  pressed_by_[keysym] = place->code;
  return events;
}

SymbolKeyboard::Events SymbolKeyboard::position(KeyCode code, bool down) {
  if (held(code) == down) return {};
  if (down) {
    down_.insert(code);
  } else {
    down_.erase(code);
    std::erase_if(pressed_by_, [&](const auto& each) { return each.second == code; });
  }
  return {{code, down}};
}

SymbolKeyboard::Events SymbolKeyboard::release_all() {
  Events events;
  for (const KeyCode code : down_) events.push_back({code, false});
  down_.clear();
  pressed_by_.clear();
  return events;
}

}  // namespace relic86
