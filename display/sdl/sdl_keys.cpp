#include "display/sdl/sdl_keys.h"

#include <algorithm>
#include <iterator>

namespace relic86 {

namespace {

struct Row {
  SDL_Scancode scancode;
  KeyCode key;
};

// In the order of the USB HID usage table, which SDL's scancodes follow. International1 to 5 and Lang1, Lang2 are the
// extra keys of Japanese, Korean and Brazilian keyboards (USB HID Usage Tables, Keyboard page, notes 15 to 23).
constexpr Row kRows[] = {
    {SDL_SCANCODE_A, KeyCode::A},
    {SDL_SCANCODE_B, KeyCode::B},
    {SDL_SCANCODE_C, KeyCode::C},
    {SDL_SCANCODE_D, KeyCode::D},
    {SDL_SCANCODE_E, KeyCode::E},
    {SDL_SCANCODE_F, KeyCode::F},
    {SDL_SCANCODE_G, KeyCode::G},
    {SDL_SCANCODE_H, KeyCode::H},
    {SDL_SCANCODE_I, KeyCode::I},
    {SDL_SCANCODE_J, KeyCode::J},
    {SDL_SCANCODE_K, KeyCode::K},
    {SDL_SCANCODE_L, KeyCode::L},
    {SDL_SCANCODE_M, KeyCode::M},
    {SDL_SCANCODE_N, KeyCode::N},
    {SDL_SCANCODE_O, KeyCode::O},
    {SDL_SCANCODE_P, KeyCode::P},
    {SDL_SCANCODE_Q, KeyCode::Q},
    {SDL_SCANCODE_R, KeyCode::R},
    {SDL_SCANCODE_S, KeyCode::S},
    {SDL_SCANCODE_T, KeyCode::T},
    {SDL_SCANCODE_U, KeyCode::U},
    {SDL_SCANCODE_V, KeyCode::V},
    {SDL_SCANCODE_W, KeyCode::W},
    {SDL_SCANCODE_X, KeyCode::X_},
    {SDL_SCANCODE_Y, KeyCode::Y},
    {SDL_SCANCODE_Z, KeyCode::Z},
    {SDL_SCANCODE_1, KeyCode::Digit1},
    {SDL_SCANCODE_2, KeyCode::Digit2},
    {SDL_SCANCODE_3, KeyCode::Digit3},
    {SDL_SCANCODE_4, KeyCode::Digit4},
    {SDL_SCANCODE_5, KeyCode::Digit5},
    {SDL_SCANCODE_6, KeyCode::Digit6},
    {SDL_SCANCODE_7, KeyCode::Digit7},
    {SDL_SCANCODE_8, KeyCode::Digit8},
    {SDL_SCANCODE_9, KeyCode::Digit9},
    {SDL_SCANCODE_0, KeyCode::Digit0},
    {SDL_SCANCODE_RETURN, KeyCode::Enter},
    {SDL_SCANCODE_ESCAPE, KeyCode::Escape},
    {SDL_SCANCODE_BACKSPACE, KeyCode::Backspace},
    {SDL_SCANCODE_TAB, KeyCode::Tab},
    {SDL_SCANCODE_SPACE, KeyCode::Space},
    {SDL_SCANCODE_MINUS, KeyCode::Minus},
    {SDL_SCANCODE_EQUALS, KeyCode::Equal},
    {SDL_SCANCODE_LEFTBRACKET, KeyCode::BracketLeft},
    {SDL_SCANCODE_RIGHTBRACKET, KeyCode::BracketRight},
    {SDL_SCANCODE_BACKSLASH, KeyCode::Backslash},
    {SDL_SCANCODE_NONUSHASH, KeyCode::Backslash},  // the key beside Enter on 102-key keyboards: the same code
    {SDL_SCANCODE_SEMICOLON, KeyCode::Semicolon},
    {SDL_SCANCODE_APOSTROPHE, KeyCode::Apostrophe},
    {SDL_SCANCODE_GRAVE, KeyCode::GraveAccent},
    {SDL_SCANCODE_COMMA, KeyCode::Comma},
    {SDL_SCANCODE_PERIOD, KeyCode::Dot},
    {SDL_SCANCODE_SLASH, KeyCode::Slash},
    {SDL_SCANCODE_CAPSLOCK, KeyCode::CapsLock},
    {SDL_SCANCODE_F1, KeyCode::F1},
    {SDL_SCANCODE_F2, KeyCode::F2},
    {SDL_SCANCODE_F3, KeyCode::F3},
    {SDL_SCANCODE_F4, KeyCode::F4},
    {SDL_SCANCODE_F5, KeyCode::F5},
    {SDL_SCANCODE_F6, KeyCode::F6},
    {SDL_SCANCODE_F7, KeyCode::F7},
    {SDL_SCANCODE_F8, KeyCode::F8},
    {SDL_SCANCODE_F9, KeyCode::F9},
    {SDL_SCANCODE_F10, KeyCode::F10},
    {SDL_SCANCODE_F11, KeyCode::F11},
    {SDL_SCANCODE_F12, KeyCode::F12},
    {SDL_SCANCODE_PRINTSCREEN, KeyCode::Print},
    {SDL_SCANCODE_SYSREQ, KeyCode::Print},  // the same key: the keyboard makes SysRq of it while Alt is down
    {SDL_SCANCODE_SCROLLLOCK, KeyCode::ScrollLock},
    {SDL_SCANCODE_PAUSE, KeyCode::Pause},
    {SDL_SCANCODE_INSERT, KeyCode::Insert},
    {SDL_SCANCODE_HOME, KeyCode::Home},
    {SDL_SCANCODE_PAGEUP, KeyCode::PageUp},
    {SDL_SCANCODE_DELETE, KeyCode::Delete},
    {SDL_SCANCODE_END, KeyCode::End},
    {SDL_SCANCODE_PAGEDOWN, KeyCode::PageDown},
    {SDL_SCANCODE_RIGHT, KeyCode::Right},
    {SDL_SCANCODE_LEFT, KeyCode::Left},
    {SDL_SCANCODE_DOWN, KeyCode::Down},
    {SDL_SCANCODE_UP, KeyCode::Up},
    {SDL_SCANCODE_NUMLOCKCLEAR, KeyCode::NumLock},
    {SDL_SCANCODE_KP_DIVIDE, KeyCode::KeypadDivide},
    {SDL_SCANCODE_KP_MULTIPLY, KeyCode::KeypadMultiply},
    {SDL_SCANCODE_KP_MINUS, KeyCode::KeypadSubtract},
    {SDL_SCANCODE_KP_PLUS, KeyCode::KeypadAdd},
    {SDL_SCANCODE_KP_ENTER, KeyCode::KeypadEnter},
    {SDL_SCANCODE_KP_1, KeyCode::Keypad1},
    {SDL_SCANCODE_KP_2, KeyCode::Keypad2},
    {SDL_SCANCODE_KP_3, KeyCode::Keypad3},
    {SDL_SCANCODE_KP_4, KeyCode::Keypad4},
    {SDL_SCANCODE_KP_5, KeyCode::Keypad5},
    {SDL_SCANCODE_KP_6, KeyCode::Keypad6},
    {SDL_SCANCODE_KP_7, KeyCode::Keypad7},
    {SDL_SCANCODE_KP_8, KeyCode::Keypad8},
    {SDL_SCANCODE_KP_9, KeyCode::Keypad9},
    {SDL_SCANCODE_KP_0, KeyCode::Keypad0},
    {SDL_SCANCODE_KP_PERIOD, KeyCode::KeypadDecimal},
    {SDL_SCANCODE_NONUSBACKSLASH, KeyCode::Less},
    {SDL_SCANCODE_APPLICATION, KeyCode::Compose},
    {SDL_SCANCODE_POWER, KeyCode::Power},
    {SDL_SCANCODE_KP_EQUALS, KeyCode::KeypadEquals},
    {SDL_SCANCODE_F13, KeyCode::F13},
    {SDL_SCANCODE_F14, KeyCode::F14},
    {SDL_SCANCODE_F15, KeyCode::F15},
    {SDL_SCANCODE_F16, KeyCode::F16},
    {SDL_SCANCODE_F17, KeyCode::F17},
    {SDL_SCANCODE_F18, KeyCode::F18},
    {SDL_SCANCODE_F19, KeyCode::F19},
    {SDL_SCANCODE_F20, KeyCode::F20},
    {SDL_SCANCODE_F21, KeyCode::F21},
    {SDL_SCANCODE_F22, KeyCode::F22},
    {SDL_SCANCODE_F23, KeyCode::F23},
    {SDL_SCANCODE_F24, KeyCode::F24},
    {SDL_SCANCODE_MENU, KeyCode::Menu},
    {SDL_SCANCODE_STOP, KeyCode::BrowserStop},
    {SDL_SCANCODE_FIND, KeyCode::BrowserSearch},
    {SDL_SCANCODE_MUTE, KeyCode::AudioMute},
    {SDL_SCANCODE_VOLUMEUP, KeyCode::VolumeUp},
    {SDL_SCANCODE_VOLUMEDOWN, KeyCode::VolumeDown},
    {SDL_SCANCODE_KP_COMMA, KeyCode::KeypadComma},
    {SDL_SCANCODE_INTERNATIONAL1, KeyCode::Ro},
    {SDL_SCANCODE_INTERNATIONAL2, KeyCode::KatakanaHiragana},
    {SDL_SCANCODE_INTERNATIONAL3, KeyCode::Yen},
    {SDL_SCANCODE_INTERNATIONAL4, KeyCode::Henkan},
    {SDL_SCANCODE_INTERNATIONAL5, KeyCode::Muhenkan},
    {SDL_SCANCODE_LANG1, KeyCode::Language1},
    {SDL_SCANCODE_LANG2, KeyCode::Language2},
    {SDL_SCANCODE_LANG4, KeyCode::Hiragana},
    {SDL_SCANCODE_LCTRL, KeyCode::ControlLeft},
    {SDL_SCANCODE_LSHIFT, KeyCode::ShiftLeft},
    {SDL_SCANCODE_LALT, KeyCode::AltLeft},
    {SDL_SCANCODE_LGUI, KeyCode::MetaLeft},
    {SDL_SCANCODE_RCTRL, KeyCode::ControlRight},
    {SDL_SCANCODE_RSHIFT, KeyCode::ShiftRight},
    {SDL_SCANCODE_RALT, KeyCode::AltRight},
    {SDL_SCANCODE_RGUI, KeyCode::MetaRight},
    {SDL_SCANCODE_MODE, KeyCode::AltRight},  // AltGr
    {SDL_SCANCODE_AUDIONEXT, KeyCode::AudioNext},
    {SDL_SCANCODE_AUDIOPREV, KeyCode::AudioPrevious},
    {SDL_SCANCODE_AUDIOSTOP, KeyCode::AudioStop},
    {SDL_SCANCODE_AUDIOPLAY, KeyCode::AudioPlay},
    {SDL_SCANCODE_AUDIOMUTE, KeyCode::AudioMute},
    {SDL_SCANCODE_MEDIASELECT, KeyCode::MediaSelect},
    {SDL_SCANCODE_MAIL, KeyCode::Mail},
    {SDL_SCANCODE_CALCULATOR, KeyCode::Calculator},
    {SDL_SCANCODE_COMPUTER, KeyCode::Computer},
    {SDL_SCANCODE_AC_SEARCH, KeyCode::BrowserSearch},
    {SDL_SCANCODE_AC_HOME, KeyCode::BrowserHome},
    {SDL_SCANCODE_AC_BACK, KeyCode::BrowserBack},
    {SDL_SCANCODE_AC_FORWARD, KeyCode::BrowserForward},
    {SDL_SCANCODE_AC_STOP, KeyCode::BrowserStop},
    {SDL_SCANCODE_AC_REFRESH, KeyCode::BrowserRefresh},
    {SDL_SCANCODE_AC_BOOKMARKS, KeyCode::BrowserBookmarks},
    {SDL_SCANCODE_SLEEP, KeyCode::Sleep},
};

}  // namespace

std::optional<KeyCode> key_of_scancode(SDL_Scancode scancode) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](Row r) { return r.scancode == scancode; });
  if (row == std::end(kRows)) return std::nullopt;
  return row->key;
}

char shortcut_letter(const SDL_Keysym& key) {
  if (key.sym >= SDLK_a && key.sym <= SDLK_z) return static_cast<char>('A' + (key.sym - SDLK_a));
  constexpr SDL_Keycode kAscii = 0x80;
  if (key.sym >= kAscii && key.scancode >= SDL_SCANCODE_A && key.scancode <= SDL_SCANCODE_Z)
    return static_cast<char>('A' + (key.scancode - SDL_SCANCODE_A));
  return 0;
}

}  // namespace relic86
