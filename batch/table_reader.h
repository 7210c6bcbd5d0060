// Reads a table of a suite file key by key. The first mistake is kept, with file, line, key, cause and mend, and what
// is read after it is of no use: a reader is asked once, at the end, whether all was well.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/guest_clock.h"
#include "base/result.h"
#include "options/toml_document.h"

namespace relic86::batch {

// Names in braces and what stands for them: "{memory}" in a text becomes the value. "{{" stands for a brace.
using Variables = std::map<std::string, std::string>;

class TableReader {
 public:
  // file: for messages. what: "[machine.dos]", "test 'boot'". All three outlive the reader.
  TableReader(const std::string& file, std::string what, const TomlValue& table, const Variables& variables);

  bool has(const std::string& key) { return look_up(key) != nullptr; }
  // What is missing, or not of the right kind, is the value of `otherwise`.
  std::string text(const std::string& key, const std::string& otherwise = {});
  std::vector<std::string> texts(const std::string& key);  // a list of texts; one text is a list of one
  std::optional<i64> integer(const std::string& key, i64 lowest, i64 highest);
  std::optional<double> number(const std::string& key, double lowest, double highest);
  bool flag(const std::string& key, bool otherwise);
  // "10s", "250ms", "5m", or a number of seconds, in nanoseconds; "off" is 0.
  GuestTime duration(const std::string& key, GuestTime otherwise);
  u64 size(const std::string& key, u64 otherwise);               // "16M"
  const TomlValue* value(const std::string& key);                // of whatever kind; null: missing
  std::vector<const TomlValue*> tables(const std::string& key);  // a list of tables

  void fail(const std::string& key, const std::string& cause);  // cause: "cause; mend"
  void fail_at(unsigned line, const std::string& message);
  // After everything was asked for: a key that nobody asked for is a mistake.
  Result<> finish();
  const std::optional<Error>& mistake() const { return mistake_; }

  unsigned line() const { return table_.line; }
  std::string substitute(const std::string& key, const std::string& text);

 private:
  const TomlValue* look_up(const std::string& key);
  const TomlValue* of_kind(const std::string& key, TomlValue::Kind kind, std::string_view kind_name);

  const std::string& file_;
  std::string what_;
  const TomlValue& table_;
  const Variables& variables_;
  std::set<std::string> asked_;
  std::optional<Error> mistake_;
};

}  // namespace relic86::batch
