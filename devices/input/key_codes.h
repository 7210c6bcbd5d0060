// The keys of a PC keyboard: names as the monitor's sendkey takes them, and their codes in scan code sets 1, 2 and 3.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/types.h"

namespace relic86 {

// Every key: X(enumerator, name, set 1 code, set 2 code, set 3 code). E0xxh: the code follows an E0h prefix.
// 0 in set 3: the key does not exist there. Pause and Print are sequences of their own (ps2_keyboard.cpp).
// Codes: IBM PS/2 Hardware Interface Technical Reference, Keyboards (101/102-key); Microsoft Keyboard Scan Code
// Specification for the international, ACPI and media keys.
#define RELIC86_KEYS(X)                                     \
  X(Escape, "esc", 0x01, 0x76, 0x08)                        \
  X(Digit1, "1", 0x02, 0x16, 0x16)                          \
  X(Digit2, "2", 0x03, 0x1E, 0x1E)                          \
  X(Digit3, "3", 0x04, 0x26, 0x26)                          \
  X(Digit4, "4", 0x05, 0x25, 0x25)                          \
  X(Digit5, "5", 0x06, 0x2E, 0x2E)                          \
  X(Digit6, "6", 0x07, 0x36, 0x36)                          \
  X(Digit7, "7", 0x08, 0x3D, 0x3D)                          \
  X(Digit8, "8", 0x09, 0x3E, 0x3E)                          \
  X(Digit9, "9", 0x0A, 0x46, 0x46)                          \
  X(Digit0, "0", 0x0B, 0x45, 0x45)                          \
  X(Minus, "minus", 0x0C, 0x4E, 0x4E)                       \
  X(Equal, "equal", 0x0D, 0x55, 0x55)                       \
  X(Backspace, "backspace", 0x0E, 0x66, 0x66)               \
  X(Tab, "tab", 0x0F, 0x0D, 0x0D)                           \
  X(Q, "q", 0x10, 0x15, 0x15)                               \
  X(W, "w", 0x11, 0x1D, 0x1D)                               \
  X(E, "e", 0x12, 0x24, 0x24)                               \
  X(R, "r", 0x13, 0x2D, 0x2D)                               \
  X(T, "t", 0x14, 0x2C, 0x2C)                               \
  X(Y, "y", 0x15, 0x35, 0x35)                               \
  X(U, "u", 0x16, 0x3C, 0x3C)                               \
  X(I, "i", 0x17, 0x43, 0x43)                               \
  X(O, "o", 0x18, 0x44, 0x44)                               \
  X(P, "p", 0x19, 0x4D, 0x4D)                               \
  X(BracketLeft, "bracket_left", 0x1A, 0x54, 0x54)          \
  X(BracketRight, "bracket_right", 0x1B, 0x5B, 0x5B)        \
  X(Enter, "ret", 0x1C, 0x5A, 0x5A)                         \
  X(ControlLeft, "ctrl", 0x1D, 0x14, 0x11)                  \
  X(A, "a", 0x1E, 0x1C, 0x1C)                               \
  X(S, "s", 0x1F, 0x1B, 0x1B)                               \
  X(D, "d", 0x20, 0x23, 0x23)                               \
  X(F, "f", 0x21, 0x2B, 0x2B)                               \
  X(G, "g", 0x22, 0x34, 0x34)                               \
  X(H, "h", 0x23, 0x33, 0x33)                               \
  X(J, "j", 0x24, 0x3B, 0x3B)                               \
  X(K, "k", 0x25, 0x42, 0x42)                               \
  X(L, "l", 0x26, 0x4B, 0x4B)                               \
  X(Semicolon, "semicolon", 0x27, 0x4C, 0x4C)               \
  X(Apostrophe, "apostrophe", 0x28, 0x52, 0x52)             \
  X(GraveAccent, "grave_accent", 0x29, 0x0E, 0x0E)          \
  X(ShiftLeft, "shift", 0x2A, 0x12, 0x12)                   \
  X(Backslash, "backslash", 0x2B, 0x5D, 0x5C)               \
  X(Z, "z", 0x2C, 0x1A, 0x1A)                               \
  X(X_, "x", 0x2D, 0x22, 0x22)                              \
  X(C, "c", 0x2E, 0x21, 0x21)                               \
  X(V, "v", 0x2F, 0x2A, 0x2A)                               \
  X(B, "b", 0x30, 0x32, 0x32)                               \
  X(N, "n", 0x31, 0x31, 0x31)                               \
  X(M, "m", 0x32, 0x3A, 0x3A)                               \
  X(Comma, "comma", 0x33, 0x41, 0x41)                       \
  X(Dot, "dot", 0x34, 0x49, 0x49)                           \
  X(Slash, "slash", 0x35, 0x4A, 0x4A)                       \
  X(ShiftRight, "shift_r", 0x36, 0x59, 0x59)                \
  X(KeypadMultiply, "kp_multiply", 0x37, 0x7C, 0x7E)        \
  X(AltLeft, "alt", 0x38, 0x11, 0x19)                       \
  X(Space, "spc", 0x39, 0x29, 0x29)                         \
  X(CapsLock, "caps_lock", 0x3A, 0x58, 0x14)                \
  X(F1, "f1", 0x3B, 0x05, 0x07)                             \
  X(F2, "f2", 0x3C, 0x06, 0x0F)                             \
  X(F3, "f3", 0x3D, 0x04, 0x17)                             \
  X(F4, "f4", 0x3E, 0x0C, 0x1F)                             \
  X(F5, "f5", 0x3F, 0x03, 0x27)                             \
  X(F6, "f6", 0x40, 0x0B, 0x2F)                             \
  X(F7, "f7", 0x41, 0x83, 0x37)                             \
  X(F8, "f8", 0x42, 0x0A, 0x3F)                             \
  X(F9, "f9", 0x43, 0x01, 0x47)                             \
  X(F10, "f10", 0x44, 0x09, 0x4F)                           \
  X(NumLock, "num_lock", 0x45, 0x77, 0x76)                  \
  X(ScrollLock, "scroll_lock", 0x46, 0x7E, 0x5F)            \
  X(Keypad7, "kp_7", 0x47, 0x6C, 0x6C)                      \
  X(Keypad8, "kp_8", 0x48, 0x75, 0x75)                      \
  X(Keypad9, "kp_9", 0x49, 0x7D, 0x7D)                      \
  X(KeypadSubtract, "kp_subtract", 0x4A, 0x7B, 0x84)        \
  X(Keypad4, "kp_4", 0x4B, 0x6B, 0x6B)                      \
  X(Keypad5, "kp_5", 0x4C, 0x73, 0x73)                      \
  X(Keypad6, "kp_6", 0x4D, 0x74, 0x74)                      \
  X(KeypadAdd, "kp_add", 0x4E, 0x79, 0x7C)                  \
  X(Keypad1, "kp_1", 0x4F, 0x69, 0x69)                      \
  X(Keypad2, "kp_2", 0x50, 0x72, 0x72)                      \
  X(Keypad3, "kp_3", 0x51, 0x7A, 0x7A)                      \
  X(Keypad0, "kp_0", 0x52, 0x70, 0x70)                      \
  X(KeypadDecimal, "kp_decimal", 0x53, 0x71, 0x71)          \
  X(Less, "less", 0x56, 0x61, 0x13)                         \
  X(F11, "f11", 0x57, 0x78, 0x56)                           \
  X(F12, "f12", 0x58, 0x07, 0x5E)                           \
  X(KeypadEquals, "kp_equals", 0x59, 0x0F, 0)               \
  X(F13, "f13", 0x64, 0x08, 0)                              \
  X(F14, "f14", 0x65, 0x10, 0)                              \
  X(F15, "f15", 0x66, 0x18, 0)                              \
  X(F16, "f16", 0x67, 0x20, 0)                              \
  X(F17, "f17", 0x68, 0x28, 0)                              \
  X(F18, "f18", 0x69, 0x30, 0)                              \
  X(F19, "f19", 0x6A, 0x38, 0)                              \
  X(F20, "f20", 0x6B, 0x40, 0)                              \
  X(F21, "f21", 0x6C, 0x48, 0)                              \
  X(F22, "f22", 0x6D, 0x50, 0)                              \
  X(F23, "f23", 0x6E, 0x57, 0)                              \
  X(F24, "f24", 0x76, 0x5F, 0)                              \
  X(KatakanaHiragana, "katakanahiragana", 0x70, 0x13, 0x87) \
  X(Ro, "ro", 0x73, 0x51, 0x51)                             \
  X(Hiragana, "hiragana", 0x77, 0x62, 0)                    \
  X(Henkan, "henkan", 0x79, 0x64, 0x86)                     \
  X(Muhenkan, "muhenkan", 0x7B, 0x67, 0x85)                 \
  X(Yen, "yen", 0x7D, 0x6A, 0x5D)                           \
  X(KeypadComma, "kp_comma", 0x7E, 0x6D, 0)                 \
  X(Language1, "lang1", 0xF2, 0xF2, 0)                      \
  X(Language2, "lang2", 0xF1, 0xF1, 0)                      \
  X(KeypadEnter, "kp_enter", 0xE01C, 0xE05A, 0x79)          \
  X(ControlRight, "ctrl_r", 0xE01D, 0xE014, 0x58)           \
  X(KeypadDivide, "kp_divide", 0xE035, 0xE04A, 0x77)        \
  X(Print, "print", 0xE037, 0xE07C, 0x57)                   \
  X(AltRight, "alt_r", 0xE038, 0xE011, 0x39)                \
  X(Pause, "pause", 0xE046, 0xE07E, 0x62)                   \
  X(Home, "home", 0xE047, 0xE06C, 0x6E)                     \
  X(Up, "up", 0xE048, 0xE075, 0x63)                         \
  X(PageUp, "pgup", 0xE049, 0xE07D, 0x6F)                   \
  X(Left, "left", 0xE04B, 0xE06B, 0x61)                     \
  X(Right, "right", 0xE04D, 0xE074, 0x6A)                   \
  X(End, "end", 0xE04F, 0xE069, 0x65)                       \
  X(Down, "down", 0xE050, 0xE072, 0x60)                     \
  X(PageDown, "pgdn", 0xE051, 0xE07A, 0x6D)                 \
  X(Insert, "insert", 0xE052, 0xE070, 0x67)                 \
  X(Delete, "delete", 0xE053, 0xE071, 0x64)                 \
  X(MetaLeft, "meta_l", 0xE05B, 0xE01F, 0x8B)               \
  X(MetaRight, "meta_r", 0xE05C, 0xE027, 0x8C)              \
  X(Compose, "compose", 0xE05D, 0xE02F, 0x8D)               \
  X(Menu, "menu", 0xE01E, 0xE01C, 0)                        \
  X(Power, "power", 0xE05E, 0xE037, 0)                      \
  X(Sleep, "sleep", 0xE05F, 0xE03F, 0)                      \
  X(Wake, "wake", 0xE063, 0xE05E, 0)                        \
  X(AudioPrevious, "audioprev", 0xE010, 0xE015, 0)          \
  X(AudioNext, "audionext", 0xE019, 0xE04D, 0)              \
  X(AudioMute, "audiomute", 0xE020, 0xE023, 0)              \
  X(Calculator, "calculator", 0xE021, 0xE02B, 0)            \
  X(AudioPlay, "audioplay", 0xE022, 0xE034, 0)              \
  X(AudioStop, "audiostop", 0xE024, 0xE03B, 0)              \
  X(VolumeDown, "volumedown", 0xE02E, 0xE021, 0)            \
  X(VolumeUp, "volumeup", 0xE030, 0xE032, 0)                \
  X(BrowserHome, "ac_home", 0xE032, 0xE03A, 0)              \
  X(BrowserSearch, "find", 0xE065, 0xE010, 0)               \
  X(BrowserBookmarks, "ac_bookmarks", 0xE066, 0xE018, 0)    \
  X(BrowserRefresh, "ac_refresh", 0xE067, 0xE020, 0)        \
  X(BrowserStop, "stop", 0xE068, 0xE028, 0)                 \
  X(BrowserForward, "ac_forward", 0xE069, 0xE030, 0)        \
  X(BrowserBack, "ac_back", 0xE06A, 0xE038, 0)              \
  X(Computer, "computer", 0xE06B, 0xE040, 0)                \
  X(Mail, "mail", 0xE06C, 0xE048, 0)                        \
  X(MediaSelect, "mediaselect", 0xE06D, 0xE050, 0)

enum class KeyCode : u8 {
#define RELIC86_KEY_ENUMERATOR(code, name, set1, set2, set3) code,
  RELIC86_KEYS(RELIC86_KEY_ENUMERATOR)
#undef RELIC86_KEY_ENUMERATOR
};

struct KeyInfo {
  KeyCode code;
  std::string_view name;
  u16 set1;  // E0xxh: prefixed
  u16 set2;
  u8 set3;  // 0: none
};

// All keys, in the order of KeyCode.
std::span<const KeyInfo> all_keys();
const KeyInfo& key_info(KeyCode code);
// The key of a sendkey word: a name of the table, an alias ("sysrq", "asterisk", "kp_return"...), or a set 1 code
// ("0x1e", "0xe01d").
std::optional<KeyCode> key_from_name(std::string_view name);
std::optional<KeyCode> key_from_set1(u16 set1);

}  // namespace relic86
