// The types of commands' arguments and answers: what is checked before a command runs, and what query-qmp-schema tells.
// The names are QEMU's (QMP reference manual), because clients look types up by what commands take and return.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace relic86 {

// A type is "str", "int", "number", "bool", "any", "[TYPE]" for a list, or a row of this table.
struct TypeRow {
  std::string_view name;
  enum class Kind : unsigned char { Enum, Object } kind;
  std::string_view members;  // Enum: values; Object: "name:type" words as in Command::arguments; ".." at the end:
                             // others too, which the command itself checks
};
std::span<const TypeRow> type_table();
const TypeRow* find_type(std::string_view name);

struct Member {
  std::string_view name;
  std::string_view type;
  bool optional = false;
};
std::vector<Member> parse_members(std::string_view words);

// Checks an object's members, in QEMU's words for what is wrong. path: of the object, "" or "keys[0]."
Result<> check_members(std::string_view members, const nlohmann::ordered_json& object, const std::string& path);

// Checks one value against a type; name: for the message.
Result<> check_type(std::string_view type, const nlohmann::ordered_json& value, const std::string& name);

// An event: its name and its data.
struct EventRow {
  std::string_view name;
  std::string_view data;
};
std::span<const EventRow> event_table();

}  // namespace relic86
