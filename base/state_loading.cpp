#include "base/state_loading.h"

#include <fmt/format.h>

#include <cstring>
#include <map>

namespace relic86 {

namespace {

using Fields = std::map<std::string, std::span<const u8>, std::less<>>;

// The fields of a state that StateReader::parse() has found to be sound.
Fields fields_of(std::span<const u8> state) {
  Fields fields;
  while (!state.empty()) {
    u16 name_size = 0;
    u32 size = 0;
    std::memcpy(&name_size, state.data(), sizeof name_size);
    const auto name = state.subspan(sizeof name_size, name_size);
    state = state.subspan(sizeof name_size + name_size);
    std::memcpy(&size, state.data(), sizeof size);
    fields.emplace(std::string(name.begin(), name.end()), state.subspan(sizeof size, size));
    state = state.subspan(sizeof size + size);
  }
  return fields;
}

std::string shown(std::span<const u8> bytes) {
  constexpr std::size_t kMostBytes = 16;
  std::string text;
  for (std::size_t i = 0; i < std::min(bytes.size(), kMostBytes); i++) text += fmt::format("{:02x}", bytes[i]);
  return text + (bytes.size() > kMostBytes ? "..." : "");
}

// The first field of the file that the component would not save so; empty: there is none.
std::string difference(std::span<const u8> file, std::span<const u8> saved) {
  const Fields here = fields_of(saved);
  for (const auto& [name, content] : fields_of(file)) {
    const auto found = here.find(name);
    if (found == here.end()) return fmt::format("field {} is not known", name);
    const std::span<const u8> possible = found->second;
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
