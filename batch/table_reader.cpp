#include "batch/table_reader.h"

#include <fmt/format.h>

#include <charconv>

#include "base/nearest.h"
#include "options/option_text.h"
#include "options/options.h"

namespace relic86::batch {

namespace {

constexpr double kNanoseconds = 1e9;
constexpr double kLongestSeconds = 1e9;  // some 30 years

// "1.5s": the number and its unit.
std::optional<GuestTime> parse_duration(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const double seconds = unit == "ms"  ? number / 1e3
                         : unit == "s" ? number
                         : unit == "m" ? number * 60
                         : unit == "h" ? number * 3600
                                       : -1;
  if (!(seconds >= 0) || seconds > kLongestSeconds) return std::nullopt;
  return static_cast<GuestTime>(seconds * kNanoseconds);
}

}  // namespace

TableReader::TableReader(const std::string& file, std::string what, const TomlValue& table, const Variables& variables)
    : file_(file), what_(std::move(what)), table_(table), variables_(variables) {}

const TomlValue* TableReader::look_up(const std::string& key) {
  asked_.insert(key);
  return table_.find(key);
}

const TomlValue* TableReader::of_kind(const std::string& key, TomlValue::Kind kind, std::string_view kind_name) {
  const TomlValue* const found = look_up(key);
  if (found == nullptr || found->kind == kind) return found;
  fail(key, fmt::format("is not {}; write {}", kind_name, kind_name));
  return nullptr;
}

std::string TableReader::text(const std::string& key, const std::string& otherwise) {
  const TomlValue* const found = of_kind(key, TomlValue::Kind::Text, "a text in quotes");
  return found == nullptr ? otherwise : substitute(key, found->text);
}

std::vector<std::string> TableReader::texts(const std::string& key) {
  const TomlValue* const found = look_up(key);
  if (found == nullptr) return {};
  if (found->kind == TomlValue::Kind::Text) return {substitute(key, found->text)};
  std::vector<std::string> list;
  if (found->kind != TomlValue::Kind::Array) fail(key, "is not a list of texts; write [\"..\", \"..\"]");
  for (const TomlValue& item : found->items) {
    if (item.kind != TomlValue::Kind::Text) {
      fail(key, "holds something that is not a text; put quotes around it");
      break;
    }
    list.push_back(substitute(key, item.text));
  }
  return list;
}

std::optional<i64> TableReader::integer(const std::string& key, i64 lowest, i64 highest) {
  const TomlValue* const found = of_kind(key, TomlValue::Kind::Integer, "an integer");
  if (found == nullptr) return std::nullopt;
  if (found->integer < lowest || found->integer > highest) {
    fail(key, fmt::format("{} is out of range; {} to {} are possible", found->integer, lowest, highest));
    return std::nullopt;
  }
  return found->integer;
}

std::optional<double> TableReader::number(const std::string& key, double lowest, double highest) {
  const TomlValue* const found = look_up(key);
  if (found == nullptr) return std::nullopt;
  const double number = found->kind == TomlValue::Kind::Integer ? static_cast<double>(found->integer) : found->number;
  const bool is_number = found->kind == TomlValue::Kind::Integer || found->kind == TomlValue::Kind::Number;
  if (is_number && number >= lowest && number <= highest) return number;
  fail(key, fmt::format("must be a number from {} to {}", lowest, highest));
  return std::nullopt;
}

bool TableReader::flag(const std::string& key, bool otherwise) {
  const TomlValue* const found = of_kind(key, TomlValue::Kind::Flag, "true or false");
  return found == nullptr ? otherwise : found->flag;
}

GuestTime TableReader::duration(const std::string& key, GuestTime otherwise) {
  const TomlValue* const found = look_up(key);
  if (found == nullptr) return otherwise;
  std::optional<GuestTime> parsed;
  if (found->kind == TomlValue::Kind::Integer) parsed = parse_duration(fmt::format("{}s", found->integer));
  if (found->kind == TomlValue::Kind::Number) parsed = parse_duration(fmt::format("{}s", found->number));
  if (found->kind == TomlValue::Kind::Text) {
    const std::string written = substitute(key, found->text);
    parsed = written == "off" ? 0 : parse_duration(written);
  }
  if (!parsed) fail(key, "is not a duration; write \"10s\", \"250ms\", \"5m\", \"off\" or a number of seconds");
  return parsed.value_or(otherwise);
}

u64 TableReader::size(const std::string& key, u64 otherwise) {
  const std::string written = text(key);
  if (written.empty()) return otherwise;
  const auto parsed = parse_size(written, 1);
  if (!parsed) fail(key, fmt::format("'{}' is not a size; write \"64K\" or \"16M\"", written));
  return parsed ? parsed.value() : otherwise;
}

const TomlValue* TableReader::value(const std::string& key) { return look_up(key); }

std::vector<const TomlValue*> TableReader::tables(const std::string& key) {
  std::vector<const TomlValue*> list;
  const TomlValue* const found = of_kind(key, TomlValue::Kind::Array, "a list of tables");
  if (found == nullptr) return list;
  for (const TomlValue& item : found->items) {
    if (item.kind == TomlValue::Kind::Table) {
      list.push_back(&item);
    } else {
      fail(key, "holds something that is not a table; write [{ .. }, { .. }]");
    }
  }
  return list;
}

void TableReader::fail(const std::string& key, const std::string& cause) {
  const TomlValue* const found = table_.find(key);
  fail_at(found == nullptr ? table_.line : found->line, fmt::format("{}: {}", key, cause));
}

void TableReader::fail_at(unsigned line, const std::string& message) {
  if (!mistake_) mistake_ = Error{fmt::format("{}:{}: {}: {}", file_, line, what_, message)};
}

Result<> TableReader::finish() {
  for (const auto& [key, member] : table_.members) {
    if (asked_.contains(key)) continue;
    const std::vector<std::string_view> known(asked_.begin(), asked_.end());
    fail_at(member.line, fmt::format("{}: unknown key; did you mean '{}'?", key, nearest_word(key, known)));
  }
  if (mistake_) return *mistake_;
  return {};
}

std::string TableReader::substitute(const std::string& key, const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] != '{') {
      result += text[i];
      continue;
    }
    if (text.compare(i, 2, "{{") == 0) {
      result += text[i++];
      continue;
    }
    const std::size_t end = text.find('}', i);
    const std::string name = end == std::string::npos ? "" : text.substr(i + 1, end - i - 1);
    // Braces that hold no name are the text's own: a regular expression's {2,3}, a shell's ${x}.
    const bool is_name = !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
    if (!is_name) {
      result += text[i];
      continue;
    }
    const auto found = variables_.find(name);
    if (found == variables_.end()) {
      fail(key, fmt::format("'{{{}}}' is not defined; give it by --set {}=VALUE or in [variables], or write '{{{{' for "
                            "a brace",
                            name, name));
      return text;
    }
    result += found->second;
    i = end;
  }
  return result;
}

}  // namespace relic86::batch
