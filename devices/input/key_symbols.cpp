#include "devices/input/key_symbols.h"

#include <algorithm>
#include <iterator>

namespace relic86 {

namespace {

struct Row {
  u32 symbol;
  KeyCode code;
};

constexpr Row kRows[] = {
    {0xFE03, KeyCode::AltRight},          // ISO_Level3_Shift
    {0xFE20, KeyCode::Tab},               // ISO_Left_Tab: Shift and Tab
    {0xFF08, KeyCode::Backspace},         // BackSpace
    {0xFF09, KeyCode::Tab},               // Tab
    {0xFF0D, KeyCode::Enter},             // Return
    {0xFF13, KeyCode::Pause},             // Pause
    {0xFF14, KeyCode::ScrollLock},        // Scroll_Lock
    {0xFF15, KeyCode::Print},             // Sys_Req: the keyboard makes it of Alt and Print
    {0xFF1B, KeyCode::Escape},            // Escape
    {0xFF22, KeyCode::Muhenkan},          // Muhenkan
    {0xFF23, KeyCode::Henkan},            // Henkan_Mode
    {0xFF27, KeyCode::KatakanaHiragana},  // Hiragana_Katakana
    {0xFF50, KeyCode::Home},              // Home
    {0xFF51, KeyCode::Left},              // Left
    {0xFF52, KeyCode::Up},                // Up
    {0xFF53, KeyCode::Right},             // Right
    {0xFF54, KeyCode::Down},              // Down
    {0xFF55, KeyCode::PageUp},            // Prior
    {0xFF56, KeyCode::PageDown},          // Next
    {0xFF57, KeyCode::End},               // End
    {0xFF61, KeyCode::Print},             // Print
    {0xFF63, KeyCode::Insert},            // Insert
    {0xFF67, KeyCode::Compose},           // Menu
    {0xFF6B, KeyCode::Pause},             // Break: the keyboard makes it of Ctrl and Pause
    {0xFF7E, KeyCode::AltRight},          // Mode_switch
    {0xFF7F, KeyCode::NumLock},           // Num_Lock
    {0xFF8D, KeyCode::KeypadEnter},       // KP_Enter
    {0xFF95, KeyCode::Keypad7},           // KP_Home
    {0xFF96, KeyCode::Keypad4},           // KP_Left
    {0xFF97, KeyCode::Keypad8},           // KP_Up
    {0xFF98, KeyCode::Keypad6},           // KP_Right
    {0xFF99, KeyCode::Keypad2},           // KP_Down
    {0xFF9A, KeyCode::Keypad9},           // KP_Prior
    {0xFF9B, KeyCode::Keypad3},           // KP_Next
    {0xFF9C, KeyCode::Keypad1},           // KP_End
    {0xFF9D, KeyCode::Keypad5},           // KP_Begin
    {0xFF9E, KeyCode::Keypad0},           // KP_Insert
    {0xFF9F, KeyCode::KeypadDecimal},     // KP_Delete
    {0xFFAA, KeyCode::KeypadMultiply},    // KP_Multiply
    {0xFFAB, KeyCode::KeypadAdd},         // KP_Add
    {0xFFAC, KeyCode::KeypadComma},       // KP_Separator
    {0xFFAD, KeyCode::KeypadSubtract},    // KP_Subtract
    {0xFFAE, KeyCode::KeypadDecimal},     // KP_Decimal
    {0xFFAF, KeyCode::KeypadDivide},      // KP_Divide
    {0xFFB0, KeyCode::Keypad0},           // KP_0 to KP_9
    {0xFFB1, KeyCode::Keypad1},
    {0xFFB2, KeyCode::Keypad2},
    {0xFFB3, KeyCode::Keypad3},
    {0xFFB4, KeyCode::Keypad4},
    {0xFFB5, KeyCode::Keypad5},
    {0xFFB6, KeyCode::Keypad6},
    {0xFFB7, KeyCode::Keypad7},
    {0xFFB8, KeyCode::Keypad8},
    {0xFFB9, KeyCode::Keypad9},
    {0xFFBD, KeyCode::KeypadEquals},  // KP_Equal
    {0xFFBE, KeyCode::F1},            // F1 to F24
    {0xFFBF, KeyCode::F2},
    {0xFFC0, KeyCode::F3},
    {0xFFC1, KeyCode::F4},
    {0xFFC2, KeyCode::F5},
    {0xFFC3, KeyCode::F6},
    {0xFFC4, KeyCode::F7},
    {0xFFC5, KeyCode::F8},
    {0xFFC6, KeyCode::F9},
    {0xFFC7, KeyCode::F10},
    {0xFFC8, KeyCode::F11},
    {0xFFC9, KeyCode::F12},
    {0xFFCA, KeyCode::F13},
    {0xFFCB, KeyCode::F14},
    {0xFFCC, KeyCode::F15},
    {0xFFCD, KeyCode::F16},
    {0xFFCE, KeyCode::F17},
    {0xFFCF, KeyCode::F18},
    {0xFFD0, KeyCode::F19},
    {0xFFD1, KeyCode::F20},
    {0xFFD2, KeyCode::F21},
    {0xFFD3, KeyCode::F22},
    {0xFFD4, KeyCode::F23},
    {0xFFD5, KeyCode::F24},
    {0xFFE1, KeyCode::ShiftLeft},       // Shift_L
    {0xFFE2, KeyCode::ShiftRight},      // Shift_R
    {0xFFE3, KeyCode::ControlLeft},     // Control_L
    {0xFFE4, KeyCode::ControlRight},    // Control_R
    {0xFFE5, KeyCode::CapsLock},        // Caps_Lock
    {0xFFE7, KeyCode::MetaLeft},        // Meta_L
    {0xFFE8, KeyCode::MetaRight},       // Meta_R
    {0xFFE9, KeyCode::AltLeft},         // Alt_L
    {0xFFEA, KeyCode::AltRight},        // Alt_R
    {0xFFEB, KeyCode::MetaLeft},        // Super_L
    {0xFFEC, KeyCode::MetaRight},       // Super_R
    {0xFFFF, KeyCode::Delete},          // Delete
    {0x1008FF11, KeyCode::VolumeDown},  // XF86AudioLowerVolume
    {0x1008FF12, KeyCode::AudioMute},   // XF86AudioMute
    {0x1008FF13, KeyCode::VolumeUp},    // XF86AudioRaiseVolume
};

}  // namespace

std::optional<KeyCode> key_of_symbol(u32 keysym) {
  const auto* const row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.symbol == keysym; });
  if (row == std::end(kRows)) return std::nullopt;
  return row->code;
}

char32_t character_of_symbol(u32 keysym) {
  constexpr u32 kEuro = 0x20AC, kUnicode = 0x01000000, kLastOfUnicode = 0x0110FFFF;
  const bool latin1 = (keysym >= 0x20 && keysym <= 0x7E) || (keysym >= 0xA0 && keysym <= 0xFF);
  if (latin1 || keysym == kEuro) return keysym;
  return keysym > kUnicode && keysym <= kLastOfUnicode ? keysym - kUnicode : 0;
}

}  // namespace relic86
