#include "options/toml_document.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace relic86 {

namespace {

TomlValue convert(const toml::node& node) {
  TomlValue value;
  value.line = node.source().begin.line;
  if (const auto* text = node.as_string()) {
    value.kind = TomlValue::Kind::Text;
    value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.kind = TomlValue::Kind::Integer;
    value.integer = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    value.kind = TomlValue::Kind::Number;
    value.number = number->get();
  } else if (const auto* flag = node.as_boolean()) {
    value.kind = TomlValue::Kind::Flag;
    value.flag = flag->get();
  } else if (const auto* array = node.as_array()) {
    value.kind = TomlValue::Kind::Array;
    for (const toml::node& item : *array) value.items.push_back(convert(item));
  } else if (const auto* table = node.as_table()) {
    value.kind = TomlValue::Kind::Table;
    for (const auto& [key, member] : *table) value.members.push_back({std::string(key.str()), convert(member)});
  }
  return value;
}

}  // namespace

const TomlValue* TomlValue::find(std::string_view key) const {
  for (const auto& [name, value] : members) {
    if (name == key) return &value;
  }
  return nullptr;
}

Result<TomlValue> parse_toml(std::string_view text, const std::string& file) {
  try {  // the parser reports by exception; it ends here
    return convert(toml::parse(text, file));
  } catch (const toml::parse_error& problem) {
    return Error{fmt::format("{}:{}: not TOML: {}; see https://toml.io for the format", file,
                             problem.source().begin.line, problem.description())};
  }
}

Result<TomlValue> read_toml(const std::string& file, std::string_view what) {
  std::ifstream stream(file, std::ios::binary);
  std::stringstream content;
  if (stream) content << stream.rdbuf();
  if (!stream || stream.bad()) return Error{fmt::format("{}: {}; name {}", file, std::strerror(errno), what)};
  return parse_toml(content.str(), file);
}

}  // namespace relic86
