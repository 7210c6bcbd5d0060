// Keysyms of a keyboard elsewhere as keys of the guest's.
#include "devices/input/symbol_keyboard.h"

#include <gtest/gtest.h>

#include <random>

#include "devices/input/key_symbols.h"

namespace relic86 {
namespace {

using Events = SymbolKeyboard::Events;
constexpr u32 kShift = 0xFFE1, kLevel3 = 0xFE03, kReturn = 0xFF0D;

SymbolKeyboard united_states() { return SymbolKeyboard(find_key_layout("en-us")); }
SymbolKeyboard german() { return SymbolKeyboard(find_key_layout("de")); }

TEST(KeySymbols, NameKeysAndCharacters) {
  EXPECT_EQ(key_of_symbol(kReturn), KeyCode::Enter);
  EXPECT_EQ(key_of_symbol(0xFFBE), KeyCode::F1);
  EXPECT_EQ(key_of_symbol(0xFFB7), KeyCode::Keypad7);
  EXPECT_EQ(key_of_symbol('a'), std::nullopt);
  EXPECT_EQ(character_of_symbol('a'), U'a');
  EXPECT_EQ(character_of_symbol(0xE4), U'\u00E4');
  EXPECT_EQ(character_of_symbol(0x01000416), U'\u0416');
  EXPECT_EQ(character_of_symbol(0x20AC), U'\u20AC');
  EXPECT_EQ(character_of_symbol(kReturn), 0u);
  EXPECT_EQ(character_of_symbol(0xFFFFFFFF), 0u);
}

TEST(SymbolKeyboard, PressesTheKeyOfTheLayout) {
  auto keys = united_states();
  EXPECT_EQ(keys.symbol('z', true, false), (Events{{KeyCode::Z, true}}));
  EXPECT_EQ(keys.symbol('z', true, false), Events());  // the guest's keyboard repeats by itself
  EXPECT_EQ(keys.symbol('z', false, false), (Events{{KeyCode::Z, false}}));
  auto other = german();
  EXPECT_EQ(other.symbol('z', true, false), (Events{{KeyCode::Y, true}}));
}

TEST(SymbolKeyboard, HoldsTheModifiersThatTheGuestNeeds) {
  auto keys = united_states();
  EXPECT_EQ(keys.symbol('A', true, false),
            (Events{{KeyCode::ShiftLeft, true}, {KeyCode::A, true}, {KeyCode::ShiftLeft, false}}));
  keys.symbol('A', false, false);
  // Caps Lock does for letters what Shift does, and for nothing else.
  EXPECT_EQ(keys.symbol('A', true, true), (Events{{KeyCode::A, true}}));
  keys.symbol('A', false, true);
  EXPECT_EQ(keys.symbol('1', true, true), (Events{{KeyCode::Digit1, true}}));
  // '/' is typed with Shift on a German keyboard, and without it here.
  keys.symbol(kShift, true, false);
  EXPECT_EQ(keys.symbol('/', true, false),
            (Events{{KeyCode::ShiftLeft, false}, {KeyCode::Slash, true}, {KeyCode::ShiftLeft, true}}));
  EXPECT_EQ(keys.symbol(' ', true, false), (Events{{KeyCode::Space, true}}));
  auto other = german();
  EXPECT_EQ(other.symbol('@', true, false),
            (Events{{KeyCode::AltRight, true}, {KeyCode::Q, true}, {KeyCode::AltRight, false}}));
  other.symbol('@', false, false);
  other.symbol(kLevel3, true, false);
  EXPECT_EQ(other.symbol('@', true, false), (Events{{KeyCode::Q, true}}));
}

TEST(SymbolKeyboard, ReleasesWhatItPressed) {
  auto keys = united_states();
  keys.symbol(kShift, true, false);
  keys.symbol('A', true, false);
  keys.symbol(kShift, false, false);
  EXPECT_EQ(keys.symbol('a', false, false), (Events{{KeyCode::A, false}}));  // Shift went up first
  EXPECT_EQ(keys.symbol('b', false, false), Events());
  keys.position(KeyCode::F1, true);
  keys.symbol('q', true, false);
  EXPECT_EQ(keys.release_all().size(), 2u);
  EXPECT_EQ(keys.release_all(), Events());
}

// Whatever comes, each press has its release, and no key is left in another state than the typist's.
TEST(SymbolKeyboard, LeavesNothingDown) {
  std::mt19937 random(86);
  for (const KeyLayout& layout : key_layouts()) {
    SymbolKeyboard keys(layout);
    std::set<KeyCode> down;
    const auto carry_out = [&](const Events& events) {
      for (const auto& event : events) {
        EXPECT_NE(down.contains(event.code), event.down);
        if (event.down)
          down.insert(event.code);
        else
          down.erase(event.code);
      }
    };
    for (unsigned i = 0; i < 20'000; i++) {
      constexpr u32 kFirsts[] = {0x20, 0xA0, 0xFE00, 0xFF00, 0xFFE0, 0x01000020};
      const u32 symbol = kFirsts[random() % std::size(kFirsts)] + random() % 0x60;
      carry_out(keys.symbol(symbol, random() % 2 != 0, random() % 8 == 0));
      const auto code = static_cast<KeyCode>(random() % all_keys().size());
      if (random() % 16 == 0) carry_out(keys.position(code, random() % 2 != 0));
      for (const KeyCode each : down) EXPECT_TRUE(keys.held(each));
    }
    carry_out(keys.release_all());
    EXPECT_TRUE(down.empty());
  }
}

}  // namespace
}  // namespace relic86
