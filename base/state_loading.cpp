#include "base/state_loading.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <string_view>

namespace relic86 {

namespace {

struct Field {
  std::string_view name;
  std::span<const u8> content;
};

// Takes the next field off a state that StateReader::parse() has found to be sound.
Field take_field(std::span<const u8>& state) {
  u16 name_size = 0;
  u32 size = 0;
  std::memcpy(&name_size, state.data(), sizeof name_size);
  const std::string_view name(reinterpret_cast<const char*>(state.data()) + sizeof name_size, name_size);
  state = state.subspan(sizeof name_size + name_size);
  std::memcpy(&size, state.data(), sizeof size);
  const Field field{name, state.subspan(sizeof size, size)};
  state = state.subspan(sizeof size + size);
  return field;
}

// The field of this name; nothing: there is none.
std::optional<Field> find_field(std::span<const u8> state, std::string_view name) {
  while (!state.empty()) {
    if (const Field field = take_field(state); field.name == name) return field;
  }
  return {};
}

std::string shown(std::span<const u8> bytes) {
  constexpr std::size_t kMostBytes = 16;
  std::string text;
  for (std::size_t i = 0; i < std::min(bytes.size(), kMostBytes); i++) text += fmt::format("{:02x}", bytes[i]);
  return text + (bytes.size() > kMostBytes ? "..." : "");
}

// The first field of the file that the component would not save so; empty: there is none.
std::string difference(std::span<const u8> file, std::span<const u8> saved) {
  std::span<const u8> rest = saved;  // mostly in the same order
  while (!file.empty()) {
    const auto [name, content] = take_field(file);
    std::optional<Field> here;
    if (!rest.empty()) here = take_field(rest);
    if (!here || here->name != name) here = find_field(saved, name);
    if (!here) return fmt::format("field {} is not known", name);
    const std::span<const u8> possible = here->content;
    if (content.size() != possible.size())
      return fmt::format("field {} has {} bytes where {} fit", name, content.size(), possible.size());
    const auto [wrong, right] = std::mismatch(content.begin(), content.end(), possible.begin());
    if (wrong == content.end()) continue;
    constexpr std::size_t kWord = 8;
    const std::size_t at = static_cast<std::size_t>(wrong - content.begin()) / kWord * kWord;
    return fmt::format("field {} holds {} at byte {}, which cannot be; {} could", name, shown(content.subspan(at)), at,
                       shown(possible.subspan(at)));
  }
  return {};
}

}  // namespace

Result<> load_state(std::span<const u8> data, const std::function<void(StateArchive&)>& pass) {
  auto reader = StateReader::parse(data);
  if (!reader) return reader.error();
  StateWriter before, after;
  pass(before);
  pass(reader.value());
  pass(after);
  std::string complaint = reader.value().complaint();
  if (complaint.empty() && !std::equal(data.begin(), data.end(), after.data().begin(), after.data().end()))
    complaint = difference(data, after.data());
  if (complaint.empty()) return {};
  auto back = StateReader::parse(before.data());
  RELIC86_ASSERT(back.ok());
  pass(back.value());
  return Error{complaint};
}

}  // namespace relic86
