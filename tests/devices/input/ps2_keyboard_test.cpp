// The PS/2 keyboard behind the controller, key names and typing.
#include <set>

#include "devices/input/key_text.h"
#include "tests/devices/input/ps2_board.h"

namespace relic86 {
namespace {
using namespace input_test;

Bytes stroke(Ps2Board& board, KeyCode code) {
  board.keyboard.key(code, true);
  Bytes bytes = board.read_all();
  board.keyboard.key(code, false);
  for (const int byte : board.read_all()) bytes.push_back(byte);
  return bytes;
}

TEST(Ps2Keyboard, ResetAndIdentify) {
  Ps2Board board;
  board.boot(false);
  EXPECT_EQ(board.keyboard_command({0xFF}), (Bytes{0xFA, 0xAA}));
  EXPECT_EQ(board.keyboard_command({0xF2}), (Bytes{0xFA, 0xAB, 0x83}));
  EXPECT_EQ(board.keyboard_command({0xEE}), (Bytes{0xEE}));
  EXPECT_EQ(board.keyboard_command({0xFE}), (Bytes{0xEE}));
  EXPECT_EQ(board.keyboard_command({0x00}), (Bytes{0xFE}));
  board.boot(true);
  EXPECT_EQ(board.keyboard_command({0xF2}), (Bytes{0xFA, 0xAB, 0x41}));
}

TEST(Ps2Keyboard, TranslatedAndPlainCodes) {
  Ps2Board board;
  board.boot(true);
  EXPECT_EQ(stroke(board, KeyCode::A), (Bytes{0x1E, 0x9E}));
  EXPECT_EQ(stroke(board, KeyCode::F7), (Bytes{0x41, 0xC1}));
  EXPECT_EQ(stroke(board, KeyCode::Up), (Bytes{0xE0, 0x48, 0xE0, 0xC8}));
  EXPECT_EQ(stroke(board, KeyCode::Pause), (Bytes{0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5}));
  EXPECT_EQ(stroke(board, KeyCode::Print), (Bytes{0xE0, 0x2A, 0xE0, 0x37, 0xE0, 0xB7, 0xE0, 0xAA}));
  board.boot(false);
  EXPECT_EQ(stroke(board, KeyCode::A), (Bytes{0x1C, 0xF0, 0x1C}));
  EXPECT_EQ(stroke(board, KeyCode::Pause), (Bytes{0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77}));
  EXPECT_EQ(stroke(board, KeyCode::Print), (Bytes{0xE0, 0x12, 0xE0, 0x7C, 0xE0, 0xF0, 0x7C, 0xE0, 0xF0, 0x12}));
}

TEST(Ps2Keyboard, ControllerTranslationAgreesWithTheKeyTable) {
  Ps2Board board;
  board.boot(true);
  for (const KeyInfo& key : all_keys()) {
    if (key.code == KeyCode::Pause || key.code == KeyCode::Print) continue;
    board.keyboard.key(key.code, true);
    Bytes expected;
    if (key.set1 > 0xFF) expected.push_back(key.set1 >> 8);
    expected.push_back(key.set1 & 0xFF);
    EXPECT_EQ(board.read_all(), expected) << key.name;
    board.keyboard.key(key.code, false);
    board.read_all();
  }
}

TEST(Ps2Keyboard, ModifiersChangePrintAndPause) {
  Ps2Board board;
  board.boot(true);
  board.keyboard.key(KeyCode::AltLeft, true);
  board.read_all();
  EXPECT_EQ(stroke(board, KeyCode::Print), (Bytes{0x54, 0xD4}));
  board.keyboard.key(KeyCode::AltLeft, false);
  board.keyboard.key(KeyCode::ControlLeft, true);
  board.read_all();
  EXPECT_EQ(stroke(board, KeyCode::Print), (Bytes{0xE0, 0x37, 0xE0, 0xB7}));
  EXPECT_EQ(stroke(board, KeyCode::Pause), (Bytes{0xE0, 0x46, 0xE0, 0xC6}));
}

TEST(Ps2Keyboard, GreyKeysHideShiftAndNumLock) {
  Ps2Board board;
  board.boot(true);
  EXPECT_EQ(board.keyboard_command({0xED, 0x02}), (Bytes{0xFA, 0xFA}));
  EXPECT_EQ(board.keyboard.lights(), 2);
  EXPECT_EQ(stroke(board, KeyCode::Delete), (Bytes{0xE0, 0x2A, 0xE0, 0x53, 0xE0, 0xD3, 0xE0, 0xAA}));
  board.keyboard.key(KeyCode::ShiftLeft, true);
  board.read_all();
  EXPECT_EQ(stroke(board, KeyCode::Delete), (Bytes{0xE0, 0xAA, 0xE0, 0x53, 0xE0, 0xD3, 0xE0, 0x2A}));
}

TEST(Ps2Keyboard, ScanCodeSets1And3) {
  Ps2Board board;
  board.boot(false);
  EXPECT_EQ(board.keyboard_command({0xF0, 0x01}), (Bytes{0xFA, 0xFA}));
  EXPECT_EQ(stroke(board, KeyCode::Left), (Bytes{0xE0, 0x4B, 0xE0, 0xCB}));
  EXPECT_EQ(board.keyboard_command({0xF0, 0x03}), (Bytes{0xFA, 0xFA}));
  EXPECT_EQ(board.keyboard_command({0xF0, 0x00}), (Bytes{0xFA, 0xFA, 0x03}));
  EXPECT_EQ(stroke(board, KeyCode::A), (Bytes{0x1C}));                      // typematic only
  EXPECT_EQ(stroke(board, KeyCode::ShiftLeft), (Bytes{0x12, 0xF0, 0x12}));  // make and break
  EXPECT_EQ(board.keyboard_command({0xFC, 0x1C}), (Bytes{0xFA, 0xFA}));
  EXPECT_EQ(board.keyboard_command({0xF4}), (Bytes{0xFA}));
  EXPECT_EQ(stroke(board, KeyCode::A), (Bytes{0x1C, 0xF0, 0x1C}));
  EXPECT_EQ(board.keyboard_command({0xF8}), (Bytes{0xFA}));
  EXPECT_EQ(stroke(board, KeyCode::Up), (Bytes{0x63, 0xF0, 0x63}));
  EXPECT_EQ(board.keyboard_command({0xF0, 0x04}), (Bytes{0xFA, 0xFE}));
}

TEST(Ps2Keyboard, TypematicRepeats) {
  Ps2Board board;
  board.boot(true);
  EXPECT_EQ(board.keyboard_command({0xF3, 0x00}), (Bytes{0xFA, 0xFA}));  // 250 ms, 33.36 ms
  board.keyboard.key(KeyCode::B, true);
  EXPECT_EQ(board.read_byte(), 0x30);
  board.run(240 * kMillisecond);
  EXPECT_FALSE(board.full());
  board.run(15 * kMillisecond);
  EXPECT_EQ(board.read_byte(), 0x30);
  board.run(20 * kMillisecond);
  EXPECT_FALSE(board.full());
  board.run(20 * kMillisecond);
  EXPECT_EQ(board.read_byte(), 0x30);
  board.keyboard.key(KeyCode::B, true);  // the host's own repetition means nothing
  board.keyboard.key(KeyCode::B, false);
  EXPECT_EQ(board.read_byte(), 0xB0);
  board.run(500 * kMillisecond);
  EXPECT_FALSE(board.full());
}

TEST(Ps2Keyboard, ScanningOffLosesKeys) {
  Ps2Board board;
  board.boot(true);
  EXPECT_EQ(board.keyboard_command({0xF5}), (Bytes{0xFA}));
  EXPECT_FALSE(board.keyboard.ready_for_key());
  EXPECT_EQ(stroke(board, KeyCode::A), (Bytes{}));
  EXPECT_EQ(board.keyboard_command({0xF4}), (Bytes{0xFA}));
  EXPECT_EQ(stroke(board, KeyCode::A), (Bytes{0x1E, 0x9E}));
}

TEST(Ps2Keyboard, OverrunAfterSixteenBytes) {
  Ps2Board board;
  board.boot(false);
  board.out(0x64, 0xAD);
  for (int i = 0; i < 20; i++) {
    board.keyboard.key(KeyCode::A, true);
    board.keyboard.key(KeyCode::A, false);
  }
  board.out(0x64, 0xAE);
  const Bytes bytes = board.read_all();
  ASSERT_EQ(bytes.size(), 17u);  // five times 1C F0 1C, one 1C, overrun
  EXPECT_EQ(bytes.back(), 0x00);
  EXPECT_EQ(stroke(board, KeyCode::A), (Bytes{0x1C, 0xF0, 0x1C}));
}

TEST(Ps2Keyboard, ReadyForKeyFollowsTheGuestsReading) {
  Ps2Board board;
  EXPECT_FALSE(board.keyboard.ready_for_key());  // port still disabled
  board.boot(true);
  EXPECT_TRUE(board.keyboard.ready_for_key());
  board.keyboard.key(KeyCode::A, true);
  EXPECT_FALSE(board.keyboard.ready_for_key());
  board.run(5 * kMillisecond);
  EXPECT_FALSE(board.keyboard.ready_for_key());  // in the output buffer
  EXPECT_EQ(board.in(0x60), 0x1E);
  EXPECT_TRUE(board.keyboard.ready_for_key());
}

TEST(KeyCodes, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const KeyInfo& key : all_keys()) {
    EXPECT_TRUE(names.insert(key.name).second) << key.name;
    EXPECT_EQ(key_from_name(key.name), key.code);
    EXPECT_EQ(key_from_set1(key.set1), key.code) << key.name;
  }
  EXPECT_EQ(key_from_name("ret"), KeyCode::Enter);
  EXPECT_EQ(key_from_name("0x1e"), KeyCode::A);
  EXPECT_EQ(key_from_name("0x9d"), KeyCode::ControlRight);
  EXPECT_EQ(key_from_name("0x"), std::nullopt);
  EXPECT_EQ(key_from_name("nokey"), std::nullopt);
}

TEST(KeyText, AllOfAsciiHasAKey) {
  for (char32_t character = 0x20; character < 0x7F; character++) {
    const auto chord = chord_for(character);
    ASSERT_TRUE(chord.has_value()) << static_cast<unsigned>(character);
    EXPECT_EQ(chord->keys.size(), 1u);
  }
  EXPECT_TRUE(chord_for('A')->shift);
  EXPECT_FALSE(chord_for('a')->shift);
  EXPECT_EQ(chord_for(':')->keys.front(), KeyCode::Semicolon);
  EXPECT_TRUE(chord_for(3)->control);
  EXPECT_EQ(chord_for(3)->keys.front(), KeyCode::C);
}

TEST(KeyText, LayoutsOfOtherCountries) {
  const KeyLayout& german = find_key_layout("de");
  EXPECT_EQ(chord_for('z', german)->keys.front(), KeyCode::Y);
  EXPECT_EQ(chord_for(U'ß', german)->keys.front(), KeyCode::Minus);
  EXPECT_TRUE(chord_for('/', german)->shift);
  const auto at = chord_for('@', german);
  EXPECT_TRUE(at->right_alt && !at->shift && !at->alt);
  EXPECT_EQ(at->keys.front(), KeyCode::Q);
  EXPECT_TRUE(chord_for('^', german)->alt) << "a dead key: Alt with 094";
  EXPECT_EQ(chord_for(3, find_key_layout("fr"))->keys.front(), KeyCode::C);
  EXPECT_EQ(chord_for('1', find_key_layout("fr"))->shift, true);
  EXPECT_EQ(chord_for(U'£', find_key_layout("en-gb"))->keys.front(), KeyCode::Digit3);
  EXPECT_EQ(find_key_layout("sv").name, "en-us");
  // Whatever ASCII prints can be typed, and no layout types one character in two ways.
  for (const KeyLayout& layout : key_layouts()) {
    for (char32_t c = 0x20; c < 0x7F; c++)
      EXPECT_TRUE(chord_for(c, layout).has_value()) << layout.name << " " << static_cast<unsigned>(c);
    for (const PrintingKey& key : layout.keys) {
      for (const PrintingKey& other : layout.keys)
        EXPECT_TRUE(key.code == other.code || key.plain != other.plain || key.plain == 0) << layout.name;
    }
  }
}

TEST(KeyText, TextsFromOutside) {
  const auto chords = chords_for_text("a\r\nb\xC3\xA9\xFF\xE2\x80\x99");
  ASSERT_EQ(chords.size(), 5u);
  EXPECT_EQ(chords[1].keys.front(), KeyCode::Enter);
  EXPECT_TRUE(chords[3].alt);  // é is 130 of code page 437
  EXPECT_EQ(chords[3].keys, (std::vector{KeyCode::Keypad1, KeyCode::Keypad3, KeyCode::Keypad0}));
  EXPECT_EQ(chords[4].keys.front(), KeyCode::Apostrophe);
  EXPECT_TRUE(chords_for_text("\xE4\xBD\xA0\xF0\x9F\x98\x80").empty());
}

}  // namespace
}  // namespace relic86
