#include "devices/input/key_codes.h"

#include <array>
#include <charconv>

#include "base/assert.h"

namespace relic86 {

namespace {

constexpr auto kKeys = std::to_array<KeyInfo>({
#define RELIC86_KEY_ROW(code, name, set1, set2, set3) {KeyCode::code, name, set1, set2, set3},
    RELIC86_KEYS(RELIC86_KEY_ROW)
#undef RELIC86_KEY_ROW
});

struct Alias {
  std::string_view name;
  KeyCode code;
};
// Other names that users of QEMU's monitor know.
constexpr auto kAliases = std::to_array<Alias>({
    {"sysrq", KeyCode::Print},
    {"asterisk", KeyCode::KeypadMultiply},
    {"help", KeyCode::Insert},
    {"enter", KeyCode::Enter},
    {"kp_return", KeyCode::KeypadEnter},
    {"control", KeyCode::ControlLeft},
    {"shift_l", KeyCode::ShiftLeft},
    {"ctrl_l", KeyCode::ControlLeft},
    {"alt_l", KeyCode::AltLeft},
    {"altgr", KeyCode::AltRight},
    {"altgr_r", KeyCode::AltRight},
    {"space", KeyCode::Space},
    {"<", KeyCode::Less},
});

}  // namespace

std::span<const KeyInfo> all_keys() { return kKeys; }

const KeyInfo& key_info(KeyCode code) {
  const auto index = static_cast<std::size_t>(code);
  RELIC86_ASSERT(index < kKeys.size());
  return kKeys[index];
}

std::optional<KeyCode> key_from_name(std::string_view name) {
  for (const KeyInfo& key : kKeys) {
    if (key.name == name) return key.code;
  }
  for (const Alias& alias : kAliases) {
    if (alias.name == name) return alias.code;
  }
  if (!name.starts_with("0x")) return std::nullopt;
  u16 set1 = 0;
  const auto [end, error] = std::from_chars(name.data() + 2, name.data() + name.size(), set1, 16);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return key_from_set1(set1);
}

std::optional<KeyCode> key_from_set1(u16 set1) {
  // 80h to FFh is how QEMU's monitor numbers the prefixed keys (9Dh: right Ctrl).
  for (const KeyInfo& key : kKeys) {
    if (key.set1 == set1) return key.code;
  }
  if (set1 < 0x80 || set1 > 0xFF) return std::nullopt;
  return key_from_set1(static_cast<u16>(0xE000 | (set1 & 0x7F)));
}

}  // namespace relic86
