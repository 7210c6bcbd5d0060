// A TOML file as a tree that knows where each value stands.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace relic86 {

struct TomlMember;

struct TomlValue {
  enum class Kind : u8 { Text, Integer, Number, Flag, Array, Table, Other };  // Other: dates and times
  Kind kind = Kind::Other;
  unsigned line = 0;
  std::string text;
  i64 integer = 0;
  double number = 0;
  bool flag = false;
  std::vector<TomlValue> items;     // of an array
  std::vector<TomlMember> members;  // of a table

  const TomlValue* find(std::string_view key) const;
};

struct TomlMember {
  std::string key;
  TomlValue value;
};

// A file; what: for the message where there is none, "a suite file". The error says "FILE:LINE: cause; mend".
Result<TomlValue> read_toml(const std::string& file, std::string_view what);
// A text; file: what messages call it.
Result<TomlValue> parse_toml(std::string_view text, const std::string& file);

}  // namespace relic86
