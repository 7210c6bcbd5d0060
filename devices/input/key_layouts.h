// What the keys of a layout type: for text that is typed into a guest that has this layout.
#pragma once

#include <span>
#include <string_view>

#include "devices/input/key_codes.h"

namespace relic86 {

// 0: the key types nothing this way, or only together with the next one (a dead key).
struct PrintingKey {
  KeyCode code;
  char32_t plain;
  char32_t shifted;
  char32_t right_alt = 0;
};

struct KeyLayout {
  std::string_view name;  // as -k has it: "en-us"
  std::span<const PrintingKey> keys;
};

// The first is that of the United States, which every PC understands as long as no driver says otherwise.
std::span<const KeyLayout> key_layouts();
// The layout of this name; that of the United States for one that has no table here.
const KeyLayout& find_key_layout(std::string_view name);

}  // namespace relic86
